/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"
#include "fault.h"
#include "runstate.h"
#include "vmctl.h"

#define STOP_TIMEOUT_MS 60000

struct opts {
	const char *name;
	int timeout_ms;
	bool force;
};

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ "force", no_argument, NULL, 'f' },
		{ 0 },
	};
	int c;

	o->timeout_ms = STOP_TIMEOUT_MS;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			if (config_parse_seconds(optarg, &o->timeout_ms, e) < 0)
				return -1;
			break;
		case 'f':
			o->force = true;
			break;
		default:
			return err_set(e, ERR_USAGE, "unknown option, or its value is missing: %s",
				       argv[optind - 1]);
		}
	}
	if (optind + 1 != argc)
		return err_set(e, ERR_USAGE, "give one VM name");
	o->name = argv[optind];
	return 0;
}

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

static int power_down(const struct opts *o, int pidfd, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	char status[32];

	if (vmctl_open(o->name, &q, NULL, e) < 0 || vmctl_status(&q, status, sizeof(status), e) < 0)
		return -1;
	if (strcmp(status, "running"))
		return err_set(e, ERR_REFUSED,
			       "it is %s, so its guest cannot shut down; continue it first, or use "
			       "--force",
			       status);
	if (qmp_call(&q, "system_powerdown", -1, VMCTL_TIMEOUT_MS, &m, e, NULL) < 0)
		return -1;
	if (!wait_for_end(pidfd, o->timeout_ms))
		return err_set(e, ERR_TIMEOUT,
			       "its guest did not shut down within %d s; wait longer with --timeout, "
			       "or end it with --force",
			       o->timeout_ms / 1000);
	return 0;
}

/* SIGTERM makes QEMU close its images in order. */
static int end_by_force(const struct opts *o, int pidfd, struct err *e)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, errno, "ending QEMU");
	if (wait_for_end(pidfd, o->timeout_ms))
		return 0;
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, errno, "killing QEMU");
	if (!wait_for_end(pidfd, o->timeout_ms))
		return err_set(e, ERR_TIMEOUT, "QEMU does not end, not even by SIGKILL");
	return 0;
}

static int stop(const struct opts *o, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct err none = { 0 };
	bool was_running;

	if (runstate_load(o->name, &rs, e) < 0) {
		if (e->kind == ERR_ABSENT)
			return err_set(e, ERR_ABSENT, "no such VM runs on this host");
		return -1;
	}
	if (rs.pidfd < 0)
		return runstate_forget(o->name, e);
	if (runstate_read_pause(o->name, &was_running, &none) == 0)
		return err_set(e, ERR_REFUSED,
			       "a jump left it paused; 'holdover abort' sets that right first");
	if ((o->force ? end_by_force(o, rs.pidfd, e) : power_down(o, rs.pidfd, e)) < 0)
		return -1;
	FAULT(qemu_stopped);
	return runstate_forget(o->name, e);
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct opts o = { 0 };
	struct err e = { 0 };

	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_stop, "%s", e.msg);
	if (vm_name_check(o.name, &e) < 0 || host_open(&h, app, HOST_LOCK, &e) < 0)
		return cmd_fail(&e);
	if (stop(&o, &e) < 0) {
		err_wrap(&e, "vm %s", o.name);
		return cmd_fail(&e);
	}
	printf("%s: stopped\n", o.name);
	return EXIT_DONE;
}

const struct cmd cmd_stop = {
	.name = "stop",
	.args = "[--timeout SECONDS] [--force] NAME",
	.summary = "shut a VM down",
	.help = "Asks the guest to power down and waits for QEMU to end.\n\n"
		"  --timeout SECONDS  how long (default 60)\n"
		"  --force            end QEMU without asking the guest\n",
	.run = run,
};
