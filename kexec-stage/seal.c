/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sealing, and giving it up. Order is everything:
 *
 *	seal	blobs, ticket copy, manifest, records SEALED, all read back
 *	abort	records ABORTED, kernel unloaded, VMs continued, tickets gone (abort.c)
 *
 * Each step is durable before the next, so that a crash in between leaves a
 * state in which every VM is either continued in place or resumed, never both.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "abort.h"
#include "disk.h"
#include "fault.h"
#include "kexec.h"
#include "stage.h"
#include "vmctl.h"

#define BLOB_ALIGN 4096

static int write_blob(struct stage *s, struct stage_vm *v, uint64_t *offset, struct err *e)
{
	size_t len = v->save.state_len;
	void *p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, v->save.state_fd, 0);
	int r;

	if (p == MAP_FAILED)
		return err_sys(e, errno, "device state");
	v->blob.offset = *offset;
	r = ledger_blob_write(&s->h->ledger, v->rs.m.vms[0].vm.name, s->ticket.generation,
			      s->ticket.key, p, len, &v->blob, e);
	munmap(p, len);
	FAULT(state_written);
	*offset += (len + BLOB_ALIGN - 1) & ~(uint64_t)(BLOB_ALIGN - 1);
	return r;
}

/* What shares the pages that all samples have together. */
static unsigned int count_parts(const struct stage *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n; i++)
		n += vm_parts(&s->vm[i].rs.m.vms[0].vm);
	return n;
}

static int take_canaries(const struct stage *s, struct stage_vm *v, struct err *e)
{
	const struct manifest_vm *mv = &v->rs.m.vms[0];
	unsigned int all = count_parts(s);

	for (unsigned int i = 0; i < vm_parts(&mv->vm); i++) {
		struct ram ram;

		if (host_ram(s->h, manifest_extent(mv, i), &ram, e) < 0 ||
		    canary_take(&ram, s->h->cfg.canaries, all, &v->canary[i], e) < 0)
			return -1;
	}
	return 0;
}

static int recheck_vm(const struct stage *s, const struct stage_vm *v, struct err *e)
{
	const struct manifest_vm *mv = &v->rs.m.vms[0];

	for (unsigned int i = 0; i < vm_parts(&mv->vm); i++) {
		struct ram ram;

		if (host_ram(s->h, manifest_extent(mv, i), &ram, e) < 0 ||
		    canary_check(&ram, &v->canary[i], false, e) < 0)
			return -1;
	}
	return 0;
}

/* Something that writes on into the RAM of a paused VM is noticed while it can
 * still run on here. */
static int recheck_canaries(const struct stage *s, struct err *e)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (recheck_vm(s, &s->vm[i], e) < 0)
			return err_wrap(e, "vm %s", s->vm[i].rs.m.vms[0].vm.name);
	return 0;
}

/* The images' times as the save has left them: what the agent compares. */
static int identify_disks(struct stage_vm *v, struct err *e)
{
	for (unsigned int i = 0; i < v->ndisks; i++)
		if (vmctl_identify(&v->disks[i], e) < 0)
			return -1;
	return 0;
}

static void fill_vm(struct stage_vm *v, struct manifest_vm *out)
{
	*out = v->rs.m.vms[0];
	out->blob = v->blob;
	out->snapshot = v->save.snapshot;
	out->snapshot.incoming = v->next_version >= SNAPSHOT_INCOMING_SINCE;
	out->paused_tsc = v->paused_tsc;
	out->was_running = v->save.was_running;
	out->cpr_reboot = v->save.cpr_reboot;
	out->disks = v->disks;
	out->ndisks = v->ndisks;
	out->canary = v->canary[0];
	for (unsigned int i = 0; i < out->vm.nmore; i++)
		out->more[i].canary = v->canary[i + 1];
}

static int describe_region(struct stage *s, struct manifest *m, unsigned int number, struct err *e)
{
	struct manifest_region *r = &m->regions[m->nregions];
	const struct store *store;

	if (!number || manifest_region(m, number))
		return 0;
	if (host_store(s->h, number, &store, NULL, e) < 0)
		return -1;
	r->number = number;
	r->start = store->dev.region_start;
	r->size = store->dev.region_size;
	memcpy(r->namespace_uuid, store->dev.namespace_uuid, 16);
	memcpy(r->fs_uuid, store->fs.uuid, 16);
	m->nregions++;
	return 0;
}

/* Each region that RAM of a VM lies in. */
static int describe_regions(struct stage *s, struct manifest *m, struct err *e)
{
	for (unsigned int i = 0; i < m->nvms; i++)
		for (unsigned int k = 0; k < vm_parts(&m->vms[i].vm); k++)
			if (describe_region(s, m, manifest_extent(&m->vms[i], k)->region, e) < 0)
				return -1;
	return 0;
}

/* After the manifest: a stage that dies here has used up this jump's number, and
 * the next one's is newer than any stamp. */
static int stamp_regions(struct stage *s, const struct manifest *m, struct err *e)
{
	for (unsigned int i = 0; i < m->nregions; i++)
		if (region_seal(&s->h->region[m->regions[i].number], m->generation, s->ticket.key,
				s->ticket_id, e) < 0)
			return -1;
	return 0;
}

