/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pass, from top to bottom: the ticket is moved to /run, ledger and manifest
 * are read, the process enters the root in which QEMUs are executed, and the
 * engine does what is due. At the placement initramfs the wait for disks comes
 * in between, in which the next pass may have the lock.
 */
#include "pass.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "disk_wait.h"
#include "early_root.h"
#include "fault.h"
#include "io.h"
#include "log.h"
#include "qemu.h"
#include "report.h"
#include "sysroot.h"
#include "unit.h"

#define TICKET_IN_INITRAMFS "/holdover.ticket"
#define TICKET_IN_RUN HOLDOVER_RUN_DIR "/ticket"
#define EARLY_ROOT HOLDOVER_RUN_DIR "/initramfs"
/* That a pass has begun. */
#define BEGUN_EARLY HOLDOVER_RUN_DIR "/pass.initramfs"
#define BEGUN_CLOCK HOLDOVER_RUN_DIR "/pass.clock"
#define BEGUN_SYSROOT HOLDOVER_RUN_DIR "/pass.sysroot"

/* The engine's own deadlines come first. */
#define DEADLINE_GRACE_S 5
/* Somebody who only looks at the state holds it for a moment. */
#define LOCK_WAIT_MS 5000
/* Of the time of the first pass a quarter is QEMU's: a disk that comes later would
 * only cost an attempt. */
#define LOAD_SHARE 4

/* Static, for on_deadline() to read. */
static struct restore_report report;
static const struct pass *current;

static const char *marker_word(const struct pass *p)
{
	return p->who == RESTORE_EARLY ? "EARLY" : "DONE";
}

static int timeout_ms(const struct pass *p)
{
	return p->who == RESTORE_EARLY ? p->params->early_timeout_ms : p->params->timeout_ms;
}

/* The other pass ends within its own deadline. */
static int lock_wait_ms(const struct pass *p)
{
	return LOCK_WAIT_MS + (p->who == RESTORE_EARLY ? 0 : p->params->early_timeout_ms);
}

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

/* By whichever pass is the first. Whatever comes of it, the VMs are resumed. */
static void set_clock(const struct manifest *m)
{
	struct err e = { 0 };
	int64_t by_ns;

	if (!m->set_clock || access(BEGUN_CLOCK, F_OK) == 0)
		return;
	if (clock_set(&m->clock, m->tsc_hz, &by_ns, &e) < 0)
		log_notice("the host's clock stays as the RTC has it: %s", e.msg);
	else
		log_notice("the host's clock was moved by %lld ms, as the time stamp counter says",
			   (long long)(by_ns / 1000000));
	err_clear(&e);
	if (io_write_file(BEGUN_CLOCK, "", 0, 0600, &e) < 0)
		log_warn("%s", e.msg);
}

static int touch(const char *path, struct err *e)
{
	return io_write_file(path, "", 0, 0600, e);
}

/* The ticket leaves the initramfs, whose files anybody in it may read, for
 * /run, where the next placement finds it. */
static int take_ticket(const struct pass *p, struct restore *r, struct err *e)
{
	const char *begun = p->who == RESTORE_EARLY ? BEGUN_EARLY : BEGUN_SYSROOT;
	bool first = access(BEGUN_SYSROOT, F_OK) < 0;

	if (ticket_load(TICKET_IN_INITRAMFS, &r->ticket, e) < 0) {
		/* One that the pass before has moved is taken up; one that an
		 * attempt at this pass has left is holdover-resume.service's. */
		if (e->kind != ERR_ABSENT || p->who == RESTORE_EARLY || !first ||
		    access(BEGUN_EARLY, F_OK) < 0)
			return -1;
		err_clear(e);
		return ticket_load(TICKET_IN_RUN, &r->ticket, e) < 0 ? -1 : touch(begun, e);
	}
	if (io_mkdir_p(HOLDOVER_RUN_DIR, 0700, e) < 0 || touch(begun, e) < 0 ||
	    ticket_save(TICKET_IN_RUN, &r->ticket, e) < 0)
		return -1;
	FAULT(ticket_taken);
	if (ticket_shred(TICKET_IN_INITRAMFS, e) < 0)
		return -1;
	FAULT(ticket_moved);
	return 0;
}

static bool any_due(const struct restore *r)
{
	for (unsigned int i = 0; i < r->m.nvms; i++)
		if (decide_due(r->m.vms[i].vm.placement, r->who))
			return true;
	return false;
}

/* Into the root of the QEMUs: from then on nothing that this process opens by
 * path depends on the initramfs, which switch-root empties. A root that does
 * not serve is the engine's to report, for each VM. */
