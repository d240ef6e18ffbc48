/* SPDX-License-Identifier: GPL-2.0-only */
#include "kexec.h"
#include "kexec_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <linux/fs.h>

#define MOUNTS_MAX (4u << 20)

/* What became of one file system. The child and its parent race for it: a
 * child that comes out of a stuck freeze after its parent has given up must
 * undo it, or an abort would leave the file system frozen. */
enum { PENDING, FROZEN, SYNCED, GIVEN_UP };

static int open_root(const struct mount_fs *m)
{
	int fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return -1;
	/* Something else may be mounted over it. (The device of a btrfs
	 * subvolume is not that of its file system.) */
	if (fstat(fd, &st) || (m->major && st.st_dev != makedev(m->major, m->minor))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Keeps only the @n descriptors of @keep, which is put in order. */
static void close_others(int *keep, unsigned int n)
{
	unsigned int from = 0;

	for (unsigned int i = 1; i < n; i++)
		for (unsigned int k = i; k > 0 && keep[k] < keep[k - 1]; k--) {
			int other = keep[k];

			keep[k] = keep[k - 1];
			keep[k - 1] = other;
		}
	for (unsigned int i = 0; i < n; i++) {
		if ((unsigned int)keep[i] > from)
			syscall(SYS_close_range, from, keep[i] - 1, 0);
		from = (unsigned int)keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0U, 0);
}

static void child(int fd, atomic_int *state, pid_t parent)
{
	bool clean = syncfs(fd) == 0;
	int pending = PENDING;

	if (ioctl(fd, FIFREEZE, 0)) {
		/* Not every file system can be frozen (vfat), and one may be
		 * frozen already: what was asked for is that it is clean. */
		atomic_compare_exchange_strong(state, &pending, clean ? SYNCED : GIVEN_UP);
		return;
	}
	/* Once the parent is dead the watcher may have done its work before. */
	if (!atomic_compare_exchange_strong(state, &pending, FROZEN) || getppid() != parent)
		ioctl(fd, FITHAW, 0);
}

/* Returns the final state. */
static int freeze_one(int fd, int timeout_ms)
{
	_cleanup_close_ int rd = -1, wr = -1;
	atomic_int *state;
	int pending = PENDING, result, fds[2];
	pid_t pid, parent = getpid();

	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (state == MAP_FAILED)
		return GIVEN_UP;
	atomic_init(state, PENDING);
	pid = pipe2(fds, O_CLOEXEC) ? -1 : (rd = fds[0], wr = fds[1], fork());
	if (pid == 0) {
		/* A child that stays stuck must hold nothing of its parent's,
		 * the lock least. */
		close_others((int[]){ fd, wr }, 2);
		child(fd, state, parent);
		_exit(0);
	}
	if (pid > 0) {
		struct pollfd p = { .fd = rd };

		/* The child's end closes when it ends. */
		close(steal_fd(&wr));
		while (poll(&p, 1, timeout_ms) < 0 && errno == EINTR)
			;
	}
	atomic_compare_exchange_strong(state, &pending, GIVEN_UP);
	result = atomic_load(state);
	if (pid > 0 && result != GIVEN_UP)
		waitpid(pid, NULL, 0);
	munmap(state, sizeof(*state));
	return result;
}

/* A process that dies with the root file system frozen leaves a host on which
 * nothing can be done. The watcher touches nothing but its descriptors. */
static int start_watcher(struct kexec_frozen *f, const int *roots, unsigned int n, struct err *e)
{
	int fds[2], keep[ARRAY_LEN(f->fds) + 1];
	char byte;

	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, errno, "pipe");
	f->watcher = fork();
	if (f->watcher == 0) {
		memcpy(keep, roots, n * sizeof(*roots));
		keep[n] = fds[0];
		close_others(keep, n + 1);
		setsid();
		while (read(fds[0], &byte, 1) < 0 && errno == EINTR)
			;
		for (unsigned int i = n; i-- > 0;)
			ioctl(roots[i], FITHAW, 0);
		_exit(0);
	}
	close(fds[0]);
	f->watch = fds[1];
	return f->watcher < 0 ? err_sys(e, errno, "fork") : 0;
}

static void stop_watcher(struct kexec_frozen *f)
{
	if (f->watcher > 0) {
		kill(f->watcher, SIGKILL);
		waitpid(f->watcher, NULL, 0);
	}
	if (f->watch >= 0)
		close(f->watch);
	f->watcher = 0;
	f->watch = -1;
}

static unsigned int count_left(const struct mount_fs *list, size_t n)
{
	unsigned int left = 0;

	for (size_t i = 0; i < n; i++)
		left += list[i].first == i && !list[i].tried;
	return left;
}

/* An equal share of what is left, so that a stuck one does not starve others. */
static int share(int64_t end, unsigned int fs_left)
{
	int64_t left = end - io_now_ms();

	return left > 0 ? (int)(left / fs_left) : 0;
}

static bool is_vital(const struct mount_fs *m, const dev_t *vital, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (vital[i] == makedev(m->major, m->minor))
			return true;
	return !m->major;
}

/* Opens one root for each file system, from the last mounted to the first: a
 * loop device's file system is mounted after the one that its image lies on,
 * and must be frozen before. */
static unsigned int open_roots(struct mount_fs *list, size_t n, int *roots, size_t *of)
{
	unsigned int found = 0;

	for (size_t i = n; i-- > 0;) {
		struct mount_fs *fs = &list[list[i].first];

		if (fs->tried || found == ARRAY_LEN(((struct kexec_frozen *)NULL)->fds))
			continue;
		roots[found] = open_root(&list[i]);
		if (roots[found] < 0)
			continue;
		fs->tried = true;
		of[found++] = list[i].first;
	}
	for (unsigned int i = 0; i < found; i++)
		list[of[i]].tried = false;
	return found;
}

static int freeze_list(struct kexec_frozen *f, struct mount_fs *list, size_t n, int64_t end,
		       const dev_t *vital, unsigned int nvital, struct err *e)
{
	int roots[ARRAY_LEN(f->fds)];
	size_t of[ARRAY_LEN(f->fds)];
	unsigned int found = open_roots(list, n, roots, of);
	int r = start_watcher(f, roots, found, e);

	for (unsigned int i = 0; i < found; i++) {
		struct mount_fs *fs = &list[of[i]];
		int state = r < 0 ? GIVEN_UP : freeze_one(roots[i], share(end, found - i));

		fs->tried = state != GIVEN_UP;
		if (state == FROZEN)
			f->fds[f->n++] = roots[i];
		else
			close(roots[i]);
	}
	f->skipped = count_left(list, n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (list[i].first == i && !list[i].tried && is_vital(&list[i], vital, nvital))
			r = err_set(e, ERR_TIMEOUT,
				    "the file system at %s could not be brought to rest in time",
				    list[i].path);
	return r;
}

static int read_mounts(struct mount_fs **list, size_t *n, struct err *e)
{
	_cleanup_buf_ struct buf text = { 0 };

	if (io_read_file("/proc/self/mountinfo", MOUNTS_MAX, &text, e))
		return -1;
	return mounts_parse(text.data, list, n, e);
}

int kexec_freeze(struct kexec_frozen *f, int timeout_ms, const dev_t *vital, unsigned int nvital,
		 struct err *e)
{
	int64_t end = io_now_ms() + timeout_ms;
	struct mount_fs *list = NULL;
	size_t n;
	int r;

	f->n = f->skipped = 0;
	f->watcher = 0;
	f->watch = -1;
	if (read_mounts(&list, &n, e) < 0)
		return -1;
	r = freeze_list(f, list, n, end, vital, nvital, e);
	mounts_free(list, n);
	return r;
}

void kexec_thaw(struct kexec_frozen *f)
{
	/* The other way round: an image's file system before what lies in it. */
	while (f->n > 0) {
		int fd = f->fds[--f->n];

		ioctl(fd, FITHAW, 0);
		close(fd);
	}
	stop_watcher(f);
}

void kexec_thaw_all(void)
{
	struct mount_fs *list = NULL;
	struct err ignored;
	size_t n;

	if (read_mounts(&list, &n, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int fd = open_root(&list[i]);

		/* One that is not frozen says EINVAL. */
		if (fd >= 0)
			ioctl(fd, FITHAW, 0);
	}
	mounts_free(list, n);
}
