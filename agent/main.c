/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * holdover-agent: run once by the initramfs of the new kernel. Whatever
 * happens, it ends, with one marker line on kmsg:
 *
 *	holdover: DONE vms=3 running=2 failed=1 kept=0 ms=412
 */
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "io.h"
#include "fault.h"
#include "log.h"
#include "params.h"
#include "qemu.h"
#include "report.h"
#include "restore.h"
#include "version.h"

#define TICKET_IN_INITRAMFS "/holdover.ticket"

/* The engine's own deadlines come first. */
#define DEADLINE_GRACE_S 5

static const char usage[] =
	"usage: holdover-agent [--sysroot DIR]\n"
	"\n"
	"Resumes the virtual machines that 'holdover kexec' sealed before the jump.\n"
	"Meant for an initramfs; in a running system use 'holdover resume'.\n"
	"\n"
	"  --sysroot DIR  where the host's root is mounted (default /sysroot)\n"
	"  --version      print the version\n"
	"  --help         this text\n";

/* When this kernel started, counted back from now by the time since boot. */
static void mark_kernel_start(struct marks *m, uint64_t tsc_hz)
{
	struct timespec ts;
	uint64_t now = marks_now();
	uint64_t since;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	since = (uint64_t)((double)tsc_hz * ((double)ts.tv_sec + (double)ts.tv_nsec / 1e9));
	if (tsc_hz && since < now)
		marks_take_at(m, PHASE_KERNEL_START, PHASE_HOST, now - since);
}

/* The ticket leaves the initramfs, whose files anybody in it may read, for
 * /run, where the late placement finds it. */
static int take_ticket(struct restore *r, struct err *e)
{
	if (ticket_load(TICKET_IN_INITRAMFS, &r->ticket, e) < 0)
		return -1;
	if (io_mkdir_p(HOLDOVER_RUN_DIR, 0700, e) < 0 ||
	    ticket_save(HOLDOVER_RUN_DIR "/ticket", &r->ticket, e) < 0)
		return -1;
	FAULT(ticket_taken);
	if (ticket_shred(TICKET_IN_INITRAMFS, e) < 0)
		return -1;
	FAULT(ticket_moved);
	return 0;
}

/* Somebody who only looks at the state holds it for a moment. */
#define LOCK_WAIT_MS 5000

/* 0 also when there was nothing to resume: then @report knows of 0 VMs. */
static int resume(struct restore *r, struct restore_report *report, struct err *e)
{
	_cleanup_close_ int lock = -1;
	bool pending;

	if (take_ticket(r, e) < 0) {
		if (e->kind != ERR_ABSENT)
			return err_wrap(e, "ticket");
		err_clear(e);
		report->known = true;
		return 0;
	}
	lock = io_lock_wait(HOLDOVER_RUN_DIR "/lock", LOCK_WAIT_MS, e);
	if (lock < 0 || restore_open(r, e) < 0)
		return -1;
	mark_kernel_start(&r->marks, r->m.tsc_hz);
	if (restore_vms(r, report, e) < 0)
		return -1;
	marks_take(&r->marks, PHASE_AGENT_DONE, PHASE_HOST);
	for (unsigned int i = 0; i < report->vms; i++)
		report_log(&report->vm[i]);
	FAULT(agent_resumed);
	if (report_write(report, r, e) < 0 || restore_pending(r, &pending, e) < 0)
		return -1;
	FAULT(agent_reported);
	/* The other copy lies on the real root, which may still be read-only:
	 * holdover-resume.service removes it. */
	return pending ? 0 : ticket_shred(HOLDOVER_RUN_DIR "/ticket", e);
}

/* Static, for on_deadline() to read. */
static struct restore_report report;
static int64_t started;

static int run(const char *sysroot, const struct params *params)
{
	struct restore r _cleanup_(restore_close);
	char marker[REPORT_MARKER_SIZE];
	struct err e = { 0 };

	restore_init(&r, RESTORE_AGENT);
	r.root = sysroot;
	r.deadline = started + params->timeout_ms;
	marks_take(&r.marks, PHASE_AGENT_START, PHASE_HOST);
	if (resume(&r, &report, &e) < 0)
		log_err("%s; what was sealed is kept, see 'holdover status'", e.msg);
	report_marker(marker, &report, io_now_ms() - started, NULL);
	log_always(LOG_LEVEL_INFO, "%s", marker);
	return e.kind || report.failed ? 1 : 0;
}

/* The last resort against a hang that no deadline inside covers, such as a
 * device that never appears: the boot goes on, and what was not released
 * stays as it was. */
static void on_deadline(int sig)
{
	static const char prefix[] = "<3>holdover: ";
	static char text[sizeof(prefix) + REPORT_MARKER_SIZE];
	size_t n = sizeof(prefix) - 1;

	(void)sig;
	memcpy(text, prefix, n);
	n += report_marker(text + n, &report, io_now_ms() - started,
			   "rd.holdover.timeout passed; see 'holdover status'");
	text[n++] = '\n';
	log_raw(text, n);
	_exit(1);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "sysroot", required_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *sysroot = "/sysroot";
	struct params params;
	char complaint[512];
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			sysroot = optarg;
			break;
		case 'V':
			printf("holdover-agent %s\n", holdover_version);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	started = io_now_ms();
	log_to_kmsg();
	params_load(&params, complaint, sizeof(complaint));
	log_set_level(params.log_level);
	if (*complaint)
		log_warn("kernel parameters not understood: %s", complaint);
	if (!params.enabled) {
		log_always(LOG_LEVEL_INFO,
			   "DONE vms=0 running=0 failed=0 kept=0 ms=0 (rd.holdover=0)");
		return 0;
	}
	signal(SIGALRM, on_deadline);
	alarm((unsigned int)params.timeout_ms / 1000 + DEADLINE_GRACE_S);
	return run(sysroot, &params);
}
