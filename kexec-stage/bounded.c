/* SPDX-License-Identifier: GPL-2.0-only */
#include "bounded.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "io.h"

/* Shared with the child; @data follows. */
struct shared {
	struct err err;
	bool done;
	char data[] __attribute__((aligned(16)));
};

static void child(struct shared *s, int (*work)(void *data, struct err *e), int wr)
{
	/* The lock least of all. */
	if (dup2(wr, 0) < 0)
		_exit(1);
	syscall(SYS_close_range, 1, ~0U, 0);
	if (work(s->data, &s->err) == 0)
		err_clear(&s->err);
	s->done = true;
	_exit(0);
}

static int wait_for(const struct shared *s, int rd, pid_t pid, int timeout_ms, struct err *e)
{
	int64_t end = io_now_ms() + timeout_ms;
	struct pollfd p = { .fd = rd };
	int64_t left = timeout_ms;

	/* The child's end closes when it ends. */
	while (poll(&p, 1, left > 0 ? (int)left : 0) < 0 && errno == EINTR)
		left = end - io_now_ms();
	if (!p.revents) {
		waitpid(pid, NULL, WNOHANG);
		return err_set(e, ERR_TIMEOUT, "no answer within %d s", timeout_ms / 1000);
	}
	waitpid(pid, NULL, 0);
	if (!s->done)
		return err_set(e, ERR_EXITED, "the process that was to do it was killed");
	if (s->err.kind == ERR_NONE)
		return 0;
	*e = s->err;
	return -1;
}

int bounded(int (*work)(void *data, struct err *e), void *data, size_t size, int timeout_ms,
	    struct err *e)
{
	_cleanup_close_ int rd = -1, wr = -1;
	size_t whole = sizeof(struct shared) + size;
	struct shared *s =
		mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[2], r;
	pid_t pid;

	if (s == MAP_FAILED)
		return err_sys(e, errno, "memory for a process");
	memcpy(s->data, data, size);
	pid = pipe2(fds, O_CLOEXEC) ? -1 : (rd = fds[0], wr = fds[1], fork());
	if (pid == 0)
		child(s, work, wr);
	if (pid < 0) {
		r = err_sys(e, errno, "starting a process");
	} else {
		close(steal_fd(&wr));
		r = wait_for(s, rd, pid, timeout_ms, e);
	}
	if (r == 0)
		memcpy(data, s->data, size);
	munmap(s, whole);
	return r;
}
