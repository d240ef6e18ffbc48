/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <sys/stat.h>

#include "arm.h"
#include "bounded.h"
#include "fault.h"
#include "flush.h"
#include "interrupt.h"
#include "kexec.h"
#include "preflight.h"
#include "unit.h"

/* The root, file systems with images on them, and those that RAM is on. */
#define VITAL_MAX (65 + LEDGER_REGIONS)

/* How far to go. */
enum way { WAY_TARGET, WAY_NOW, WAY_LAST };

struct opts {
	struct target_opts target;
	enum way way;
};

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		TARGET_OPTIONS,
		{ "now", no_argument, NULL, 'n' },
		{ "last", no_argument, NULL, 'l' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return err_set(e, ERR_USAGE, "unknown option, or its value is missing: %s",
				       argv[optind - 1]);
		if (c == 'n' || c == 'l')
			o->way = c == 'n' ? WAY_NOW : WAY_LAST;
		else
			target_parse_option(&o->target, c, optarg);
	}
	if (optind < argc)
		return err_set(e, ERR_USAGE, "'%.40s' is one argument too many", argv[optind]);
	return 0;
}

static int run_preflight(struct stage *s, const struct target *t, enum way way, struct err *e)
{
	_cleanup_free_ struct preflight *p = calloc(1, sizeof(*p));

	if (!p)
		return err_sys(e, ENOMEM, "checks");
	if (way != WAY_LAST)
		preflight_target(p, t);
	if (way == WAY_TARGET)
		preflight_kexec_target(p, FINDING_FAIL);
	preflight_vms(p, s);
	if (way != WAY_LAST)
		preflight_rehearse(p, s);
	for (unsigned int i = 0; i < p->n; i++)
		if (p->item[i].level == FINDING_WARN)
			cmd_say("  note: %s: %s", p->item[i].what, p->item[i].text);
	return preflight_error(p, e);
}

struct vital {
	const struct stage *s;
	dev_t fs[VITAL_MAX];
	unsigned int n;
};

static void add_vital(struct vital *v, const char *path)
{
	struct stat st;
	bool known = v->n == VITAL_MAX || stat(path, &st) < 0;

	for (unsigned int m = 0; !known && m < v->n; m++)
		known = v->fs[m] == st.st_dev;
	if (!known)
		v->fs[v->n++] = st.st_dev;
}

/* What must be clean on disk before the jump: the root file system, those of
 * the VMs' images, and those of ledger and RAM. */
static int find_vital(void *data, struct err *e)
{
	struct vital *v = data;
	const struct host *h = v->s->h;

	(void)e;
	add_vital(v, "/");
	for (unsigned int i = 0; i < LEDGER_REGIONS; i++) {
		const struct store *store = i ? &h->region[i].store : &h->store;

		if (store->fs.type != DAXFS_NONE)
			add_vital(v, store->fs.dir);
	}
	for (unsigned int i = 0; i < v->s->n; i++)
		for (unsigned int k = 0; k < v->s->vm[i].ndisks; k++)
			add_vital(v, v->s->vm[i].disks[k].path);
	return 0;
}

/* From here to the jump nothing may print: a frozen file system behind stdout
 * would stop this process with the VMs paused. */
static int jump(struct stage *s, const struct vital *vital, struct err *e)
{
	struct kexec_frozen frozen = { .n = 0 };
	bool in_file = s->h->ledger.geo.in_file;

	/* On a file system that is frozen even a store to mapped memory waits
	 * for the thaw: a ledger there gets its last mark before. */
	if (in_file)
		marks_take(&s->marks, PHASE_JUMP, PHASE_HOST);
	if (kexec_freeze(&frozen, s->h->cfg.flush_timeout_ms, vital->fs, vital->n, e) == 0) {
		FAULT(frozen);
		/* Freezing takes its time: the last look comes after it. */
		if (stage_listen(s, e) == 0 && interrupt_check(e) == 0) {
			if (!in_file)
				marks_take(&s->marks, PHASE_JUMP, PHASE_HOST);
			kexec_jump(e);
			FAULT(jump_failed);
		}
	}
	kexec_thaw(&frozen);
	return -1;
}

/* What cannot be flushed must not keep the jump: it would be lost in any end of
 * this host. */
static int flush(const struct stage *s, struct err *e)
{
	char where[512];

	cmd_say("flushing disks");
	if (flush_disks(s->h->cfg.flush_timeout_ms))
		return interrupt_check(e);
	if (interrupt_check(e) < 0)
		return -1;
	flush_late(where, sizeof(where));
	cmd_say("  note: not everything was flushed within %d s%s%s; going on",
		s->h->cfg.flush_timeout_ms / 1000, *where ? ": what is on " : "", where);
	return 0;
}

