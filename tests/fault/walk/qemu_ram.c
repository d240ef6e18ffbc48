/* SPDX-License-Identifier: GPL-2.0-only */
#include "qemu_ram.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>

#include "io.h"

static const char *after(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? p + strlen(key) : NULL;
}

void ram_map(const char *object, uint8_t **ram, uint64_t *bytes)
{
	const char *size = after(object, ",size="), *path = after(object, ",mem-path=");
	const char *offset = after(object, ",offset=");
	struct err e = { 0 };
	uint64_t part;
	char text[128];
	int fd;

	if (!*ram)
		*ram = mmap(NULL, 1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	snprintf(text, sizeof(text), "%.*s", size ? (int)strcspn(size, ",") : 0, size);
	if (!path || io_parse_size(text, &part, &e) < 0)
		_exit(95);
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(path, ","), path);
	fd = open(text, O_RDWR | O_CLOEXEC);
	if (mmap(*ram + *bytes, part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 (off_t)(offset ? strtoull(offset, NULL, 10) : 0)) == MAP_FAILED)
		_exit(95);
	*bytes += part;
	close(fd);
}

bool ram_own(const char *vm)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/bench/%s.lock", vm);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

int ram_mkfs(void)
{
	char uuid[64];
	struct err e = { 0 };

	return io_read_line("/proc/sys/kernel/random/uuid", uuid, sizeof(uuid), &e) < 0 ||
		io_write_file("/bench/dax/.uuid", uuid, strlen(uuid), 0600, &e) < 0;
}
