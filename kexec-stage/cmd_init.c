/* SPDX-License-Identifier: GPL-2.0-only */
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "host.h"
#include "out.h"
#include "qemu.h"
#include "runstate.h"

#define LEDGER_UNIT (2ULL << 20)

struct opts {
	bool have_region;
	struct pmem_range region;
	uint64_t ledger_size;
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

/* An existing ledger is kept: its uuid may be in a ticket on its way, and its
 * records say which VMs must not be resumed again. */
static int keep_existing(struct host *h, const struct opts *o, uint64_t size, bool *kept,
			 struct err *e)
{
	struct err why = { 0 };

	*kept = false;
	if (pmem_open_ledger(&h->dev, &h->map, &h->ledger, &why) == 0) {
		if (o->force) {
			pmem_map_close(&h->map);
			return 0;
		}
		if (o->ledger_size && o->ledger_size != h->ledger.geo.ledger_size)
			return err_set(e, ERR_REFUSED,
				       "%s holds a ledger of %" PRIu64 " bytes; with the VMs stopped, "
				       "--force writes a new one of another size over it",
				       h->dev.path, h->ledger.geo.ledger_size);
		*kept = true;
		return 0;
	}
	if (o->force)
		return 0;
	if (why.kind != ERR_ABSENT)
		return err_set(e, why.kind,
			       "%s holds a ledger that cannot be opened (%.700s); --force writes a new "
			       "one over it",
			       h->dev.path, why.msg);
	return pmem_check_blank(&h->dev, size, e);
}

static int write_ledger(struct host *h, uint64_t size, struct err *e)
{
	struct pmem_device *dev = &h->dev;
	uint8_t info[4096];
	struct ledger_geometry geo;

	if (size % dev->align || size + dev->align > dev->size)
		return err_set(e, ERR_USAGE,
			       "a ledger of %" PRIu64 " bytes does not fit %s (%" PRIu64
			       " bytes, align %" PRIu64 "); change ledger-size",
			       size, dev->path, dev->size, dev->align);
	/* Renews dev->path: taking the namespace down renumbers devices. */
	if (pmem_info_block(dev, info, e) < 0)
		return -1;
	geo = (struct ledger_geometry){
		.region_start = dev->region_start,
		.region_size = dev->region_size,
		.dataoff = dev->dataoff,
		.align = dev->align,
		.page_struct_size = dev->page_struct_size,
		.device_size = dev->size,
		.ledger_offset = dev->size - size,
		.ledger_size = size,
	};
	memcpy(geo.namespace_uuid, dev->namespace_uuid, 16);
	if (pmem_map_ledger(dev->path, dev->size, size, &h->map, e) < 0 ||
	    ledger_format(&h->map.media, &geo, info, e) < 0 ||
	    ledger_open(&h->ledger, &h->map.media, e) < 0)
		return -1;
	return 0;
}

/* What is sealed may lie where this kernel sees an empty region, if it was
 * started with another memmap=. */
static int check_sealed(const struct opts *o, struct err *e)
{
	char size[32], start[32];
	struct pmem_range sealed;
	int rc = o->force ? 0 : host_sealed_region(&sealed, e);

	if (rc <= 0)
		return rc;
	io_format_size(sealed.size, size, sizeof(size));
	io_format_size(sealed.start, start, sizeof(start));
	return err_set(e, ERR_REFUSED,
		       "VMs are sealed on memmap=%s!%s; a kernel with that parameter resumes them "
		       "('holdover resume'), --force gives them up",
		       size, start);
}

/* A new ledger: no ticket of an older one is good for anything. */
static int begin_anew(struct host *h, const struct opts *o, uint64_t size, struct err *e)
{
	if (write_ledger(h, size, e) < 0)
		return -1;
	if (o->force &&
	    (ticket_shred(HOLDOVER_TICKET_COPY, e) < 0 ||
	     ticket_shred(HOLDOVER_RUN_DIR "/ticket", e) < 0))
		return -1;
	return 0;
}

static int prepare(struct host *h, const struct opts *o, bool *kept, struct err *e)
{
	struct pmem_range region = o->region;
	uint64_t size = o->ledger_size ? o->ledger_size : h->cfg.ledger_size;

	if (!o->have_region && host_region(&h->cfg, &region, e) < 0)
		return -1;
	if (check_unused(e) < 0 || pmem_load_modules(e) < 0)
		return -1;
	*kept = false;
	if ((o->force ? pmem_find(region.start, region.size, NULL, &h->dev, e) :
			host_find_device(h, &region, e)) == 0) {
		if (keep_existing(h, o, size, kept, e) < 0)
			return -1;
		if (*kept)
			return 0;
		return check_sealed(o, e) < 0 ? -1 : begin_anew(h, o, size, e);
	}
	if (e->kind != ERR_ABSENT && !(e->kind == ERR_REFUSED && o->force))
		return -1;
	err_clear(e);
	if (check_sealed(o, e) < 0 || pmem_create(region.start, region.size, o->force, &h->dev, e) < 0)
		return -1;
	return begin_anew(h, o, size, e);
}

static void print_text(const struct host *h, bool kept)
{
	char size[32], ledger[32];

	io_format_size(h->dev.size, size, sizeof(size));
	io_format_size(h->ledger.geo.ledger_size, ledger, sizeof(ledger));
	printf("%s: %s of guest RAM and ledger, the last %s are the ledger%s\n", h->dev.path, size,
	       ledger, kept ? " (was there already, kept)" : "");
}

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		{ "memmap", required_argument, NULL, 'm' },
		{ "ledger-size", required_argument, NULL, 'l' },
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
	return 0;
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct opts o = { 0 };
	struct err e = { 0 };
	bool kept;

	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_init, "%s", e.msg);
	if (host_open(&h, app, HOST_LOCK, &e) < 0 || prepare(&h, &o, &kept, &e) < 0)
		return cmd_fail(&e);
	if (app->json)
		return out_geometry(&h);
	print_text(&h, kept);
	return EXIT_DONE;
}

const struct cmd cmd_init = {
	.name = "init",
	.args = "[--memmap SIZE!START] [--ledger-size SIZE] [--force]",
	.summary = "prepare the pmem region: a devdax namespace with a ledger at its end",
	.help = "Creates the devdax namespace on the memmap= region if there is none, and writes the\n"
		"ledger. A namespace or ledger that is already there is kept; running it twice does\n"
		"no harm. A namespace that holds something else is refused.\n\n"
		"  --memmap SIZE!START  which region, as in the kernel parameter; default: [region]\n"
		"                       memmap of holdover.conf, or the only one\n"
		"  --ledger-size SIZE   a multiple of 2M (default 32M)\n"
		"  --force              format also over a ledger, a file system or other data\n",
	.run = run,
};
