/* SPDX-License-Identifier: GPL-2.0-only */
#include <getopt.h>
#include <stdio.h>

#include "out.h"
#include "preflight.h"

struct opts {
	struct target_opts target;
	bool no_rehearsal;
};

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		TARGET_OPTIONS,
		{ "no-rehearsal", no_argument, NULL, 'n' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return err_set(e, ERR_USAGE, "unknown option, or its value is missing: %s",
				       argv[optind - 1]);
		if (c == 'n')
			o->no_rehearsal = true;
		else
			target_parse_option(&o->target, c, optarg);
	}
	if (optind < argc)
		return err_set(e, ERR_USAGE, "'%.40s' is one argument too many", argv[optind]);
	return 0;
}

static void run_checks(struct preflight *p, struct host *h, const struct app *app,
		       const struct opts *o)
{
	struct target t _cleanup_target_ = TARGET_INIT;
	struct stage s _cleanup_(stage_close);
	struct err e = { 0 };

	stage_init(&s, h);
	if (host_open(h, app, HOST_LOCK, &e) < 0) {
		preflight_add(p, FINDING_FAIL, "host", "%s", e.msg);
		return;
	}
	if (target_resolve(&h->cfg, &o->target, &t, &e) < 0)
		preflight_add(p, FINDING_FAIL, "target", "%s", e.msg);
	else
		preflight_target(p, &t);
	preflight_kexec_target(p, FINDING_WARN);
	preflight_replacers(p, "");
	err_clear(&e);
	if (host_open_ledger(h, &e) < 0) {
		preflight_add(p, FINDING_FAIL, "region", "%s", e.msg);
		return;
	}
	preflight_add(p, FINDING_OK, "region", "%s", h->store.dev.path);
	if (stage_collect(&s, &e) < 0) {
		preflight_add(p, e.kind == ERR_ABSENT ? FINDING_WARN : FINDING_FAIL, "VMs", "%s",
			      e.msg);
		return;
	}
	preflight_vms(p, &s);
	preflight_placements(p, t.initrd ? &t : NULL, &s);
	if (!o->no_rehearsal)
		preflight_rehearse(p, &s);
}

static const char *const level_names[] = {
	[FINDING_OK] = "ok",
	[FINDING_WARN] = "warn",
	[FINDING_FAIL] = "FAIL",
};

static int print_json(const struct preflight *p)
{
	yyjson_mut_doc *d = out_begin();
	yyjson_mut_val *root = yyjson_mut_doc_get_root(d), *list;

	yyjson_mut_obj_add_bool(d, root, "ready", !p->failed);
	list = yyjson_mut_obj_add_arr(d, root, "findings");
	for (unsigned int i = 0; i < p->n; i++) {
		yyjson_mut_val *f = yyjson_mut_arr_add_obj(d, list);

		out_str(d, f, "level", level_names[p->item[i].level]);
		out_str(d, f, "what", p->item[i].what);
		out_str(d, f, "text", p->item[i].text);
	}
	return out_end(d);
}

static void print_text(const struct preflight *p)
{
	for (unsigned int i = 0; i < p->n; i++)
		printf("%-4s  %-16s %s\n", level_names[p->item[i].level], p->item[i].what,
		       p->item[i].text);
	if (!p->failed)
		printf("Ready to jump%s.\n", p->warned ? ", with warnings" : "");
	else
		printf("Not ready: %u check%s failed.\n", p->failed, p->failed == 1 ? "" : "s");
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	_cleanup_free_ struct preflight *p = calloc(1, sizeof(*p));
	struct opts o = { 0 };
	struct err e = { 0 };

	if (!p)
		return EXIT_FAILED;
	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_check, "%s", e.msg);
	run_checks(p, &h, app, &o);
	if (!app->json)
		print_text(p);
	else if (print_json(p) != EXIT_DONE)
		return EXIT_FAILED;
	return p->failed ? EXIT_FAILED : EXIT_DONE;
}

const struct cmd cmd_check = {
	.name = "check",
	.args = "[--kernel FILE] [--initrd FILE] [--append TEXT | --cmdline TEXT] [--no-rehearsal]",
	.summary = "would a jump work? tried while the VMs run",
	.help = "Looks at the next kernel, its options, initrd and command line, at the region and\n"
		"ledger and at each VM, then rehearses: every VM is paused, saved and continued, which\n"
		"takes some tens of milliseconds.\n\n" TARGET_HELP
		"  --no-rehearsal  leave that out\n",
	.run = run,
};
