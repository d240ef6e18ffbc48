/* SPDX-License-Identifier: GPL-2.0-only */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "area.h"
#include "disk.h"

_Static_assert(sizeof(struct disk_record) == 512, "a record is one sector");

static int disk = -1;
static struct disk_record buf __attribute__((aligned(4096)));

int disk_open(const char *path)
{
	disk = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	return disk < 0 ? -errno : 0;
}

static uint64_t check_of(const struct disk_record *r)
{
	uint64_t words[63], s = 0;

	memcpy(words, r, sizeof(words));
	for (unsigned int i = 0; i < 63; i++)
		s += words[i];
	return s * AREA_STEP;
}

void disk_seal(struct disk_record *r)
{
	uint64_t v = area_seed(r->nonce, r->tick);

	memcpy(r->magic, "HOLDTICK", 8);
	for (unsigned int i = 0; i < 57; i++, v += AREA_STEP)
		r->fill[i] = v;
	r->check = check_of(r);
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
	uint64_t v = area_seed(nonce, tick);
	ssize_t n;

	memset(&buf, 0, sizeof(buf));
	n = pread(disk, &buf, sizeof(buf), (off_t)(tick * sizeof(buf)));
	if (n != (ssize_t)sizeof(buf))
		return n < 0 ? -errno : -EIO;
	if (memcmp(buf.magic, "HOLDTICK", 8) || buf.nonce != nonce || buf.tick != tick ||
	    buf.fill[0] != v || buf.fill[56] != v + 56 * AREA_STEP || buf.check != check_of(&buf))
		return -EBADMSG;
	return 0;
}
