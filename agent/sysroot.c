/* SPDX-License-Identifier: GPL-2.0-only */
#include "sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "io.h"

static int bind_one(const char *root, dev_t root_dev, const char *dir, struct err *e)
{
	char target[4096];
	struct stat st;

	if (io_path(target, sizeof(target), e, "%s%s", root, dir) < 0)
		return -1;
	/* Not through a link: a root of somebody else's making could lead
	 * anywhere. */
	if (lstat(target, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_ABSENT, "%s has no folder %s; is the root mounted?", root, dir);
	if (st.st_dev != root_dev)
		return 0;
	if (mount(dir, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(e, errno, "binding %s to %s", dir, target);
	return 0;
}

int sysroot_prepare(const char *root, struct err *e)
{
	static const char *const dirs[] = { "/dev", "/proc", "/sys", "/run" };
	struct stat st;

	if (stat(root, &st) < 0)
		return err_set(e, ERR_ABSENT, "%s does not exist", root);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (bind_one(root, st.st_dev, dirs[i], e) < 0)
			return -1;
	return 0;
}

int sysroot_remount_rw(const char *root, struct err *e)
{
	/* What of a mount's own flags a remount would reset if it were not named. */
	static const struct {
		unsigned long st, ms;
	} kept[] = {
		{ ST_NOSUID, MS_NOSUID },	  { ST_NODEV, MS_NODEV },
		{ ST_NOEXEC, MS_NOEXEC },	  { ST_NOATIME, MS_NOATIME },
		{ ST_NODIRATIME, MS_NODIRATIME }, { ST_RELATIME, MS_RELATIME },
	};
	unsigned long flags = MS_REMOUNT;
	struct statvfs sv;

	if (statvfs(root, &sv) < 0)
		return err_sys(e, errno, "%s", root);
	if (!(sv.f_flag & ST_RDONLY))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		flags |= sv.f_flag & kept[i].st ? kept[i].ms : 0;
	if (mount(NULL, root, NULL, flags, NULL) < 0)
		return err_sys(e, errno, "remounting %s read-write", root);
	return 1;
}

int sysroot_enter(const char *root, struct err *e)
{
	if (chroot(root) < 0 || chdir("/") < 0)
		return err_sys(e, errno, "changing the root to %s", root);
	return 0;
}

static bool is_root(int fd)
{
	struct stat is, it;

	return fd >= 0 && stat("/", &is) == 0 && fstat(fd, &it) == 0 && is.st_dev == it.st_dev &&
		is.st_ino == it.st_ino;
}

int sysroot_hold(const char *root)
{
	_cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return is_root(fd) ? -1 : steal_fd(&fd);
}

int sysroot_follow(int held, struct err *e)
{
	/* pivot_root() takes along whoever had the old one. */
	if (is_root(held))
		return 1;
	/* Of an initramfs, which could not be pivoted before Linux 7.0, only what
	 * was mounted in it has gone. */
	if (access("/proc/self", F_OK) == 0)
		return 0;
	if (held < 0 || fchdir(held) < 0 || chroot(".") < 0)
		return err_sys(e, held < 0 ? ENOENT : errno, "following the host to its root");
	return 1;
}
