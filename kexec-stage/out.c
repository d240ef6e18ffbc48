/* SPDX-License-Identifier: GPL-2.0-only */
#include "out.h"

#include <stdio.h>

yyjson_mut_doc *out_begin(void)
{
	yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *root = yyjson_mut_obj(d);

	yyjson_mut_doc_set_root(d, root);
	out_u64(d, root, "version", 1);
	return d;
}

int out_end(yyjson_mut_doc *d)
{
	_cleanup_free_ char *text = yyjson_mut_write(d, YYJSON_WRITE_PRETTY, NULL);

	yyjson_mut_doc_free(d);
	if (!text) {
		fputs("holdover: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	return printf("%s\n", text) < 0 || fflush(stdout) ? EXIT_FAILED : EXIT_DONE;
}

void out_str(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const char *value)
{
	yyjson_mut_obj_add_strcpy(d, o, key, value ? value : "");
}

void out_u64(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, uint64_t value)
{
	yyjson_mut_obj_add_uint(d, o, key, value);
}

void out_uuid(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const uint8_t id[16])
{
	char text[37];

	io_uuid_format(id, text);
	out_str(d, o, key, text);
}

void out_add_geometry(yyjson_mut_doc *d, yyjson_mut_val *o, const struct store *s,
		      const struct ledger_geometry *g)
{
	out_str(d, o, "device", s->dev.path);
	out_str(d, o, "mode", g->in_file ? "fsdax" : "devdax");
	if (g->in_file) {
		out_str(d, o, "filesystem", daxfs_type_name(s->fs.type));
		out_uuid(d, o, "filesystem_uuid", g->fs_uuid);
		out_str(d, o, "directory", s->fs.dir);
	}
	out_u64(d, o, "region", g->region);
	out_u64(d, o, "region_start", g->region_start);
	out_u64(d, o, "region_size", g->region_size);
	out_uuid(d, o, "namespace", g->namespace_uuid);
	out_u64(d, o, "device_size", g->device_size);
	out_u64(d, o, "align", g->align);
	out_uuid(d, o, "ledger", g->ledger_uuid);
	out_u64(d, o, "ledger_offset", g->ledger_offset);
	out_u64(d, o, "ledger_size", g->ledger_size);
	out_u64(d, o, "blob_size", g->blob_size);
}

void out_add_regions(yyjson_mut_doc *d, yyjson_mut_val *o, const struct host *h)
{
	yyjson_mut_val *list = yyjson_mut_obj_add_arr(d, o, "regions");

	for (unsigned int i = 1; i < LEDGER_REGIONS; i++)
		if (h->region[i].tried)
			out_add_geometry(d, yyjson_mut_arr_add_obj(d, list), &h->region[i].store,
					 &h->region[i].stamp.geo);
}

void out_add_ram(yyjson_mut_doc *d, yyjson_mut_val *o, const struct extent *x, unsigned int n,
		 const struct ram *ram)
{
	yyjson_mut_val *list;
	uint64_t all = 0;

	for (unsigned int i = 0; i < n; i++)
		all += x[i].size;
	if (ram)
		out_str(d, o, "path", ram->path);
	out_u64(d, o, "offset", x->offset);
	out_u64(d, o, "memory", all);
	out_u64(d, o, "region", x->region);
	list = yyjson_mut_obj_add_arr(d, o, "ram");
	for (unsigned int i = 0; i < n; i++) {
		yyjson_mut_val *part = yyjson_mut_arr_add_obj(d, list);

		if (ram)
			out_str(d, part, "path", ram[i].path);
		out_u64(d, part, "offset", x[i].offset);
		out_u64(d, part, "memory", x[i].size);
		out_u64(d, part, "region", x[i].region);
	}
}

int out_geometry(const struct store *s, const struct ledger_geometry *g)
{
	yyjson_mut_doc *d = out_begin();

	out_add_geometry(d, yyjson_mut_doc_get_root(d), s, g);
	return out_end(d);
}
