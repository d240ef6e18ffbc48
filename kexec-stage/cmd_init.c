/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "out.h"
#include "prepare.h"
#include "qemu.h"
#include "runstate.h"

#define LEDGER_UNIT (2ULL << 20)

struct opts {
	bool have_region;
	struct pmem_range region;
	uint64_t ledger_size;
	enum daxfs_type fs;
	uint64_t align;
	bool add;
	bool force;
};

/* Nobody may be using what is about to be formatted. */
static int check_unused(struct err *e)
{
	char names[VM_MAX][VM_NAME_MAX + 1];
	int n = runstate_names(names, e);

	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		int alive = runstate_alive(names[i], NULL, e);

		if (alive < 0)
			return -1;
		if (alive)
			return err_set(e, ERR_REFUSED,
				       "VM %s is running on this host; stop it before the region is "
				       "prepared anew",
				       names[i]);
	}
	return 0;
}

static int find_region(const struct host *h, const struct opts *o, struct pmem_range *out,
		       struct err *e)
{
	if (!o->have_region)
		return host_region(&h->cfg, out, e);
	*out = o->region;
	return 0;
}

static int prepare_own(struct host *h, const struct opts *o, bool *kept, struct err *e)
{
	struct prepare p = {
		.fs = o->fs,
		.align = o->align,
		.ledger_size = o->ledger_size,
		.default_size = h->cfg.ledger_size,
		.force = o->force,
	};

	if (find_region(h, o, &p.region, e) < 0 || check_unused(e) < 0 || pmem_load_modules(e) < 0)
		return -1;
	if (prepare_region(&p, &h->store, &h->map, &h->ledger, kept, e) < 0)
		return -1;
	/* No ticket of an older ledger is good for anything. */
	if (!*kept && o->force &&
	    (ticket_shred(HOLDOVER_TICKET_COPY, e) < 0 ||
	     ticket_shred(HOLDOVER_RUN_DIR "/ticket", e) < 0))
		return -1;
	return 0;
}

static int refuse_needed(struct host *h, const struct extent_table *t, const struct extent *x,
			 bool there, struct err *e)
{
	int alive = runstate_alive(x->name, NULL, e), index = extent_find(t, x->name);
	struct vm_record rec;

	if (alive < 0 || index < 0 ||
	    record_read(&h->ledger, (unsigned int)index, x->name, &rec, e) < 0)
		return -1;
	if (!alive && !host_pending(rec.state))
		return 0;
	if (there)
		return err_set(e, ERR_REFUSED, "the region holds the RAM of VM %s, which %s",
			       x->name, alive ? "runs" : "waits to be resumed");
	return err_set(e, ERR_REFUSED,
		       "region %u, which holds RAM of VM %s, cannot be told from this one; 'holdover "
		       "resume %s' or 'holdover discard %s' comes first",
		       x->region, x->name, x->name, x->name);
}

/* No VM may have its RAM in a region that is prepared anew. @number -1: which
 * one it is cannot be told, so it may be any that is not there, or if @unclear
 * any at all. */
static int check_empty(struct host *h, const struct extent_table *t, int number, bool unclear,
		       struct err *e)
{
	for (unsigned int i = 0; i < VM_MAX; i++) {
		const struct extent *x = &t->slot[i];
		bool this = number > 0 ? x->region == (unsigned int)number :
					 x->region && (unclear || !h->region[x->region].tried);

		if (*x->name && this && refuse_needed(h, t, x, number > 0, e) < 0)
			return -1;
	}
	return 0;
}

/* Not that of a region which is not there now, but may come back. */
static int free_number(const struct host *h, const struct extent_table *t, struct err *e)
{
	bool taken[LEDGER_REGIONS] = { true };

	for (unsigned int i = 0; i < VM_MAX; i++)
		taken[t->slot[i].region] = true;
	for (unsigned int i = 1; i < LEDGER_REGIONS; i++)
		if (!taken[i] && !h->region[i].tried)
			return (int)i;
	return err_set(e, ERR_REFUSED, "a ledger has at most %d regions", LEDGER_REGIONS);
}

static int prepare_another(struct host *h, const struct opts *o, struct region *r, bool *kept,
			   struct err *e)
{
	struct prepare p = { .region = o->region,
			     .fs = o->fs,
			     .align = o->align,
			     .default_size = LEDGER_UNIT,
			     .force = o->force };
	_cleanup_free_ struct extent_table *t = malloc(sizeof(*t));
	struct err absent = { 0 };
	int number;

	if (!t)
		return err_sys(e, ENOMEM, "extents");
	if (host_open_ledger(h, e) < 0 || ledger_extents_read(&h->ledger, t, e) < 0)
		return -1;
	number = host_region_number(h, p.region.start, p.region.size, &absent);
	if (number == 0)
		return err_set(e, ERR_REFUSED, "the ledger itself is in this region");
	if ((o->force && check_empty(h, t, number, absent.kind != ERR_ABSENT, e) < 0) ||
	    (number < 0 && (number = free_number(h, t, e)) < 0))
		return -1;
	region_close(&h->region[number]);
	p.number = (unsigned int)number;
	memcpy(p.host_uuid, h->ledger.geo.ledger_uuid, 16);
	r->tried = true;
	return prepare_region(&p, &r->store, &r->map, &r->stamp, kept, e);
}