static int save_and_jump(struct stage *s, struct err *e)
{
	struct vital vital = { .s = s };

	/* The rate is the better the longer it was measured. */
	s->marks.tsc_hz = marks_rate_hz(&s->rate);
	marks_take(&s->marks, PHASE_IMAGE_LOADED, PHASE_HOST);
	if (flush(s, e) < 0)
		return -1;
	/* While the VMs run: a dead file server may keep even this. */
	if (bounded(find_vital, &vital, sizeof(vital), s->h->cfg.flush_timeout_ms, e) < 0)
		return err_wrap(e, "file systems of the VMs' disks");
	cmd_say("pausing and saving %u VM%s", s->n, s->n == 1 ? "" : "s");
	if (stage_save_all(s, e) < 0 || stage_seal(s, e) < 0 || stage_recheck(s, e) < 0 ||
	    FAULT_FAILS(sealed_and_checked, e) || interrupt_check(e) < 0)
		return -1;
	return jump(s, &vital, e);
}

static int check(struct stage *s, const struct target *t, enum way way, struct err *e)
{
	cmd_say("checking %u VM%s and the next kernel", s->n, s->n == 1 ? "" : "s");
	return run_preflight(s, t, way, e);
}

static int jump_now(struct stage *s, const struct target *t, struct err *e)
{
	if (check(s, t, WAY_NOW, e) < 0 || stage_make_ticket(s, e) < 0)
		return -1;
	marks_attach(&s->marks, &s->h->ledger, s->ticket.generation, marks_rate_hz(&s->rate));
	cmd_say("loading %s", t->name);
	if (stage_load_kernel(s, t, e) < 0 || interrupt_check(e) < 0)
		return -1;
	return save_and_jump(s, e);
}

/* Run by holdover-kexec.service when everything else has ended. */
static int jump_last(struct stage *s, struct err *e)
{
	if (arm_take(s, e) < 0)
		return -1;
	marks_attach(&s->marks, &s->h->ledger, s->ticket.generation, marks_rate_hz(&s->rate));
	/* Once more: disks may have been plugged since. The rehearsal was done. */
	if (run_preflight(s, NULL, WAY_LAST, e) < 0)
		return -1;
	return save_and_jump(s, e);
}

/* The jump is for later: the VMs run on, and so does this host for a moment. */
static int start_target(struct stage *s, const struct target *t, struct err *e)
{
	struct err undo = { 0 };

	if (check(s, t, WAY_TARGET, e) < 0)
		return -1;
	cmd_say("loading %s", t->name);
	if (arm_jump(s, t, e) == 0 && interrupt_check(e) == 0) {
		cmd_say("starting kexec.target: services end in order, the VMs jump last");
		if (unit_start("kexec.target", "replace-irreversibly", e) == 0)
			return 0;
	}
	if (arm_disarm(s, &undo) < 0)
		cmd_say("holdover: %s", undo.msg);
	return -1;
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct target t _cleanup_target_ = TARGET_INIT;
	struct stage s _cleanup_(stage_close);
	struct err e = { 0 };
	struct opts o = { 0 };

	stage_init(&s, &h);
	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_kexec, "%s", e.msg);
	if (host_open(&h, app, HOST_LOCK | HOST_LEDGER | (o.way == WAY_LAST ? HOST_WAIT : 0), &e) < 0 ||
	    (o.way != WAY_LAST && target_resolve(&h.cfg, &o.target, &t, &e) < 0))
		return cmd_fail(&e);
	if (stage_collect(&s, &e) < 0) {
		/* All of them have ended since: systemd jumps by itself. */
		if (o.way == WAY_LAST && e.kind == ERR_ABSENT)
			return ticket_shred(HOLDOVER_ARMED, &e) < 0 ? cmd_fail(&e) : EXIT_DONE;
		cmd_fail(&e);
		return e.kind == ERR_ABSENT ? EXIT_NOTHING : EXIT_FAILED;
	}
	marks_take(&s.marks, PHASE_STAGE_START, PHASE_HOST);
	interrupt_hold(NULL);
	if (o.way == WAY_TARGET) {
		if (start_target(&s, &t, &e) == 0)
			return EXIT_DONE;
		cmd_say("holdover: not started, every VM runs on: %s", e.msg);
		return EXIT_FAILED;
	}
	if ((o.way == WAY_LAST ? jump_last(&s, &e) : jump_now(&s, &t, &e)) == 0)
		return EXIT_DONE;
	if (stage_abort(&s) < 0)
		cmd_say("holdover: not jumped: %s", e.msg);
	else
		cmd_say("holdover: not jumped, every VM runs on: %s", e.msg);
	return EXIT_FAILED;
}

const struct cmd cmd_kexec = {
	.name = "kexec",
	.args = "[--now] [--kernel FILE] [--initrd FILE] [--append TEXT | --cmdline TEXT]",
	.summary = "jump into another kernel with all VMs",
	.help = "Checks everything while the VMs run, loads the kernel, and starts kexec.target: services\n"
		"end in order while the VMs run on. The last step of all pauses and saves the VMs, seals\n"
		"the ledger and jumps. If anything fails before the jump, the seal is undone, the kernel\n"
		"unloaded, every VM runs on, and the host's services are started again.\n\n"
		"  --now           pause, save, seal and jump at once; services are not stopped, file\n"
		"                  systems are flushed and frozen\n"
		"  --last          the last step, for holdover-kexec.service\n" TARGET_HELP,
	.run = run,
};
