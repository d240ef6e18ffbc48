/* SPDX-License-Identifier: GPL-2.0-only */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "out.h"

struct view {
	struct extent_table extents;
	struct vm_record rec[VM_MAX];
	struct err rec_err[VM_MAX];
	struct buf manifest;
	uint64_t generation;
	bool verified;
	struct err manifest_err;
};

static void view_free(struct view **v)
{
	if (*v)
		buf_free(&(*v)->manifest);
	free(*v);
}

/* The manifest's MAC can be checked only while a ticket is at hand. */
static void read_manifest(const struct host *h, struct view *v)
{
	static const char *const tickets[] = { "/run/holdover/ticket", HOLDOVER_TICKET_COPY };
	struct ticket t _cleanup_ticket_ = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(tickets); i++) {
		struct err ignored = { 0 };

		if (ticket_load(tickets[i], &t, &ignored) < 0)
			continue;
		if (ledger_manifest_read(&h->ledger, t.key, &v->manifest, &v->generation, NULL,
					 &ignored) < 0)
			continue;
		v->verified = true;
		return;
	}
	if (ledger_manifest_read(&h->ledger, NULL, &v->manifest, &v->generation, NULL,
				 &v->manifest_err) < 0)
		return;
}

static int collect(struct host *h, struct view *v, struct err *e)
{
	if (host_scan(h, e) < 0)
		return -1;
	if (ledger_extents_read(&h->ledger, &v->extents, e) < 0)
		return -1;
	for (unsigned int i = 0; i < VM_MAX; i++)
		if (ledger_record_read(&h->ledger, i, &v->rec[i], &v->rec_err[i]) < 0)
			continue;
	read_manifest(h, v);
	return 0;
}

static void print_region(const struct store *s, unsigned int number)
{
	char size[32], start[32];

	io_format_size(s->dev.region_size, size, sizeof(size));
	io_format_size(s->dev.region_start, start, sizeof(start));
	printf("region %-4u %s!%s (%s)\n", number, size, start, store_path(s));
}

static void print_extent(const struct extent *x, unsigned int part)
{
	char size[32];

	io_format_size(x->size, size, sizeof(size));
	printf("%s%s ", part ? " and " : "", size);
	if (x->in_file)
		printf("in a file");
	else
		printf("at 0x%" PRIx64, x->offset);
	if (x->region)
		printf(" of region %u", x->region);
}

static void print_text(const struct host *h, const struct view *v)
{
	const struct ledger_geometry *g = &h->ledger.geo;
	char a[37], b[37], size[32], start[32];

	io_uuid_format(g->ledger_uuid, a);
	io_uuid_format(g->namespace_uuid, b);
	io_format_size(g->region_size, size, sizeof(size));
	io_format_size(g->region_start, start, sizeof(start));
	printf("region      %s!%s\nnamespace   %s (%s)\n", size, start, b, h->store.dev.path);
	if (g->in_file)
		printf("files       %s (%s)\n", h->store.fs.dir, daxfs_type_name(h->store.fs.type));
	printf("ledger      %s\n", a);
	io_format_size(g->ledger_size, size, sizeof(size));
	printf("            %s at 0x%" PRIx64 ", %" PRIu64 " bytes for device state\n", size,
	       g->ledger_offset, g->blob_size);
	if (v->manifest.data)
		printf("manifest    of jump %" PRIu64 ", %s\n", v->generation,
		       v->verified ? "verified" : "unverified (no ticket at hand)");
	else
		printf("manifest    %s\n", v->manifest_err.msg);
	for (unsigned int i = 1; i < LEDGER_REGIONS; i++)
		if (h->region[i].tried)
			print_region(&h->region[i].store, i);
	for (unsigned int i = 0; i < VM_MAX; i++) {
		const char *name = v->extents.slot[i].name;
		struct extent x[VM_PARTS_MAX];
		unsigned int n;

		if (!*name || v->extents.slot[i].part)
			continue;
		n = extent_parts(&v->extents, name, x);
		printf("vm          %s: ", name);
		for (unsigned int k = 0; k < n; k++)
			print_extent(&x[k], k);
		printf(", %s",
		       v->rec_err[i].kind ? v->rec_err[i].msg : vm_state_name(v->rec[i].state));
		if (v->rec[i].state != VM_NONE)
			printf(" (jump %" PRIu64 ", attempt %u)", v->rec[i].generation,
			       v->rec[i].attempt);
		printf("\n");
	}
}

static int print_json(const struct host *h, const struct view *v)
{
	yyjson_mut_doc *d = out_begin();
	yyjson_mut_val *root = yyjson_mut_doc_get_root(d), *vms;
	_cleanup_json_ yyjson_doc *m =
		v->manifest.data ? yyjson_read(v->manifest.data, v->manifest.len, 0) : NULL;

	out_add_geometry(d, root, &h->store, &h->ledger.geo);
	out_add_regions(d, root, h);
	yyjson_mut_obj_add_bool(d, root, "verified", v->verified);
	if (m)
		yyjson_mut_obj_add_val(d, root, "manifest",
				       yyjson_val_mut_copy(d, yyjson_doc_get_root(m)));
	vms = yyjson_mut_obj_add_arr(d, root, "vms");
	for (unsigned int i = 0; i < VM_MAX; i++) {
		const char *name = v->extents.slot[i].name;
		struct extent x[VM_PARTS_MAX];
		yyjson_mut_val *vm;

		if (!*name || v->extents.slot[i].part)
			continue;
		vm = yyjson_mut_arr_add_obj(d, vms);
		out_str(d, vm, "name", name);
		out_u64(d, vm, "index", i);
		out_add_ram(d, vm, x, extent_parts(&v->extents, name, x), NULL);
		out_str(d, vm, "record",
			v->rec_err[i].kind ? "damaged" : vm_state_name(v->rec[i].state));
		out_u64(d, vm, "generation", v->rec[i].generation);
		out_u64(d, vm, "attempt", v->rec[i].attempt);
	}
	return out_end(d);
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct view *v _cleanup_(view_free) = calloc(1, sizeof(*v));
	struct err e = { 0 };

	(void)argv;
	if (argc != 1)
		return cmd_usage(&cmd_show, "it takes no arguments");
	if (!v)
		return EXIT_FAILED;
	if (host_open(&h, app, HOST_LEDGER, &e) < 0 || collect(&h, v, &e) < 0)
		return cmd_fail(&e);
	if (app->json)
		return print_json(&h, v);
	print_text(&h, v);
	return EXIT_DONE;
}

const struct cmd cmd_show = {
	.name = "show",
	.args = "",
	.summary = "the ledger's content",
	.help = "Region, namespace, manifest, extents and state records. Without a ticket at hand the\n"
		"manifest is called unverified: anybody who may write to the device could have\n"
		"written it.\n",
	.run = run,
};
