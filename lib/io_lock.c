/* SPDX-License-Identifier: GPL-2.0-only */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

/* Not SIGALRM, which is the agent's. */
#define WAKE SIGRTMIN
/* The first signal may come before flock() has begun to wait. */
#define AGAIN_NS 50000000

static void on_wake(int sig)
{
	(void)sig;
}

/* flock() that a timer interrupts. */
static int lock_in_time(int fd, int timeout_ms)
{
	struct sigaction sa = { .sa_handler = on_wake }, before;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = WAKE };
	struct itimerspec when = {
		.it_value = { .tv_sec = timeout_ms / 1000,
			      .tv_nsec = (long)(timeout_ms % 1000) * 1000000 },
		.it_interval = { .tv_nsec = AGAIN_NS },
	};
	int64_t end = io_now_ms() + timeout_ms;
	timer_t timer;
	int r, errnum;

	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) < 0)
		return -1;
	sigaction(WAKE, &sa, &before);
	timer_settime(timer, 0, &when, NULL);
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR && io_now_ms() < end);
	errnum = errno == EINTR ? EWOULDBLOCK : errno;
	timer_delete(timer);
	sigaction(WAKE, &before, NULL);
	errno = errnum;
	return r;
}

int io_lock_wait(const char *path, int timeout_ms, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	char pid[32] = "";
	int r;

	if (fd < 0)
		return err_sys(e, errno, "opening the lock %s", path);
	r = flock(fd, LOCK_EX | LOCK_NB);
	if (r < 0 && errno == EWOULDBLOCK && timeout_ms > 0)
		r = lock_in_time(fd, timeout_ms);
	if (r < 0) {
		ssize_t n;

		if (errno != EWOULDBLOCK)
			return err_sys(e, errno, "locking %s", path);
		n = pread(fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? n : 0] = '\0';
		pid[strcspn(pid, "\n")] = '\0';
		return err_set(e, ERR_REFUSED,
			       "another holdover (pid %s) is at work on this "
			       "host; wait for it to end",
			       *pid ? pid : "unknown");
	}
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
		return err_sys(e, errno, "writing %s", path);
	return steal_fd(&fd);
}

int io_lock(const char *path, struct err *e)
{
	return io_lock_wait(path, 0, e);
}
