/* SPDX-License-Identifier: GPL-2.0-only */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "adopt.h"
#include "log.h"
#include "fault.h"
#include "out.h"
#include "params.h"
#include "policy.h"
#include "qemu.h"
#include "report.h"
#include "restore.h"
#include "runstate.h"

struct opts {
	bool boot;
	bool never_ran;
	const char *name;
};

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		{ "boot", no_argument, NULL, 'b' },
		{ "never-ran", no_argument, NULL, 'n' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return err_set(e, ERR_USAGE, "unknown option %s", argv[optind - 1]);
		o->boot |= c == 'b';
		o->never_ran |= c == 'n';
	}
	if (optind + 1 < argc)
		return err_set(e, ERR_USAGE, "give one VM name, or none for all");
	o->name = argv[optind];
	if (o->never_ran && o->boot)
		return err_set(e, ERR_USAGE, "--never-ran is an operator's word, not the boot's");
	if (o->never_ran && !o->name)
		return err_set(e, ERR_USAGE, "--never-ran needs the name of the one VM it is about");
	return o->name ? vm_name_check(o->name, e) : 0;
}

static int load_ticket(struct restore *r, struct err *e)
{
	if (ticket_load(HOLDOVER_RUN_DIR "/ticket", &r->ticket, e) == 0)
		return 0;
	if (e->kind != ERR_ABSENT)
		return -1;
	err_clear(e);
	r->second_copy = true;
	return ticket_load(HOLDOVER_TICKET_COPY, &r->ticket, e);
}

/* The boot's own attempt has the deadline of its placement, and puts right what
 * an initramfs without systemd could not do. */
static void begin_boot(struct restore *r)
{
	struct params params;
	char complaint[256];

	r->who = RESTORE_LATE;
	log_to_kmsg();
	params_load(&params, complaint, sizeof(complaint));
	log_set_level(params.log_level);
	r->deadline = io_now_ms() + params.late_timeout_ms;
}

static void print_text(const struct restore_report *report)
{
	for (unsigned int i = 0; i < report->vms; i++)
		printf("%s: %s%s%s\n", report->vm[i].name, restore_result_name(report->vm[i].result),
		       *report->vm[i].err.msg ? ": " : "", report->vm[i].err.msg);
}

static bool done_something(const struct restore_report *report)
{
	bool any = false;

	for (unsigned int i = 0; i < report->vms; i++)
		any |= report->vm[i].result != RESTORE_NOT_TRIED;
	return any;
}

static int exit_code(const struct restore_report *report)
{
	unsigned int bad = report->failed + report->kept + report->later;

	if (!bad)
		return done_something(report) ? EXIT_DONE : EXIT_NOTHING;
	return report->running ? EXIT_PARTIAL : EXIT_FAILED;
}

/* The boot may have brought another jump's ticket, which must not stand in the
 * way of the right one. */
static int open_with_ticket(struct restore *r, struct err *e)
{
	struct err why = { 0 };

	if (restore_open(r, e) == 0)
		return 0;
	if (e->kind != ERR_STALE || r->second_copy)
		return -1;
	pmem_map_close(&r->map);
	r->second_copy = true;
	if (ticket_load(HOLDOVER_TICKET_COPY, &r->ticket, &why) < 0)
		return -1;
	err_clear(e);
	return restore_open(r, e);
}

static void adopt(const struct restore_report *report)
{
	for (unsigned int i = 0; i < report->vms; i++) {
		struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
		const char *name = report->vm[i].name;
		struct err e = { 0 };

		if (runstate_alive(name, &rs, &e) > 0 && adopt_vm(name, rs.pid, &e) < 0)
			log_warn("vm %s: %s", name, e.msg);
	}
}

static int resume(const struct app *app, struct host *h, struct restore *r, const struct opts *o,
		  struct restore_report *report, struct err *e)
{
	bool pending;

	if (open_with_ticket(r, e) < 0 || restore_vms(r, report, e) < 0)
		return -1;
	if (o->boot)
		policy_apply(app, h, r, report);
	for (unsigned int i = 0; o->boot && i < report->vms; i++)
		report_log(&report->vm[i]);
	report_journal(report);
	adopt(report);
	/* A run that had nothing to do leaves the agent's report alone. */
	if (done_something(report) && report_write(report, r, e) < 0)
		return -1;
	if (restore_pending(r, &pending, e) < 0)
		return -1;
	if (pending)
		return 0;
	/* Nobody needs the tickets any more; one that is left lying about
	 * could only be misused. */
	if (ticket_shred(HOLDOVER_TICKET_COPY, e) < 0)
		return -1;
	FAULT(ticket_copy_spent);
	return ticket_shred(HOLDOVER_RUN_DIR "/ticket", e);
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct restore r _cleanup_(restore_close);
	_cleanup_free_ struct restore_report *report = calloc(1, sizeof(*report));
	struct opts o = { 0 };
	struct err e = { 0 };

	restore_init(&r, RESTORE_OPERATOR);
	if (!report)
		return EXIT_FAILED;
	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_resume, "%s", e.msg);
	r.only = o.name;
	r.never_ran = o.never_ran;
	if (host_open(&h, app, HOST_LOCK | (o.boot ? HOST_WAIT_AGENT : 0), &e) < 0)
		return cmd_fail(&e);
	if (o.boot) {
		begin_boot(&r);
		adopt_all();
	}
	if (load_ticket(&r, &e) < 0) {
		if (e.kind != ERR_ABSENT)
			return cmd_fail(&e);
		cmd_say("holdover: no ticket, so there is nothing to resume");
		return EXIT_NOTHING;
	}
	if (resume(app, &h, &r, &o, report, &e) < 0)
		return cmd_fail(&e);
	if (app->json) {
		struct buf json _cleanup_buf_ = { 0 };

		if (io_read_file(HOLDOVER_RUN_DIR "/resume.json", 1 << 20, &json, &e) < 0)
			return cmd_fail(&e);
		fputs(json.data, stdout);
	} else {
		print_text(report);
	}
	return exit_code(report);
}

const struct cmd cmd_resume = {
	.name = "resume",
	.args = "[--boot | --never-ran] [NAME]",
	.summary = "resume what a jump has sealed, in the running system",
	.help = "What the agent does in the initramfs, for VMs that could not be resumed there. Without\n"
		"NAME all of them.\n\n"
		"  --boot  as the boot's own attempt (holdover-resume.service): VMs whose resume has\n"
		"          failed before are left alone\n"
		"  --never-ran\n"
		"          resume NAME although it is RELEASED: you know that it has not run since its\n"
		"          state was saved. Its RAM must match the canaries taken then\n",
	.run = run,
};
