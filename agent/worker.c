/* SPDX-License-Identifier: GPL-2.0-only */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"

static int ended(int pidfd, int *status, struct err *e)
{
	siginfo_t si = { .si_pid = 0 };

	if (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED) < 0)
		return err_sys(e, errno, "waiting for the worker");
	*status = si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
	return 1;
}

int worker_run(int (*work)(void *ctx), void *ctx, char *name, int wait_ms, int *status, struct err *e)
{
	_cleanup_close_ int pidfd = -1;
	struct pollfd p = { .events = POLLIN };
	int64_t until = io_now_ms() + wait_ms;
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(e, errno, "fork");
	if (pid == 0) {
		*name = '@';
		setsid();
		/* Whoever ends the unit means the process that it knows. */
		signal(SIGHUP, SIG_IGN);
		_exit(work(ctx));
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return err_sys(e, errno, "looking at the worker");
	p.fd = pidfd;
	for (;;) {
		int64_t left = until - io_now_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return ended(pidfd, status, e);
		if (n == 0 && left <= 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "waiting for the worker");
	}
}
