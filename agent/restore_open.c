/* SPDX-License-Identifier: GPL-2.0-only */
/* The way to the manifest, and what is asked of the ledger besides resuming. */
#include <string.h>
#include <time.h>

#include "log.h"
#include "restore.h"
#include "runstate.h"

uint64_t restore_cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void restore_init(struct restore *r, enum restore_who who)
{
	memset(r, 0, sizeof(*r));
	r->who = who;
	r->map.fd = -1;
}

void restore_close(struct restore *r)
{
	manifest_free(&r->m);
	for (unsigned int i = 0; i < LEDGER_REGIONS; i++)
		region_close(&r->region[i]);
	pmem_map_close(&r->map);
	ticket_wipe(&r->ticket);
}

static int read_manifest(struct restore *r, struct err *e)
{
	_cleanup_buf_ struct buf json = { 0 };
	uint64_t generation;

	if (ledger_manifest_read(&r->ledger, r->ticket.key, &json, &generation, NULL, e) < 0)
		return err_wrap(e, "manifest");
	if (generation != r->ticket.generation)
		return err_set(e, ERR_STALE, "the manifest is of jump %llu, the ticket of jump %llu",
			       (unsigned long long)generation,
			       (unsigned long long)r->ticket.generation);
	if (manifest_decode(&json, &r->ledger.geo, &r->m, e) < 0)
		return -1;
	if (r->m.generation != generation || memcmp(r->m.ledger_uuid, r->ledger.geo.ledger_uuid, 16))
		return err_set(e, ERR_MISMATCH, "the manifest was sealed for another ledger");
	return 0;
}

int restore_open(struct restore *r, struct err *e)
{
	const struct ticket *t = &r->ticket;
	uint64_t before = restore_cpu_us();
	struct err unreadable = { 0 };
	bool mended, pending;

	ticket_id(t, r->ticket_id);
	if (io_boot_id(r->boot_id, e) < 0 || pmem_load_modules(e) < 0)
		return -1;
	r->cpu_modules_us = restore_cpu_us() - before;
	if (pmem_find_mending(t->region_start, t->region_size, t->namespace_uuid, &r->store.dev,
			      &mended, e) < 0)
		return -1;
	if (mended)
		log_warn("%s: came up raw; its info block was written back from the ledger's copy",
			 r->store.dev.path);
	if (store_attach(&r->store, t->fs_uuid, e) < 0 ||
	    store_open_ledger(&r->store, &r->map, &r->ledger, e) < 0)
		return -1;
	if (memcmp(r->ledger.geo.ledger_uuid, t->ledger_uuid, 16))
		return err_set(e, ERR_MISMATCH,
			       "the ledger on this region is not the one that the ticket names");
	if (read_manifest(r, e) < 0)
		return -1;
	marks_take(&r->marks, PHASE_REGION_READY, PHASE_HOST);
	/* To look at a jump whose VMs all run is no part of it. */
	if (restore_pending(r, &pending, &unreadable) < 0 || pending)
		marks_attach(&r->marks, &r->ledger, r->ticket.generation, r->m.tsc_hz);
	return 0;
}

/* What keeps one region from being used is no reason to try it again for each
 * of its VMs. */
static struct region *open_region(struct restore *r, unsigned int number, struct err *e)
{
	const struct manifest_region *x = manifest_region(&r->m, number);
	struct region *g = &r->region[number];

	if (!x) {
		err_set(e, ERR_FORMAT, "the manifest does not describe region %u", number);
		return NULL;
	}
	if (!g->tried &&
	    region_open(g, x->start, x->size, x->namespace_uuid, x->fs_uuid,
			r->ledger.geo.ledger_uuid, e) == 0) {
		if (g->stamp.geo.region != number)
			err_set(&g->err, ERR_MISMATCH, "%s: is stamped as region %u, not %u",
				store_path(&g->store), g->stamp.geo.region, number);
		else if (region_check(g, r->m.generation, r->ticket.key, e) < 0)
			g->err = *e;
	}
	if (g->err.kind == ERR_NONE)
		return g;
	*e = g->err;
	return NULL;
}

static int find_ram(struct restore *r, const struct extent *x, struct ram *out, struct err *e)
{
	struct region *g;

	if (!x->region)
		return store_ram(&r->store, x, out, e);
	g = open_region(r, x->region, e);
	if (!g || extent_fits(x, &g->stamp.geo, ERR_FORMAT, e) < 0)
		return -1;
	return store_ram(&g->store, x, out, e);
}

int restore_ram(struct restore *r, const struct manifest_vm *mv, struct ram out[VM_PARTS_MAX],
		struct err *e)
{
	for (unsigned int i = 0; i < vm_parts(&mv->vm); i++)
		if (find_ram(r, manifest_extent(mv, i), &out[i], e) < 0)
			return -1;
	return 0;
}

int restore_pending(const struct restore *r, bool *pending, struct err *e)
{
	*pending = false;
	for (unsigned int i = 0; i < r->m.nvms; i++) {
		struct vm_record rec;

		if (record_read(&r->ledger, r->m.vms[i].index, r->m.vms[i].vm.name, &rec, e) < 0)
			return -1;
		*pending |= rec.generation == r->m.generation &&
			(rec.state == VM_SEALED || rec.state == VM_CLAIMED ||
			 rec.state == VM_FAILED || rec.state == VM_RELEASED);
	}
	return 0;
}

void restore_count(struct restore_report *report)
{
	report->running = report->failed = report->kept = report->later = 0;
	for (unsigned int i = 0; i < report->vms; i++) {
		const struct restore_outcome *o = &report->vm[i];

		report->running += o->result == RESTORE_RUNNING;
		report->failed += o->result == RESTORE_FAILED;
		report->kept += o->result == RESTORE_KEPT;
		report->later += o->result == RESTORE_LATER;
	}
}

static int by_priority(const void *a, const void *b)
{
	const struct manifest_vm *x = *(struct manifest_vm *const *)a;
	const struct manifest_vm *y = *(struct manifest_vm *const *)b;

	if (x->vm.priority != y->vm.priority)
		return x->vm.priority < y->vm.priority ? -1 : 1;
	return strcmp(x->vm.name, y->vm.name);
}

unsigned int restore_order(struct restore *r, struct manifest_vm *order[VM_MAX])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < r->m.nvms; i++)
		if (!r->only || !strcmp(r->only, r->m.vms[i].vm.name))
			order[n++] = &r->m.vms[i];
	qsort(order, n, sizeof(order[0]), by_priority);
	return n;
}