static void print_text(const struct store *s, const struct ledger_geometry *geo, bool kept)
{
	const char *what = geo->region ? "stamp" : "ledger";
	char size[32], ledger[32];

	io_format_size(s->dev.size, size, sizeof(size));
	io_format_size(geo->ledger_size, ledger, sizeof(ledger));
	if (geo->in_file)
		printf("%s: %s on %s (%s), %s of it the %s", s->fs.dir, daxfs_type_name(s->fs.type),
		       s->dev.path, size, ledger, what);
	else
		printf("%s: %s of guest RAM and %s, the last %s are the %s", s->dev.path, size,
		       what, ledger, what);
	if (geo->region)
		printf(", region %u", geo->region);
	puts(kept ? " (was there already, kept)" : "");
}

static int parse_align(const char *value, uint64_t *out, struct err *e)
{
	if (io_parse_size(value, out, e) < 0)
		return -1;
	if (*out != 2ULL << 20 && *out != 1ULL << 30)
		return err_set(e, ERR_USAGE, "--align %.40s is neither 2M nor 1G", value);
	return 0;
}

static int check_opts(const struct opts *o, struct err *e)
{
	if (o->add && !o->have_region)
		return err_set(e, ERR_USAGE, "--add needs --memmap SIZE!START");
	if (o->add && o->ledger_size)
		return err_set(e, ERR_USAGE,
			       "--ledger-size is of the ledger, which --add leaves alone");
	if (o->fs != DAXFS_NONE && o->align > 2ULL << 20)
		return err_set(e, ERR_USAGE,
			       "--align 1G is for devdax: files are mapped by 2M at most");
	return 0;
}

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		{ "memmap", required_argument, NULL, 'm' },
		{ "ledger-size", required_argument, NULL, 'l' },
		{ "fsdax", optional_argument, NULL, 'x' },
		{ "align", required_argument, NULL, 'a' },
		{ "add", no_argument, NULL, 'A' },
		{ "force", no_argument, NULL, 'f' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			if (config_parse_memmap(optarg, &o->region.size, &o->region.start, e) < 0)
				return -1;
			o->have_region = true;
			break;
		case 'l':
			if (io_parse_size(optarg, &o->ledger_size, e) < 0)
				return -1;
			if (!o->ledger_size || o->ledger_size % LEDGER_UNIT)
				return err_set(e, ERR_USAGE,
					       "--ledger-size %.40s is no multiple of 2M", optarg);
			break;
		case 'x':
			if (daxfs_type_parse(optarg ? optarg : "ext4", &o->fs, e) < 0)
				return -1;
			break;
		case 'a':
			if (parse_align(optarg, &o->align, e) < 0)
				return -1;
			break;
		case 'A':
			o->add = true;
			break;
		case 'f':
			o->force = true;
			break;
		default:
			return err_set(e, ERR_USAGE, "unknown option, or its value is missing: %s",
				       argv[optind - 1]);
		}
	}
	if (optind < argc)
		return err_set(e, ERR_USAGE, "'%.40s' is one argument too many", argv[optind]);
	return check_opts(o, e);
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct region another _cleanup_(region_close) = { .map.fd = -1 };
	const struct ledger_geometry *geo;
	const struct store *store;
	struct opts o = { 0 };
	struct err e = { 0 };
	bool kept;

	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_init, "%s", e.msg);
	if (host_open(&h, app, HOST_LOCK, &e) < 0 ||
	    (o.add ? prepare_another(&h, &o, &another, &kept, &e) : prepare_own(&h, &o, &kept, &e)) <
		    0)
		return cmd_fail(&e);
	store = o.add ? &another.store : &h.store;
	geo = o.add ? &another.stamp.geo : &h.ledger.geo;
	if (app->json)
		return out_geometry(store, geo);
	print_text(store, geo, kept);
	return EXIT_DONE;
}

const struct cmd cmd_init = {
	.name = "init",
	.args = "[--memmap SIZE!START] [--fsdax[=ext4|xfs]] [--align 2M|1G] [--ledger-size SIZE] "
		"[--add] [--force]",
	.summary = "prepare the pmem region: a namespace with a ledger",
	.help = "Creates the namespace on the memmap= region if there is none, and writes the ledger:\n"
		"at the end of a devdax device, or with --fsdax into a file system. What is already\n"
		"there is kept; running it twice does no harm. A namespace that holds something else is\n"
		"refused.\n\n"
		"  --memmap SIZE!START  which region, as in the kernel parameter; default: [region]\n"
		"                       memmap of holdover.conf, or the only one\n"
		"  --fsdax[=ext4|xfs]   a file system (default ext4), mounted -o dax under\n"
		"                       " DAXFS_DIR ", one file for each VM's RAM\n"
		"  --align 2M|1G        of a devdax namespace (default 2M)\n"
		"  --ledger-size SIZE   a multiple of 2M (default 32M), rounded up to the alignment\n"
		"  --add                prepare one more region, beside that of the ledger\n"
		"  --force              format also over a ledger, a file system or other data\n",
	.run = run,
};
