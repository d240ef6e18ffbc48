/* SPDX-License-Identifier: GPL-2.0-only */
#include <inttypes.h>
#include <string.h>

#include "interrupt.h"
#include "disk.h"
#include "preflight.h"
#include "qemu.h"
#include "vmctl.h"

static const char *name_of(const struct stage_vm *v)
{
	return v->rs.m.vms[0].vm.name;
}

static void check_qemu(struct preflight *p, struct stage_vm *v)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	unsigned int version;
	struct err e = { 0 };

	if (vmctl_open(name_of(v), &q, &version, &e) < 0)
		preflight_add(p, FINDING_FAIL, name_of(v), "%s", e.msg);
	else
		v->next_version = preflight_qemu(p, &v->rs.m.vms[0], &q, version);
}

static void check_disks(struct preflight *p, const struct stage_vm *v)
{
	for (unsigned int i = 0; i < v->ndisks; i++) {
		struct err e = { 0 };

		if (preflight_reopen(v->rs.pid, &v->disks[i], &e) < 0)
			preflight_add(p, FINDING_FAIL, name_of(v), "%s", e.msg);
		/* It could become another one of the same size, unnoticed. */
		if (v->disks[i].is_block && !disk_block_named(v->disks[i].id))
			preflight_add(p, FINDING_WARN, name_of(v),
				      "disk %s has no identity (wwid, serial or uuid), so that after the "
				      "jump only its size is compared; give it a serial, or use a "
				      "logical volume",
				      v->disks[i].path);
	}
}

static void check_ledger(struct preflight *p, const struct stage *s)
{
	char name[VM_NAME_MAX + 1];
	struct err e = { 0 };

	if (host_any_pending(s->h, name, &e) < 0)
		preflight_add(p, FINDING_FAIL, "ledger", "%s", e.msg);
	else if (*name)
		preflight_add(p, FINDING_FAIL, "ledger",
			      "state of VM %s from an earlier jump still waits; 'holdover resume %s' or "
			      "'holdover discard %s' comes first",
			      name, name, name);
	else
		preflight_add(p, FINDING_OK, "ledger", "%s, %" PRIu64 " bytes for device state",
			      s->h->store.dev.path, s->h->ledger.geo.blob_size);
}

/* Once /run is full nothing can be noted there any more, for no VM. */
static void check_log(struct preflight *p, const struct vm *vm)
{
	const char *option = vm_talks_to_log(vm);

	if (option)
		preflight_add(p, FINDING_WARN, vm->name,
			      "%s sends what its guest says to " HOLDOVER_RUN_DIR
			      "/%s/qemu.log, in the host's memory, and nothing bounds it; give it a "
			      "-chardev of its own, such as a socket, and run the VM afresh",
			      option, vm->name);
}

/* All of its RAM is there, and can be found after the jump. */
static int find_ram(struct stage *s, const struct manifest_vm *mv, struct err *e)
{
	for (unsigned int i = 0; i < vm_parts(&mv->vm); i++) {
		struct ram ram;

		if (host_ram(s->h, manifest_extent(mv, i), &ram, e) < 0)
			return -1;
	}
	return 0;
}

void preflight_vms(struct preflight *p, struct stage *s)
{
	check_ledger(p, s);
	for (unsigned int i = 0; i < s->n; i++) {
		struct stage_vm *v = &s->vm[i];
		struct err e = { 0 };

		if (memcmp(v->rs.m.ledger_uuid, s->h->ledger.geo.ledger_uuid, 16))
			preflight_add(p, FINDING_FAIL, name_of(v),
				      "its RAM belongs to another ledger; stop it and run it again");
		else if (find_ram(s, &v->rs.m.vms[0], &e) < 0)
			preflight_add(p, FINDING_FAIL, name_of(v), "its RAM: %s", e.msg);
		else if (stage_examine(v, &e) < 0)
			preflight_add(p, FINDING_FAIL, name_of(v), "%s", e.msg);
		else
			check_qemu(p, v);
		check_disks(p, v);
		check_log(p, &v->rs.m.vms[0].vm);
	}
}

void preflight_rehearse(struct preflight *p, struct stage *s)
{
	int64_t start = io_now_ms(), saved;
	struct err e = { 0 }, back = { 0 };
	sigset_t before;
	int r;

	if (p->failed) {
		preflight_add(p, FINDING_WARN, "rehearsal", "left out after what failed before");
		return;
	}
	interrupt_hold(&before);
	s->rehearsal = true;
	r = stage_save_all(s, &e);
	s->rehearsal = false;
	saved = io_now_ms();
	if (stage_continue_all(s, &back))
		preflight_add(p, FINDING_FAIL, "rehearsal",
			      "a VM does not run on after it: %s; try 'holdover abort'", back.msg);
	interrupt_release(&before);
	if (r < 0) {
		preflight_add(p, FINDING_FAIL, "rehearsal", "%s", e.msg);
	} else if (stage_state_bytes(s) > s->h->ledger.geo.blob_size) {
		preflight_add(p, FINDING_FAIL, "rehearsal",
			      "device state needs %" PRIu64 " bytes, the ledger has %" PRIu64
			      "; with all VMs stopped, 'holdover init --force --ledger-size SIZE' "
			      "makes a larger one",
			      stage_state_bytes(s), s->h->ledger.geo.blob_size);
	} else {
		preflight_add(p, FINDING_OK, "rehearsal",
			      "%u VM%s paused, saved (%" PRIu64 " bytes) and continued in %lld ms",
			      s->n, s->n == 1 ? "" : "s", stage_state_bytes(s),
			      (long long)(saved - start));
	}
	stage_drop_states(s);
}
