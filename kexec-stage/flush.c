/* SPDX-License-Identifier: GPL-2.0-only */
#include "flush.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "io.h"
#include "kexec_mounts.h"

#define MOUNTINFO_MAX (4u << 20)
/* For one that is alive. */
#define ANSWER_MS 1000

static void child(int wr)
{
	/* The lock least of all: a dead file server may keep this process for
	 * ever, and nobody could even abort. */
	if (dup2(wr, 0) < 0)
		_exit(1);
	syscall(SYS_close_range, 1, ~0U, 0);
	sync();
	if (write(0, "s", 1) != 1)
		_exit(1);
	_exit(0);
}

/* A descriptor that is readable while a held signal waits. */
static int held_signals(void)
{
	sigset_t held;

	sigprocmask(SIG_BLOCK, NULL, &held);
	return signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool flush_disks(int timeout_ms)
{
	_cleanup_close_ int rd = -1, wr = -1, sfd = held_signals();
	int64_t end = io_now_ms() + timeout_ms;
	struct pollfd p[2];
	int fds[2];
	pid_t pid;
	char done;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	rd = fds[0];
	wr = fds[1];
	pid = fork();
	if (pid == 0)
		child(wr);
	if (pid < 0)
		return false;
	close(steal_fd(&wr));
	p[0] = (struct pollfd){ .fd = rd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = sfd, .events = POLLIN };
	for (;;) {
		int64_t left = end - io_now_ms();

		if (poll(p, 2, left > 0 ? (int)left : 0) >= 0 || errno != EINTR)
			break;
	}
	/* sync(2) cannot be bounded, so the child is left alone if it is late. */
	if (!p[0].revents) {
		waitpid(pid, NULL, WNOHANG);
		return false;
	}
	waitpid(pid, NULL, 0);
	return read(rd, &done, 1) == 1;
}

/* A process for each file system; its number comes through the pipe when that
 * one has answered. */
static void ask(const char *path, size_t number, int wr)
{
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return;
	if (dup2(wr, 0) < 0)
		_exit(1);
	syscall(SYS_close_range, 1, ~0U, 0);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0)
		(void)!syncfs(fd);
	_exit(write(0, &number, sizeof(number)) < 0);
}

static void hear(struct mount_fs *list, size_t n, size_t asked, int rd)
{
	int64_t end = io_now_ms() + ANSWER_MS;
	struct pollfd p = { .fd = rd, .events = POLLIN };
	size_t number;

	while (asked > 0) {
		int64_t left = end - io_now_ms();

		if (poll(&p, 1, left > 0 ? (int)left : 0) < 0 && errno == EINTR)
			continue;
		if (!p.revents || read(rd, &number, sizeof(number)) != sizeof(number))
			return;
		if (number < n)
			list[number].tried = true;
		asked--;
	}
}

void flush_late(char *where, size_t size)
{
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_close_ int rd = -1, wr = -1;
	struct mount_fs *list;
	size_t n, asked = 0;
	struct err ignored;
	int fds[2];

	*where = '\0';
	if (io_read_file("/proc/self/mountinfo", MOUNTINFO_MAX, &text, &ignored) < 0 ||
	    mounts_parse_all(text.data, &list, &n, &ignored) < 0)
		return;
	if (pipe2(fds, O_CLOEXEC) == 0) {
		rd = fds[0];
		wr = fds[1];
		for (size_t i = 0; i < n; i++)
			if (list[i].first == i) {
				ask(list[i].path, i, wr);
				asked++;
			}
		close(steal_fd(&wr));
		hear(list, n, asked, rd);
		for (size_t i = 0; i < n; i++) {
			size_t at = strlen(where);

			if (list[i].first == i && !list[i].tried)
				snprintf(where + at, size - at, "%s%s", at ? ", " : "", list[i].path);
		}
	}
	mounts_free(list, n);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}
