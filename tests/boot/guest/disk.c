/* SPDX-License-Identifier: GPL-2.0-only */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"

static int disk = -1;
static struct disk_record buf __attribute__((aligned(4096)));

int disk_open(const char *path)
{
	disk = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	return disk < 0 ? -errno : 0;
}

int disk_write(const struct disk_record *r)
{
	ssize_t n;

	buf = *r;
	n = pwrite(disk, &buf, sizeof(buf), (off_t)(r->tick * sizeof(buf)));
	if (n != (ssize_t)sizeof(buf))
		return n < 0 ? -errno : -EIO;
	return fsync(disk) ? -errno : 0;
}

int disk_check(uint64_t nonce, uint64_t tick)
{
	ssize_t n;

	memset(&buf, 0, sizeof(buf));
	n = pread(disk, &buf, sizeof(buf), (off_t)(tick * sizeof(buf)));
	if (n != (ssize_t)sizeof(buf))
		return n < 0 ? -errno : -EIO;
	return record_valid(&buf, nonce, tick) ? 0 : -EBADMSG;
}
