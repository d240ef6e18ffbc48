/* SPDX-License-Identifier: GPL-2.0-only */
/* The regions beside the ledger's own that a manifest describes. */
#include <inttypes.h>

#include "json.h"
#include "manifest_impl.h"

const struct manifest_region *manifest_region(const struct manifest *m, unsigned int number)
{
	for (unsigned int i = 0; i < m->nregions; i++)
		if (m->regions[i].number == number)
			return &m->regions[i];
	return NULL;
}

static int decode_region(yyjson_val *obj, struct manifest *m, struct err *e)
{
	struct manifest_region *r = &m->regions[m->nregions];
	uint64_t number;

	if (json_u64(obj, "number", LEDGER_REGIONS - 1, &number, e) < 0 ||
	    json_u64(obj, "start", UINT64_MAX, &r->start, e) < 0 ||
	    json_u64(obj, "size", UINT64_MAX, &r->size, e) < 0 ||
	    json_uuid(obj, "namespace_uuid", r->namespace_uuid, e) < 0 ||
	    (yyjson_obj_get(obj, "fs_uuid") && json_uuid(obj, "fs_uuid", r->fs_uuid, e) < 0))
		return -1;
	if (!number || !r->size || manifest_region(m, (unsigned int)number))
		return err_set(e, ERR_FORMAT, "region %" PRIu64 " is impossible or there twice",
			       number);
	r->number = (unsigned int)number;
	m->nregions++;
	return 0;
}

int manifest_decode_regions(yyjson_val *root, struct manifest *m, struct err *e)
{
	yyjson_val *arr, *obj;
	size_t i, n;

	if (!yyjson_obj_get(root, "regions"))
		return 0;
	if (json_arr(root, "regions", &arr, e) < 0)
		return -1;
	if (yyjson_arr_size(arr) >= LEDGER_REGIONS)
		return err_set(e, ERR_FORMAT, "%zu regions are more than %d", yyjson_arr_size(arr),
			       LEDGER_REGIONS - 1);
	yyjson_arr_foreach(arr, i, n, obj) {
		if (decode_region(obj, m, e) < 0)
			return -1;
	}
	return 0;
}
