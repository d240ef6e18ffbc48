/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file system on the namespace that is a folder, for the walk: in place of lib/daxfs_mount.c.
 *
 *	/bench/fsdax	there: the namespace is an fsdax one
 *	/bench/dax	the folder; its uuid is in .uuid, which mkfs (qemu_ram.c) writes
 *
 * It is mounted by a link from where Holdover wants it, so that it is gone with /run in the next boot.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <linux/fs.h>

#include "daxfs.h"

#define FOLDER "/bench/dax"

/* Where blocks lie is what a tmpfs does not tell: all of a file in one piece. */
#ifdef __GLIBC__
int ioctl(int fd, unsigned long request, ...)
#else
int ioctl(int fd, int request, ...)
#endif
{
	struct fiemap *map;
	va_list ap;

	va_start(ap, request);
	map = va_arg(ap, void *);
	va_end(ap);
	if ((unsigned int)request != FS_IOC_FIEMAP)
		return (int)syscall(SYS_ioctl, fd, request, map);
	map->fm_mapped_extents = 1;
	map->fm_extents[0] = (struct fiemap_extent){ .fe_length = map->fm_length };
	return 0;
}

int daxfs_probe(const struct pmem_device *dev, struct daxfs *out, struct err *e)
{
	char line[64];
	struct err none = { 0 };

	(void)dev;
	memset(out, 0, sizeof(*out));
	if (io_read_line(FOLDER "/.uuid", line, sizeof(line), &none) < 0)
		return 0;
	out->type = DAXFS_EXT4;
	out->ours = true;
	return io_uuid_parse(line, out->uuid, e);
}

int daxfs_mount(const struct pmem_device *dev, const uint8_t *want_uuid, struct daxfs *out,
		struct err *e)
{
	static const uint8_t any[16];

	if (daxfs_probe(dev, out, e) < 0)
		return -1;
	if (out->type == DAXFS_NONE)
		return err_set(e, ERR_ABSENT, "%s: holds no file system", dev->path);
	if (want_uuid && memcmp(want_uuid, any, 16) && memcmp(want_uuid, out->uuid, 16))
		return err_set(e, ERR_MISMATCH, "%s: holds another file system", dev->path);
	if (io_path(out->dir, sizeof(out->dir), e, DAXFS_DIR "/0x%" PRIx64, dev->region_start) < 0 ||
	    io_mkdir_p(DAXFS_DIR, 0700, e) < 0)
		return -1;
	if (symlink(FOLDER, out->dir) == 0 || errno == EEXIST)
		return 0;
	return err_sys(e, errno, "%s", out->dir);
}

int daxfs_unmount(const struct pmem_device *dev, struct err *e)
{
	(void)dev;
	(void)e;
	return 0;
}

int daxfs_check(const char *path, struct err *e)
{
	return access(path, F_OK) < 0 ? err_sys(e, errno, "%s", path) : 0;
}
