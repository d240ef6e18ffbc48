/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * driver MACHINE RAM QEMU ARGUMENT... - a VM is started, saved, loaded by another
 * QEMU and its clock set, by the code of the two programs; what lies between them,
 * ledger and kexec, is left out. Says each step on stdout and waits for a line
 * before it does the next; ./run is at the other end. Runs as the first process
 * of namespaces of its own, so that its QEMUs end with it.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>

#include "guest_clock.h"
#include "load.h"
#include "marks.h"
#include "qemu.h"
#include "runstate.h"
#include "save.h"

#define NAME "ga"
#define RAM_SIZE (UINT64_C(256) << 20)
#define TIMEOUT_MS 60000
/* As agent/restore.c has it. */
#define GUEST_AGENT_TIMEOUT_MS 2000

struct drive {
	struct manifest_vm mv;
	struct qemu_launch launch;
	struct qemu_proc proc;
	struct qmp qmp;
	struct save save;
	uint64_t running_tsc;
};

static int must(int r, const char *what, const struct err *e)
{
	struct err all = *e;

	if (r >= 0)
		return r;
	qemu_last_words(NAME, &all);
	fprintf(stderr, "driver: %s: %s\n", what, all.msg);
	exit(1);
}

/* The other end is told, and says when to go on. */
static _printf_(1, 2) void tell(const char *fmt, ...)
{
	char line[16];
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		exit(1);
}

static void run_plan(struct plan *p, const char *what)
{
	struct plan *plans[] = { p };

	must(plan_run(plans, 1) ? -1 : 0, what, &p->err);
}

static void start(struct drive *d, bool incoming)
{
	struct err e = { 0 };

	d->launch.incoming = incoming;
	must(qemu_start(&d->launch, &d->proc, &e), "starting QEMU", &e);
	qmp_init(&d->qmp, steal_fd(&d->proc.ctl));
}

static void first_run(struct drive *d)
{
	struct err e = { 0 };

	start(d, false);
	must(qmp_handshake(&d->qmp, TIMEOUT_MS, NULL, &e), "greeting QEMU", &e);
	tell("STARTED\n");
	must(qmp_call(&d->qmp, "cont", -1, TIMEOUT_MS, NULL, &e, NULL), "cont", &e);
	qmp_close(&d->qmp);
	tell("RUNNING\n");
}

static int on_pausing(struct save *s, struct err *e)
{
	return runstate_note_pause(s->vm_name, s->was_running, e);
}

static void on_paused(struct save *s)
{
	struct drive *d = s->ctx;

	d->mv.paused_tsc = marks_now();
}

static void save(struct drive *d, struct manifest *m)
{
	struct plan p = { 0 };
	struct err e = { 0 };

	d->save =
		(struct save){ .vm_name = NAME, .pausing = on_pausing, .paused = on_paused, .ctx = d };
	qmp_init(&d->qmp,
		 must(qmp_connect(HOLDOVER_RUN_DIR "/" NAME "/ctl.sock", &e), "monitor", &e));
	save_plan(&p, &d->save, &d->qmp, d->proc.pidfd, TIMEOUT_MS);
	run_plan(&p, "save");
	d->mv.cpr_reboot = d->save.cpr_reboot;
	d->mv.was_running = d->save.was_running;
	m->clock = clock_now();
	qmp_close(&d->qmp);
	qemu_proc_kill(&d->proc);
}

static int on_connected(struct load *l, struct err *e)
{
	(void)l;
	(void)e;
	tell("LOADING\n");
	return 0;
}

static int on_running(struct load *l, struct err *e)
{
	struct drive *d = l->ctx;

	(void)e;
	d->running_tsc = marks_now();
	return 0;
}

static void load(struct drive *d)
{
	struct load l = {
		.vm_name = NAME,
		.state_fd = d->save.state_fd,
		.cpr_reboot = d->mv.cpr_reboot,
		.run = d->mv.was_running,
		.connected = on_connected,
		.running = on_running,
		.ctx = d,
	};
	struct plan p = { 0 };

	start(d, true);
	load_plan(&p, &l, &d->qmp, d->proc.pidfd, TIMEOUT_MS);
	run_plan(&p, "load");
	load_finish(&l);
	qmp_close(&d->qmp);
}

static void set_clock(struct drive *d, const struct restore *r)
{
	struct guest_clock g = { &d->mv, d->running_tsc };
	struct runstate_lag lag = { 0 };
	struct err e = { 0 };

	guest_clocks_set(r, &g, 1, GUEST_AGENT_TIMEOUT_MS);
	must(runstate_read_lag(NAME, &lag, &e), "the note for status", &e);
	tell("CLOCK set=%d ms=%" PRIu64 " why=%s\n", lag.set, lag.ms, lag.why);
}

int main(int argc, char **argv)
{
	struct drive d = { .proc = QEMU_PROC_INIT, .qmp = { .fd = -1 } };
	struct restore r = { .m = { .vms = &d.mv, .nvms = 1 } };
	struct marks_rate rate;

	if (argc < 4 || mount("holdover-test", "/run", "tmpfs", 0, NULL) < 0) {
		fprintf(stderr, "driver: wants arguments, and a mount namespace\n");
		return 1;
	}
	d.mv.vm = (struct vm){
		.name = NAME,
		.machine = argv[1],
		.qemu = argv[3],
		.memory = RAM_SIZE,
		.memdev = "holdover.ram",
		.args = argv + 4,
		.nargs = (unsigned int)argc - 4,
		.no_pmem = true,
	};
	d.launch.vm = &d.mv.vm;
	d.launch.ram[0].size = RAM_SIZE;
	snprintf(d.launch.ram[0].path, sizeof(d.launch.ram[0].path), "%s", argv[2]);
	marks_rate_start(&rate);
	first_run(&d);
	save(&d, &r.m);
	r.m.tsc_hz = marks_rate_hz(&rate);
	tell("SAVED\n");
	load(&d);
	set_clock(&d, &r);
	qemu_proc_kill(&d.proc);
	save_finish(&d.save);
	return 0;
}
