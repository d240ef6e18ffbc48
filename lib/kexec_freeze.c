/* SPDX-License-Identifier: GPL-2.0-only */
#include "kexec.h"
#include "kexec_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

static void child(int fd, atomic_int *state)
{
	int pending = PENDING;

	syncfs(fd);
	if (ioctl(fd, FIFREEZE, 0)) {
		/* Not every file system can be frozen (vfat), and one may be
		 * frozen already: what was asked for is that it is clean. */
		atomic_compare_exchange_strong(state, &pending, SYNCED);
		return;
	}
	if (!atomic_compare_exchange_strong(state, &pending, FROZEN))
		ioctl(fd, FITHAW, 0);
}

/* A child that stays stuck must hold nothing of its parent's, the lock least. */
static void close_others(int a, int b)
{
	unsigned int lo = (unsigned int)(a < b ? a : b), hi = (unsigned int)(a < b ? b : a);

	if (lo > 0)
		syscall(SYS_close_range, 0, lo - 1, 0);
	if (hi > lo + 1)
		syscall(SYS_close_range, lo + 1, hi - 1, 0);
	syscall(SYS_close_range, hi + 1, ~0U, 0);
}

/* Returns the final state. */
static int freeze_one(int fd, int timeout_ms)
{
	_cleanup_close_ int rd = -1, wr = -1;
	atomic_int *state;
	int pending = PENDING, result, fds[2];
	pid_t pid;

	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (state == MAP_FAILED)
		return GIVEN_UP;
	atomic_init(state, PENDING);
	pid = pipe2(fds, O_CLOEXEC) ? -1 : (rd = fds[0], wr = fds[1], fork());
	if (pid == 0) {
		close_others(fd, wr);
		child(fd, state);
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

static void freeze_list(struct kexec_frozen *f, struct mount_fs *list, size_t n, int64_t end,
			unsigned int *skipped)
{
	/* From the last to the first: a loop device's file system is mounted
	 * after the one that its image lies on, and must be frozen before. */
	for (size_t i = n; i-- > 0;) {
		struct mount_fs *fs = &list[list[i].first];
		_cleanup_close_ int fd = -1;
		int state = GIVEN_UP;

		if (fs->tried)
			continue;
		fd = open_root(&list[i]);
		if (fd < 0)
			continue;
		if (f->n < ARRAY_LEN(f->fds))
			state = freeze_one(fd, share(end, count_left(list, n)));
		fs->tried = true;
		if (state == FROZEN)
			f->fds[f->n++] = steal_fd(&fd);
		if (state == GIVEN_UP)
			++*skipped;
	}
	*skipped += count_left(list, n);
}

void kexec_freeze(struct kexec_frozen *f, int timeout_ms, unsigned int *skipped)
{
	_cleanup_buf_ struct buf text = { 0 };
	int64_t end = io_now_ms() + timeout_ms;
	struct mount_fs *list = NULL;
	struct err why;
	size_t n;

	f->n = 0;
	*skipped = 0;
	if (io_read_file("/proc/self/mountinfo", MOUNTS_MAX, &text, &why) ||
	    mounts_parse(text.data, &list, &n, &why)) {
		*skipped = 1;
		return;
	}
	freeze_list(f, list, n, end, skipped);
	mounts_free(list, n);
}

void kexec_thaw(struct kexec_frozen *f)
{
	/* The other way round: an image's file system before what lies in it. */
	while (f->n > 0) {
		int fd = f->fds[--f->n];

		ioctl(fd, FITHAW, 0);
		close(fd);
	}
}
