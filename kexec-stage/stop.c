/* SPDX-License-Identifier: GPL-2.0-only */
#include "stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "fault.h"
#include "journal.h"
#include "vmctl.h"

/* For QEMU to flush and close its images. */
#define END_TIMEOUT_MS 20000

/* 1 when the process has ended, 0 when the time is over first. */
static int wait_for_end(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t deadline = io_now_ms() + timeout_ms;

	for (;;) {
		int64_t left = deadline - io_now_ms();
		int r = poll(&p, 1, left > 0 ? (int)left : 0);

		if (r < 0 && errno == EINTR)
			continue;
		return r > 0;
	}
}

static int ask(const char *name, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	char status[32];

	if (vmctl_open(name, &q, NULL, e) < 0 || vmctl_status(&q, status, sizeof(status), e) < 0)
		return -1;
	if (strcmp(status, "running"))
		return err_set(e, ERR_REFUSED,
			       "it is %s, so its guest cannot shut down; continue it first, or use "
			       "--force",
			       status);
	if (qmp_call(&q, "system_powerdown", -1, VMCTL_TIMEOUT_MS, &m, e, NULL) < 0) {
		if (e->kind != ERR_EXITED)
			return -1;
		err_clear(e); /* it ended before it could answer */
	}
	return 0;
}

/* @h: one guest that takes its time, or does not listen, keeps nobody from work
 * on other VMs. */
static int power_down(struct host *h, const char *name, int pidfd, int timeout_ms, struct err *e)
{
	if (ask(name, e) < 0)
		return -1;
	if (h)
		host_unlock(h);
	if (!wait_for_end(pidfd, timeout_ms))
		return err_set(e, ERR_TIMEOUT,
			       "its guest did not shut down within %d s; wait longer with --timeout, "
			       "or end it with --force",
			       timeout_ms / 1000);
	return 0;
}

/* SIGTERM makes QEMU close its images in order. */
static int end_by_force(int pidfd, int timeout_ms, struct err *e)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, errno, "ending QEMU");
	if (wait_for_end(pidfd, timeout_ms))
		return 0;
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, errno, "killing QEMU");
	if (!wait_for_end(pidfd, timeout_ms))
		return err_set(e, ERR_TIMEOUT, "QEMU does not end, not even by SIGKILL");
	return 0;
}

/* Whoever had the lock meanwhile may have run it anew. */
static int forget(struct host *h, const char *name, struct err *e)
{
	struct err busy = { 0 };

	if (h && h->lock < 0 && (host_lock(h, &busy) < 0 || runstate_alive(name, NULL, &busy) != 0))
		return 0;
	return runstate_forget(name, e);
}

int stop_vm(struct host *h, const char *name, enum stop_how how, int timeout_ms, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct err none = { 0 };
	bool was_running;

	if (runstate_load(name, &rs, e) < 0) {
		if (e->kind == ERR_ABSENT)
			return err_set(e, ERR_ABSENT, "no such VM runs on this host");
		return -1;
	}
	if (rs.pidfd < 0)
		return runstate_forget(name, e);
	if (runstate_read_pause(name, &was_running, &none) == 0)
		return err_set(e, ERR_REFUSED,
			       "a jump left it paused; 'holdover abort' sets that right first");
	if (how == STOP_END ||
	    power_down(how == STOP_ASK ? h : NULL, name, rs.pidfd, timeout_ms, e) < 0) {
		if (how == STOP_ASK)
			return -1;
		if (how == STOP_ASK_THEN_END)
			cmd_say("holdover: vm %s: %s; ending its QEMU", name, e->msg);
		err_clear(e);
		if (end_by_force(rs.pidfd, how == STOP_END ? timeout_ms : END_TIMEOUT_MS, e) < 0)
			return -1;
	}
	FAULT(qemu_stopped);
	journal_forward(name, 0);
	return forget(h, name, e);
}

/* Each in a process of its own: one that hangs holds up no other. */
unsigned int stop_vms(char (*names)[VM_NAME_MAX + 1], unsigned int n, enum stop_how how,
		      int timeout_ms)
{
	unsigned int failed = 0;
	int status;

	fflush(stdout);
	for (unsigned int i = 0; i < n; i++) {
		struct err e = { 0 };
		pid_t pid = fork();

		if (pid > 0)
			continue;
		if (stop_vm(NULL, names[i], how, timeout_ms, &e) < 0)
			cmd_say("holdover: vm %s: %s", names[i], e.msg);
		else
			printf("%s: stopped\n", names[i]);
		if (pid == 0) {
			fflush(stdout);
			_exit(e.kind != ERR_NONE);
		}
		failed += e.kind != ERR_NONE;
	}
	for (;;) {
		pid_t pid = waitpid(-1, &status, 0);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return failed;
		failed += !WIFEXITED(status) || WEXITSTATUS(status);
	}
}
