/* SPDX-License-Identifier: GPL-2.0-only */
#include "daxfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <linux/stat.h>

int daxfs_probe(const struct pmem_device *dev, struct daxfs *out, struct err *e)
{
	_cleanup_close_ int fd = open(dev->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	_cleanup_free_ void *head = NULL;
	ssize_t n;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return err_sys(e, errno, "%s", dev->path);
	if (posix_memalign(&head, 4096, DAXFS_HEAD))
		return err_sys(e, ENOMEM, "%s", dev->path);
	n = pread(fd, head, DAXFS_HEAD, 0);
	if (n != DAXFS_HEAD)
		return err_sys(e, n < 0 ? errno : EIO, "%s: reading its superblock", dev->path);
	daxfs_identify(head, out);
	return 0;
}

static int check_uuid(const struct pmem_device *dev, const uint8_t *want, const struct daxfs *fs,
		      struct err *e)
{
	static const uint8_t any[16];
	char have[37], text[37];

	if (fs->type == DAXFS_NONE)
		return err_set(e, ERR_ABSENT,
			       "%s: holds no ext4 or xfs file system; 'holdover init --fsdax' makes one",
			       dev->path);
	if (want && !memcmp(want, any, sizeof(any)))
		want = NULL;
	if (!want && !fs->ours)
		return err_set(e, ERR_ABSENT,
			       "%s: holds an %s file system that 'holdover init --fsdax' has not made; "
			       "with --force it makes a new one over it",
			       dev->path, daxfs_type_name(fs->type));
	if (!want || !memcmp(want, fs->uuid, sizeof(fs->uuid)))
		return 0;
	io_uuid_format(want, text);
	io_uuid_format(fs->uuid, have);
	return err_set(e, ERR_MISMATCH, "%s: its file system has uuid %s, not %s", dev->path, have,
		       text);
}

static int dir_of(const struct pmem_device *dev, struct daxfs *out, struct err *e)
{
	return io_path(out->dir, sizeof(out->dir), e, DAXFS_DIR "/0x%" PRIx64, dev->region_start);
}

/* 1: the file system of @dev is mounted at @dir, 0: nothing is, -1. */
static int mounted(const struct pmem_device *dev, const char *dir, struct err *e)
{
	struct stat device, top, above;

	if (stat(dev->path, &device) || stat(dir, &top) || stat(DAXFS_DIR, &above))
		return err_sys(e, errno, "%s", dir);
	if (top.st_dev == device.st_rdev)
		return 1;
	if (top.st_dev == above.st_dev)
		return 0;
	return err_set(e, ERR_REFUSED, "%s: something else than %s is mounted there; unmount it",
		       dir, dev->path);
}

int daxfs_mount(const struct pmem_device *dev, const uint8_t *want_uuid, struct daxfs *out,
		struct err *e)
{
	const char *type;
	int there;

	if (daxfs_probe(dev, out, e) || check_uuid(dev, want_uuid, out, e) || dir_of(dev, out, e))
		return -1;
	type = daxfs_type_name(out->type);
	if (io_mkdir_p(DAXFS_DIR, 0700, e) || io_mkdir_p(out->dir, 0700, e))
		return -1;
	there = mounted(dev, out->dir, e);
	if (there)
		return there < 0 ? -1 : 0;
	if (pmem_load_named_modules(&type, 1, e))
		return -1;
	if (mount(dev->path, out->dir, type, MS_NOATIME | MS_NODEV | MS_NOSUID | MS_NOEXEC, "dax"))
		return err_sys(e, errno,
			       "%s: mounting it as %s with -o dax; see the kernel log (the kernel needs "
			       "CONFIG_FS_DAX)",
			       dev->path, type);
	return 0;
}

int daxfs_unmount(const struct pmem_device *dev, struct err *e)
{
	struct daxfs fs;

	if (dir_of(dev, &fs, e))
		return -1;
	if (umount2(fs.dir, 0) == 0 || errno == EINVAL || errno == ENOENT)
		return 0;
	if (errno == EBUSY)
		return err_set(e, ERR_REFUSED, "%s: %s is in use; stop the VMs on it", dev->path,
			       fs.dir);
	return err_sys(e, errno, "%s: unmounting %s", dev->path, fs.dir);
}

int daxfs_check(const char *path, struct err *e)
{
	struct statx st = { .stx_mask = 0 };

	if (syscall(SYS_statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, &st))
		return err_sys(e, errno, "%s", path);
	if (st.stx_attributes & STATX_ATTR_DAX)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "%s: is not mapped directly (DAX) but through the page cache, which no jump "
		       "preserves; see the kernel log for why -o dax was not honoured",
		       path);
}