static int write_manifest(struct stage *s, struct err *e)
{
	_cleanup_free_ struct manifest_vm *vms = calloc(s->n, sizeof(*vms));
	_cleanup_buf_ struct buf json = { 0 };
	struct manifest m = {
		.generation = s->ticket.generation,
		.tsc_hz = s->marks.tsc_hz,
		.clock = clock_now(),
		.set_clock = s->h->cfg.clock_by_tsc,
		.vms = vms,
		.nvms = s->n,
	};
	struct utsname uts;

	if (!vms)
		return err_sys(e, ENOMEM, "manifest");
	uname(&uts);
	snprintf(m.kernel, sizeof(m.kernel), "%s", uts.release);
	memcpy(m.ledger_uuid, s->h->ledger.geo.ledger_uuid, 16);
	memcpy(m.boot_id, s->boot_id, 16);
	for (unsigned int i = 0; i < s->n; i++)
		fill_vm(&s->vm[i], &vms[i]);
	if (describe_regions(s, &m, e) < 0 || manifest_encode(&m, &json, e) < 0 ||
	    ledger_manifest_write(&s->h->ledger, m.generation, s->ticket.key, s->ticket_id,
				  json.data, json.len, e) < 0)
		return -1;
	return stamp_regions(s, &m, e);
}

static int write_record(struct stage *s, struct stage_vm *v, enum vm_state state, struct err *e)
{
	struct vm_record rec = { .state = state, .generation = s->ticket.generation };

	memcpy(rec.ticket_id, s->ticket_id, 16);
	memcpy(rec.boot_id, s->boot_id, 16);
	return ledger_record_write(&s->h->ledger, v->rs.m.vms[0].index, &rec, e);
}

static int recheck_stamps(const struct stage *s, const struct manifest *m, struct err *e)
{
	for (unsigned int i = 0; i < m->nregions; i++)
		if (region_check(&s->h->region[m->regions[i].number], m->generation, s->ticket.key,
				 e) < 0)
			return -1;
	return 0;
}

/* What the agent will do, done now, while it still costs nothing. */
static int read_back(struct stage *s, struct err *e)
{
	struct manifest m _cleanup_manifest_ = { 0 };
	_cleanup_buf_ struct buf json = { 0 };
	uint64_t generation;

	if (ledger_manifest_read(&s->h->ledger, s->ticket.key, &json, &generation, NULL, e) < 0 ||
	    manifest_decode(&json, &s->h->ledger.geo, &m, e) < 0)
		return -1;
	if (generation != s->ticket.generation || m.nvms != s->n)
		return err_set(e, ERR_MISMATCH, "the manifest reads back as another one");
	if (recheck_stamps(s, &m, e) < 0)
		return -1;
	for (unsigned int i = 0; i < m.nvms; i++) {
		_cleanup_close_ int fd = ledger_blob_read(&s->h->ledger, m.vms[i].vm.name, generation,
							  s->ticket.key, &m.vms[i].blob, e);
		struct vm_record rec;

		if (fd < 0 || ledger_record_read(&s->h->ledger, m.vms[i].index, &rec, e) < 0)
			return err_wrap(e, "vm %s", m.vms[i].vm.name);
		if (rec.state != VM_SEALED || rec.generation != generation)
			return err_set(e, ERR_MISMATCH, "vm %s: its record reads back as %s",
				       m.vms[i].vm.name, vm_state_name(rec.state));
	}
	return recheck_canaries(s, e);
}

static int save_ticket(struct stage *s, struct err *e)
{
	if (s->armed)
		return 0;
	s->ticket_saved = true;
	if (io_mkdir_p(HOLDOVER_LIB_DIR, 0700, e) < 0 ||
	    ticket_save(HOLDOVER_TICKET_COPY, &s->ticket, e) < 0)
		return -1;
	return FAULT_FAILS(ticket_copy_saved, e) ? -1 : 0;
}

int stage_seal(struct stage *s, struct err *e)
{
	uint64_t offset = 0;

	for (unsigned int i = 0; i < s->n; i++)
		if (identify_disks(&s->vm[i], e) < 0 || take_canaries(s, &s->vm[i], e) < 0 ||
		    write_blob(s, &s->vm[i], &offset, e) < 0)
			return err_wrap(e, "vm %s", s->vm[i].rs.m.vms[0].vm.name);
	if (save_ticket(s, e) < 0 || write_manifest(s, e) < 0 || FAULT_FAILS(manifest_written, e))
		return err_wrap(e, "sealing");
	for (unsigned int i = 0; i < s->n; i++) {
		s->vm[i].sealed = true;
		if (write_record(s, &s->vm[i], VM_SEALED, e) < 0 || FAULT_FAILS(vm_sealed, e))
			return err_wrap(e, "sealing");
	}
	marks_take(&s->marks, PHASE_SEALED, PHASE_HOST);
	if (read_back(s, e) < 0 || FAULT_FAILS(seal_read_back, e))
		return err_wrap(e, "reading the seal back");
	return 0;
}

int stage_drop_kernel(struct err *e)
{
	struct err first = { 0 };

	if (kexec_unload(&first) == 0 || kexec_unload(e) == 0)
		return 0;
	return err_wrap(e,
			"the loaded kernel could not be dropped; do not run 'kexec -e' or "
			"'systemctl kexec', which would end every VM");
}

int stage_abort(struct stage *s)
{
	struct undo u = { .keep_kernel = !s->loaded };
	bool begun = s->loaded || s->ticket_saved;

	for (unsigned int i = 0; i < s->n; i++)
		begun |= s->vm[i].paused_here;
	if (!begun)
		return 0;
	abort_jump(s, true, &u);
	marks_take(&s->marks, PHASE_ABORTED, PHASE_HOST);
	undo_tell(&u);
	return u.failed ? -1 : 0;
}
