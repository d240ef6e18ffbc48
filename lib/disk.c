/* SPDX-License-Identifier: GPL-2.0-only */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#ifndef BLKGETSIZE64
#define BLKGETSIZE64 _IOR(0x12, 114, size_t)
#endif

static int open_in_root(const char *root, const char *path, int flags, struct err *e)
{
	int fd = io_open_in_root(root, path, flags);

	if (fd >= 0)
		return fd;
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ENXIO)
		return err_set(e, ERR_ABSENT, "disk %s does not exist (yet)", path);
	if (fd == -EROFS)
		return err_set(e, ERR_ABSENT, "disk %s is still on a read-only file system", path);
	return err_sys(e, -fd, "opening disk %s", path);
}

#define XFS_MAGIC 0x58465342

/* What XFS_IOC_FSGEOMETRY fills in; 256 bytes since Linux 5.2. */
struct xfs_geometry {
	uint64_t head[8];
	uint64_t uuid[2];
	uint64_t tail[22];
};
#define XFS_GEOMETRY _IOR('X', 126, struct xfs_geometry)

/* ext4, btrfs and others put a hash of their uuid into f_fsid. XFS puts the
 * number of its device there, which the next boot may give to another. Its
 * uuid is folded as ext4 folds its own. */
static int fs_id(int fd, const char *path, uint64_t *id, struct err *e)
{
	struct xfs_geometry geo = { .head = { 0 } };
	struct statfs sf;

	if (fstatfs(fd, &sf) < 0)
		return err_sys(e, errno, "disk %s", path);
	memcpy(id, &sf.f_fsid, sizeof(*id));
	if ((uint32_t)sf.f_type != XFS_MAGIC)
		return 0;
	if (ioctl(fd, XFS_GEOMETRY, &geo) < 0)
		return err_sys(e, errno, "disk %s: uuid of its XFS", path);
	*id = geo.uuid[0] ^ geo.uuid[1];
	return 0;
}

static int identify(int fd, struct disk *d, struct err *e)
{
	uint64_t fsid = 0;
	struct stat st;
	char dir[64];

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "disk %s", d->path);
	d->is_block = S_ISBLK(st.st_mode);
	if (!d->is_block && fs_id(fd, d->path, &fsid, e) < 0)
		return -1;
	snprintf(d->fs_uuid, sizeof(d->fs_uuid), "%016" PRIx64, fsid);
	d->inode = d->is_block ? 0 : st.st_ino;
	d->size = (uint64_t)st.st_size;
	d->mtime_ns = d->is_block ?
		0 :
		(uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	if (d->is_block && ioctl(fd, BLKGETSIZE64, &d->size) < 0)
		return err_sys(e, errno, "size of disk %s", d->path);
	if (d->is_block) {
		snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(st.st_rdev),
			 minor(st.st_rdev));
		disk_block_id(dir, d->id);
	}
	return 0;
}

int disk_identify(const char *root, struct disk *d, struct err *e)
{
	_cleanup_close_ int fd = open_in_root(root, d->path, O_RDONLY | O_NONBLOCK, e);

	return fd < 0 ? -1 : identify(fd, d, e);
}

int disk_check(const char *root, const struct disk *want, unsigned int flags, struct err *e)
{
	_cleanup_close_ int fd =
		open_in_root(root, want->path, (want->writable ? O_RDWR : O_RDONLY) | O_NONBLOCK, e);
	struct disk now = { .path = want->path };

	if (fd < 0 || identify(fd, &now, e) < 0)
		return -1;
	if (now.is_block != want->is_block)
		return err_set(e, ERR_MISMATCH, "disk %s was a %s when the VM was saved",
			       want->path, want->is_block ? "block device" : "file");
	if (flags & DISK_COPY && !want->writable && !want->is_block)
		return now.size == want->size && now.mtime_ns == want->mtime_ns ?
			0 :
			err_set(e, ERR_ABSENT,
				"the image's copy of %s is not the one that the VM had", want->path);
	if (memcmp(now.fs_uuid, want->fs_uuid, sizeof(now.fs_uuid)))
		return err_set(e, flags & DISK_EARLY ? ERR_ABSENT : ERR_MISMATCH,
			       "disk %s lies on another file system than when the VM was saved; "
			       "mount the right one",
			       want->path);
	if (!disk_block_same(want->id, now.id))
		return err_set(e, flags & DISK_EARLY ? ERR_ABSENT : ERR_MISMATCH,
			       "disk %s is another device than when the VM was saved (%.200s, was "
			       "%.200s)",
			       want->path, *now.id ? now.id : "nameless", want->id);
	if (now.inode != want->inode || (now.size != want->size && !(flags & DISK_SET_BACK)))
		return err_set(e, ERR_MISMATCH,
			       "disk %s is another file than when the VM was saved (inode %" PRIu64
			       " size %" PRIu64 ", was %" PRIu64 " and %" PRIu64 ")",
			       want->path, now.inode, now.size, want->inode, want->size);
	if (now.mtime_ns != want->mtime_ns && want->writable &&
	    !(flags & (DISK_OPENED | DISK_SET_BACK)))
		return err_set(e, ERR_MISMATCH,
			       "disk %s was changed after the VM was saved; resuming would destroy "
			       "it",
			       want->path);
	return 0;
}

struct disk *disk_add(struct disk **disks, unsigned int *n, const char *path, bool writable)
{
	struct disk *bigger;

	for (unsigned int i = 0; i < *n; i++) {
		if (strcmp((*disks)[i].path, path))
			continue;
		(*disks)[i].writable |= writable;
		return &(*disks)[i];
	}
	bigger = reallocarray(*disks, *n + 1, sizeof(**disks));
	if (!bigger)
		return NULL;
	*disks = bigger;
	memset(&bigger[*n], 0, sizeof(**disks));
	bigger[*n].path = strdup(path);
	bigger[*n].writable = writable;
	return bigger[*n].path ? &bigger[(*n)++] : NULL;
}