static void enter_root(const struct pass *p, struct restore *r)
{
	const char *root = p->who == RESTORE_EARLY ? EARLY_ROOT : p->root;
	struct err e = { 0 };
	int r_w;

	if (p->who == RESTORE_EARLY) {
		if (early_root_make(EARLY_ROOT_TREE, root, &e) < 0 || sysroot_enter(root, &e) < 0) {
			r->root_tried = true;
			r->root_err = e;
			r->root = root;
		}
		return;
	}
	r->root = root;
	if (sysroot_prepare(root, &e) < 0)
		return;
	r_w = p->params->remount_rw ? sysroot_remount_rw(root, &e) : 0;
	if (r_w < 0)
		log_warn("%s; VMs with disks on it are left to the late placement", e.msg);
	if (r_w > 0)
		log_notice("%s is mounted read-write now (rd.holdover.remount-rw)", root);
	err_clear(&e);
	if (sysroot_enter(root, &e) < 0)
		log_warn("%s", e.msg);
	else
		r->root = NULL;
}

/* Of VMs that wait for a disk at the first placement only @last tells more. */
static void say(const struct restore *r, bool last)
{
	for (unsigned int i = 0; i < report.vms; i++) {
		bool waits = r->who == RESTORE_EARLY && report.vm[i].disk_missing;

		if (waits == last)
			report_log(&report.vm[i]);
	}
}

static int finish(struct restore *r, struct err *e)
{
	bool pending;

	say(r, false);
	report_journal(&report);
	FAULT(agent_resumed);
	if (report_write(&report, r, e) < 0 || restore_pending(r, &pending, e) < 0)
		return -1;
	if (report.running && !unit_manager_present() && touch(PASS_ADOPT, e) < 0)
		return -1;
	FAULT(agent_reported);
	/* The next pass counts all VMs, so it needs the manifest. The other
	 * copy lies on the real root, which may still be read-only:
	 * holdover-resume.service removes it. */
	return pending || r->who == RESTORE_EARLY ? 0 : ticket_shred(TICKET_IN_RUN, e);
}

/* The lock may have come when the boot had long gone on. */
static int follow_root(const struct pass *p, int root, bool *switched, struct err *e)
{
	int r = p->who == RESTORE_EARLY ? 0 : sysroot_follow(root, e);

	*switched = r > 0;
	if (r > 0)
		log_notice("the host has gone on to its root meanwhile; so does this");
	return r < 0 ? -1 : 0;
}

/* One look at every VM, under the lock. */
static int look(const struct pass *p, struct restore *r, struct err *e)
{
	_cleanup_close_ int root = p->who == RESTORE_EARLY ? -1 : sysroot_hold(p->root);
	_cleanup_close_ int lock = io_lock_wait(HOLDOVER_RUN_DIR "/lock", lock_wait_ms(p), e);
	bool switched;

	if (lock < 0 || follow_root(p, root, &switched, e) < 0)
		return -1;
	if (!r->ledger.media.base) {
		r->deadline = io_now_ms() + timeout_ms(p);
		if (restore_open(r, e) < 0)
			return -1;
		mark_kernel_start(&r->marks, r->m.tsc_hz);
		set_clock(&r->m);
		if (p->who == RESTORE_EARLY && !any_due(r)) {
			report.known = true;
			return 0;
		}
		if (!switched)
			enter_root(p, r);
	}
	if (restore_vms(r, &report, e) < 0)
		return -1;
	marks_take(&r->marks, PHASE_AGENT_DONE, PHASE_HOST);
	return finish(r, e);
}

/* 0 also when there was nothing to resume: then @report knows of 0 VMs. */
static int resume(const struct pass *p, struct restore *r, struct err *e)
{
	int again;

	if (take_ticket(p, r, e) < 0) {
		if (e->kind != ERR_ABSENT)
			return err_wrap(e, "ticket");
		err_clear(e);
		report.known = true;
		return 0;
	}
	do {
		if (look(p, r, e) < 0)
			return -1;
		again = p->who == RESTORE_EARLY ?
			disk_wait(r, &report, r->deadline - timeout_ms(p) / LOAD_SHARE,
				  BEGUN_SYSROOT, e) :
			0;
	} while (again > 0);
	say(r, true);
	return again;
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
	n += report_marker(text + n, marker_word(current), &report, io_now_ms() - current->started,
			   "rd.holdover.timeout passed; see 'holdover status'");
	text[n++] = '\n';
	log_raw(text, n);
	_exit(1);
}

int pass_run(void *pass)
{
	struct restore r _cleanup_(restore_close);
	const struct pass *p = pass;
	char marker[REPORT_MARKER_SIZE];
	struct err e = { 0 };

	current = p;
	signal(SIGALRM, on_deadline);
	alarm((unsigned int)(timeout_ms(p) + lock_wait_ms(p)) / 1000 + DEADLINE_GRACE_S);
	restore_init(&r, p->who);
	marks_take(&r.marks, PHASE_AGENT_START, PHASE_HOST);
	if (resume(p, &r, &e) < 0)
		log_err("%s; what was sealed is kept, see 'holdover status'", e.msg);
	report_marker(marker, marker_word(p), &report, io_now_ms() - p->started, NULL);
	log_always(LOG_LEVEL_INFO, "%s", marker);
	return e.kind || report.failed ? 1 : 0;
}
