/* SPDX-License-Identifier: GPL-2.0-only */
/* The RAM of a manifest's VMs: of one part, or of several. */
#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "manifest_impl.h"

const struct extent *manifest_extent(const struct manifest_vm *mv, unsigned int i)
{
	return i ? &mv->more[i - 1].extent : &mv->extent;
}

const struct canary *manifest_canary(const struct manifest_vm *mv, unsigned int i)
{
	return i ? &mv->more[i - 1].canary : &mv->canary;
}

static int decode_extent(yyjson_val *from, const char *name, unsigned int part, struct extent *x,
			 struct err *e)
{
	uint64_t region = 0;
	yyjson_val *obj;

	snprintf(x->name, sizeof(x->name), "%s", name);
	x->part = part;
	if (json_obj(from, "extent", &obj, e) < 0 ||
	    json_u64(obj, "offset", UINT64_MAX, &x->offset, e) < 0 ||
	    json_u64(obj, "size", UINT64_MAX, &x->size, e) < 0)
		return -1;
	/* Both are absent for what an older stage wrote. */
	if ((yyjson_obj_get(obj, "region") &&
	     json_u64(obj, "region", LEDGER_REGIONS - 1, &region, e) < 0) ||
	    (yyjson_obj_get(obj, "file") && json_bool(obj, "file", &x->in_file, e) < 0))
		return -1;
	x->region = (unsigned int)region;
	return 0;
}

/* Part @i, of @size bytes; its id and properties go to @p. */
static int decode_part(yyjson_val *obj, struct manifest_vm *v, unsigned int i, uint64_t size,
		       struct vm_part *p, struct err *e)
{
	struct extent *x = i ? &v->more[i - 1].extent : &v->extent;
	struct canary *c = i ? &v->more[i - 1].canary : &v->canary;

	if (manifest_dup_str(obj, "memdev", &p->memdev, e) < 0 ||
	    (yyjson_obj_get(obj, "align") && json_u64(obj, "align", UINT64_MAX, &p->align, e) < 0) ||
	    (yyjson_obj_get(obj, "no_pmem") && json_bool(obj, "no_pmem", &p->no_pmem, e) < 0) ||
	    decode_extent(obj, v->vm.name, i, x, e) < 0)
		return -1;
	if (size > x->size)
		return err_set(e, ERR_FORMAT,
			       "%" PRIu64 " bytes of RAM are more than its extent's %" PRIu64, size,
			       x->size);
	return manifest_decode_canary(obj, x, c, e);
}

/* The first part: its members lie in struct vm itself. */
static int decode_first(yyjson_val *obj, struct manifest_vm *v, uint64_t size, struct err *e)
{
	struct vm_part p = { .memdev = NULL };
	int r = decode_part(obj, v, 0, size, &p, e);

	v->vm.memdev = p.memdev;
	v->vm.align = p.align;
	v->vm.no_pmem = p.no_pmem;
	return r;
}

static int decode_several(yyjson_val *arr, struct manifest_vm *v, struct err *e)
{
	uint64_t size, sum = 0;
	yyjson_val *obj;
	size_t i, n;

	n = yyjson_arr_size(arr);
	if (n < 2 || n > VM_PARTS_MAX)
		return err_set(e, ERR_FORMAT, "RAM of %zu parts is not from 2 to %d", n,
			       VM_PARTS_MAX);
	yyjson_arr_foreach(arr, i, n, obj) {
		if (json_u64(obj, "memory", v->vm.memory, &size, e) < 0)
			return -1;
		/* Counted first: what it owns is freed, whatever fails. */
		if (i)
			v->vm.more[v->vm.nmore++].size = size;
		sum += size;
		if ((i ? decode_part(obj, v, (unsigned int)i, size, &v->vm.more[i - 1], e) :
			 decode_first(obj, v, size, e)) < 0)
			return err_wrap(e, "part %zu of the RAM", i);
	}
	for (i = 1; i < n; i++)
		if (manifest_canary(v, (unsigned int)i)->mode != v->canary.mode)
			return err_set(e, ERR_FORMAT, "canaries of some parts of the RAM alone");
	if (sum != v->vm.memory)
		return err_set(e, ERR_FORMAT,
			       "the parts of the RAM have %" PRIu64 " bytes, and all of it %" PRIu64,
			       sum, v->vm.memory);
	return 0;
}

int manifest_decode_ram(yyjson_val *obj, struct manifest_vm *v, struct err *e)
{
	yyjson_val *arr;

	if (!yyjson_obj_get(obj, "ram"))
		return decode_first(obj, v, v->vm.memory, e);
	if (yyjson_obj_get(obj, "extent"))
		return err_set(e, ERR_FORMAT, "RAM of several parts has no extent beside theirs");
	return json_arr(obj, "ram", &arr, e) < 0 ? -1 : decode_several(arr, v, e);
}

int manifest_check_regions(const struct manifest *m, const struct manifest_vm *v, struct err *e)
{
	for (unsigned int i = 0; i < vm_parts(&v->vm); i++) {
		unsigned int region = manifest_extent(v, i)->region;

		if (region && !manifest_region(m, region))
			return err_set(e, ERR_FORMAT,
				       "the RAM of VM %s is in region %u, which is not described",
				       v->vm.name, region);
	}
	return 0;
}

/* Which entries of the table they have is the ledger's matter: any will do. */
int manifest_add_parts(const struct manifest *m, struct extent_table *t, struct err *e)
{
	unsigned int slot = 0;

	for (unsigned int i = 0; i < m->nvms; i++)
		for (unsigned int k = 1; k < vm_parts(&m->vms[i].vm); k++) {
			while (slot < VM_MAX && t->slot[slot].name[0])
				slot++;
			if (slot == VM_MAX)
				return err_set(e, ERR_FORMAT,
					       "the RAM of all VMs has more than %d parts", VM_MAX);
			t->slot[slot] = *manifest_extent(&m->vms[i], k);
		}
	return 0;
}
