/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "marks.h"
#include "out.h"
#include "timeline.h"

#define BAR_WIDTH 40

struct opts {
	uint64_t generation;
};

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		{ "generation", required_argument, NULL, 'g' },
		{ 0 },
	};
	char *end;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return err_set(e, ERR_USAGE, "unknown option, or its value is missing: %s",
				       argv[optind - 1]);
		errno = 0;
		o->generation = strtoull(optarg, &end, 10);
		if (errno || end == optarg || *end || !o->generation)
			return err_set(e, ERR_USAGE, "'%.40s' is not the number of a jump", optarg);
	}
	if (optind < argc)
		return err_set(e, ERR_USAGE, "'%.40s' is one argument too many", argv[optind]);
	return 0;
}

static const char *vm_label(const struct extent_table *t, unsigned int vm)
{
	if (vm == PHASE_HOST)
		return "";
	return vm < VM_MAX && *t->slot[vm].name ? t->slot[vm].name : "?";
}

/* A row a mark: when it was, how long since the one before, and a bar that
 * shows where in the whole it lies. */
static void print_text(const struct timeline *t, const struct extent_table *names)
{
	const struct phase_mark *first = &t->mark[0], *last = &t->mark[t->n - 1];
	double whole = marks_ms(first, last, t->tsc_hz);

	printf("jump %" PRIu64 "\n%10s %10s  %-14s %-12s\n", t->generation, "ms", "step", "phase",
	       "vm");
	for (unsigned int i = 0; i < t->n; i++) {
		const struct phase_mark *m = &t->mark[i];
		double at = marks_ms(first, m, t->tsc_hz);
		double before = i ? marks_ms(first, &t->mark[i - 1], t->tsc_hz) : 0;
		int from = whole > 0 ? (int)(before / whole * BAR_WIDTH) : 0;
		int to = whole > 0 ? (int)(at / whole * BAR_WIDTH) : 0;

		printf("%10.1f %10.1f  %-14s %-12s |%*s", at, at - before, phase_name(m->phase),
		       vm_label(names, m->vm), from, "");
		for (int k = from; k < to; k++)
			putchar('=');
		printf("%*s|\n", BAR_WIDTH - (to > from ? to : from), "");
	}
	if (t->blackout_ms >= 0)
		printf("blackout %.0f ms (longest, from pause to running)\n", t->blackout_ms);
	else
		printf("blackout unknown: no VM was both paused and resumed in this jump\n");
}

static int print_json(const struct timeline *t, const struct extent_table *names)
{
	yyjson_mut_doc *d = out_begin();
	yyjson_mut_val *root = yyjson_mut_doc_get_root(d), *list;

	out_u64(d, root, "generation", t->generation);
	out_u64(d, root, "tsc_hz", t->tsc_hz);
	if (t->blackout_ms >= 0)
		yyjson_mut_obj_add_real(d, root, "blackout_ms", t->blackout_ms);
	list = yyjson_mut_obj_add_arr(d, root, "marks");
	for (unsigned int i = 0; i < t->n; i++) {
		yyjson_mut_val *m = yyjson_mut_arr_add_obj(d, list);

		out_str(d, m, "phase", phase_name(t->mark[i].phase));
		out_str(d, m, "vm", vm_label(names, t->mark[i].vm));
		yyjson_mut_obj_add_real(d, m, "ms", marks_ms(&t->mark[0], &t->mark[i], t->tsc_hz));
		out_u64(d, m, "tsc", t->mark[i].tsc);
		out_u64(d, m, "realtime_ns", t->mark[i].realtime_ns);
	}
	return out_end(d);
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	_cleanup_free_ struct extent_table *names = malloc(sizeof(*names));
	_cleanup_free_ struct timeline *t = malloc(sizeof(*t));
	struct opts o = { 0 };
	struct err e = { 0 };

	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_timeline, "%s", e.msg);
	if (!names || !t)
		return EXIT_FAILED;
	if (host_open(&h, app, HOST_LEDGER, &e) < 0 ||
	    (!o.generation && ledger_generation(&h.ledger, &o.generation, &e) < 0) ||
	    ledger_extents_read(&h.ledger, names, &e) < 0)
		return cmd_fail(&e);
	if (timeline_read(&h.ledger, o.generation, t, &e) < 0) {
		cmd_fail(&e);
		return e.kind == ERR_ABSENT ? EXIT_NOTHING : EXIT_FAILED;
	}
	if (app->json)
		return print_json(t, names);
	print_text(t, names);
	return EXIT_DONE;
}

const struct cmd cmd_timeline = {
	.name = "timeline",
	.args = "[--generation N]",
	.summary = "where the time of a jump went, from pause to running",
	.help = "The phases of the last jump (or of jump N), measured with the time stamp counter, which\n"
		"a kexec does not stop.\n",
	.run = run,
};
