/* SPDX-License-Identifier: GPL-2.0-only */
#include "early_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

/* Deeper than any root has its libraries; bounds the recursion. */
#define DEPTH_MAX 32

/* systemd makes /usr read-only in the initramfs: then the memory is needed twice
 * until switch-root. */
static int drop(int from, const char *name, struct err *e)
{
	if (unlinkat(from, name, 0) < 0 && errno != EROFS)
		return err_sys(e, errno, "removing %s", name);
	return 0;
}

/* By an attempt that was cut short, which may have left a QEMU that runs it. */
static bool was_moved(int to, const char *name, const struct stat *st)
{
	struct stat old;

	return fstatat(to, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_size == st->st_size &&
		old.st_mtim.tv_sec == st->st_mtim.tv_sec &&
		old.st_mtim.tv_nsec == st->st_mtim.tv_nsec;
}

static int move_file(int from, int to, const char *name, const struct stat *st, struct err *e)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };
	_cleanup_close_ int in = -1, out = -1;
	ssize_t n;

	if (was_moved(to, name, st))
		return drop(from, name, e);
	in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	out = openat(to, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (in < 0 || out < 0)
		return err_sys(e, errno, "copying %s", name);
	do
		n = sendfile(out, in, NULL, 1 << 20);
	while (n > 0 || (n < 0 && errno == EINTR));
	/* The image has taken the right to execute away. */
	if (n < 0 || fchmod(out, 0755) < 0 || futimens(out, times) < 0)
		return err_sys(e, errno, "copying %s", name);
	return drop(from, name, e);
}

static int move_link(int from, int to, const char *name, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(e, errno, "reading the link %s", name);
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0 && errno != EEXIST)
		return err_sys(e, errno, "copying the link %s", name);
	return drop(from, name, e);
}

static int move_dir(int from, int to, int depth, struct err *e);

static int move_one(int from, int to, const char *name, int depth, struct err *e)
{
	_cleanup_close_ int in = -1, out = -1;
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "%s", name);
	if (S_ISREG(st.st_mode))
		return move_file(from, to, name, &st, e);
	if (S_ISLNK(st.st_mode))
		return move_link(from, to, name, e);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (mkdirat(to, name, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "making the folder %s", name);
	in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0 || out < 0)
		return err_sys(e, errno, "%s", name);
	return move_dir(in, out, depth + 1, e);
}

static int move_dir(int from, int to, int depth, struct err *e)
{
	_cleanup_closedir_ DIR *d = NULL;
	_cleanup_close_ int fd = fcntl(from, F_DUPFD_CLOEXEC, 3);
	struct dirent *entry;

	if (depth > DEPTH_MAX)
		return err_set(e, ERR_REFUSED, "folders are nested deeper than %d", DEPTH_MAX);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return err_sys(e, errno, "listing a folder");
	(void)steal_fd(&fd);
	while (errno = 0, (entry = readdir(d))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") && strcmp(name, "..") && move_one(from, to, name, depth, e) < 0)
			return err_wrap(e, "%s", name);
	}
	return errno ? err_sys(e, errno, "listing a folder") : 0;
}

/* /run not with what is mounted in it, @target among it, now or later: the host
 * would see all of it twice. */
static int bind_one(const char *target, const char *dir, struct err *e)
{
	bool deep = strcmp(dir, "/run") != 0;
	char to[PATH_MAX];

	if (io_path(to, sizeof(to), e, "%s%s", target, dir) < 0)
		return -1;
	if (mkdir(to, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "making %s", to);
	if (mount(dir, to, NULL, MS_BIND | (deep ? MS_REC : 0), NULL) < 0)
		return err_sys(e, errno, "binding %s to %s", dir, to);
	if (!deep && mount(NULL, to, NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(e, errno, "making %s private", to);
	return 0;
}

static bool is_mounted(const char *path)
{
	char up[PATH_MAX];
	struct err ignored;
	struct stat a, b;

	return io_path(up, sizeof(up), &ignored, "%s/..", path) == 0 && stat(path, &a) == 0 &&
		stat(up, &b) == 0 && a.st_dev != b.st_dev;
}

int early_root_make(const char *tree, const char *target, struct err *e)
{
	static const char *const dirs[] = { "/dev", "/proc", "/sys", "/run" };
	_cleanup_close_ int from = -1, to = -1;
	char tmp[PATH_MAX];

	from = open(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return err_set(e, ERR_ABSENT,
			       "the image holds no QEMU (%s); set 'placement = initramfs' in a VM's "
			       "file and build it again",
			       tree);
	if (io_mkdir_p(target, 0755, e) < 0)
		return -1;
	if (!is_mounted(target)) {
		if (mount("holdover", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
			return err_sys(e, errno, "mounting a tmpfs at %s", target);
		for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
			if (bind_one(target, dirs[i], e) < 0)
				return -1;
	}
	if (io_path(tmp, sizeof(tmp), e, "%s/tmp", target) < 0)
		return -1;
	if (mkdir(tmp, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "making %s", tmp);
	to = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		return err_sys(e, errno, "opening %s", target);
	return move_dir(from, to, 0, e);
}
