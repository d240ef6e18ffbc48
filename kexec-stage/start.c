/* SPDX-License-Identifier: GPL-2.0-only */
#include "place.h"
#include "start.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "fault.h"
#include "inventory.h"
#include "probe.h"
#include "qemu.h"
#include "unit.h"
#include "vmctl.h"

/* QEMU of before 8.1 maps a device from its beginning only. */
static int check_offset(const struct vm *vm, const struct place *at, struct err *e)
{
	struct probe p _cleanup_probe_ = PROBE_INIT;
	bool offset = false;

	for (unsigned int i = 0; i < at->parts; i++)
		offset |= at->extent[i].offset && !at->extent[i].in_file;
	if (!offset)
		return 0;
	if (probe_none(&p, vm->qemu, NULL, e) < 0)
		return -1;
	if (p.version >= PROBE_OFFSET_SINCE)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "%s is version %u.%u, which can use the beginning of a device only "
		       "(offset= came with 8.1), and that belongs to another VM or another part of "
		       "this one's RAM; install a newer QEMU, or stop the other VM first",
		       vm->qemu, p.version / 10000, p.version / 100 % 100);
}

/* Where the VM's QEMU can use it. */
static int place(struct host *h, const struct vm *vm, struct extent_table *t, struct place *out,
		 struct err *e)
{
	if (place_vm(h, vm, t, out, e) < 0)
		return -1;
	if (check_offset(vm, out, e) == 0)
		return 0;
	if (e->kind == ERR_REFUSED) {
		err_clear(e);
		if (place_vm_anew(h, vm, t, out, e) < 0)
			return -1;
		if (check_offset(vm, out, e) == 0)
			return 0;
	}
	return err_wrap(e, "vm %s", vm->name);
}

/* Copies into an owned manifest of one VM, through its own encoding. */
static int describe(const struct host *h, const struct vm *vm, const char *machine,
		    const struct inventory *inv, const char *scope, const struct place *at,
		    struct manifest *out, struct err *e)
{
	_cleanup_buf_ struct buf json = { 0 };
	struct manifest_vm mv = {
		.vm = *vm,
		.index = at->index,
		.extent = at->extent[0],
		.was_running = true,
		.devices = inv ? inv->item : NULL,
		.ndevices = inv ? inv->n : 0,
		.scope = (char *)scope,
	};
	struct manifest m = { .vms = &mv, .nvms = 1 };
	struct utsname uts;

	for (unsigned int i = 1; i < at->parts; i++)
		mv.more[i - 1].extent = at->extent[i];
	mv.vm.machine = (char *)machine;
	memcpy(m.ledger_uuid, h->ledger.geo.ledger_uuid, 16);
	uname(&uts);
	snprintf(m.kernel, sizeof(m.kernel), "%s", uts.release);
	if (io_boot_id(m.boot_id, e) < 0 || manifest_encode(&m, &json, e) < 0)
		return -1;
	return manifest_decode(&json, NULL, out, e);
}

/* What is known before QEMU was asked for its machine type. */
struct newborn {
	const struct host *h;
	const struct vm *vm;
	const char *scope;
	const struct place *at;
};

/* Before it executes QEMU: one that nobody knows of could not be stopped. */
static int note_born(void *ctx, const struct qemu_proc *p, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	const struct newborn *n = ctx;

	rs.pid = p->pid;
	rs.start_time = p->start_time;
	/* The note of a QEMU that died paused is not about this one. */
	if (describe(n->h, n->vm, n->vm->machine, NULL, n->scope, n->at, &rs.m, e) < 0 ||
	    runstate_clear_pause(n->vm->name, e) < 0)
		return -1;
	return runstate_save(&rs, e);
}

/* No part of it shows what another VM has left there. */
static int zero(struct host *h, const struct place *at, struct err *e)
{
	const struct store *store;

	for (unsigned int i = 0; i < at->parts; i++)
		if (host_store(h, at->extent[i].region, &store, NULL, e) < 0 ||
		    store_zero(store, &at->ram[i], e) < 0)
			return -1;
	return 0;
}

static int launch(struct host *h, const struct vm *vm, const struct place *at, const char *scope,
		  struct qemu_proc *proc, struct err *e)
{
	struct newborn newborn = { .h = h, .vm = vm, .scope = scope, .at = at };
	struct qemu_launch l = {
		.vm = vm,
		.scope = unit_manager_present() ? scope : NULL,
		.born = note_born,
		.ctx = &newborn,
	};

	memcpy(l.ram, at->ram, sizeof(l.ram));
	if (zero(h, at, e) < 0)
		return -1;
	FAULT(ram_zeroed);
	if (qemu_start(&l, proc, e) < 0)
		return -1;
	FAULT(fresh_qemu_started);
	return 0;
}

/* Talks to the new QEMU until the guest runs. */
static int bring_up(struct host *h, const struct vm *vm, const char *scope, const struct place *at,
		    struct qemu_proc *proc, struct runstate *rs, struct err *e)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct inventory inv _cleanup_inventory_ = { .item = NULL };
	_cleanup_free_ char *machine = NULL;

	rs->pid = proc->pid;
	rs->start_time = proc->start_time;
	qmp_init(&q, steal_fd(&proc->ctl));
	if (qmp_handshake(&q, vm->timeout_ms, NULL, e) < 0 ||
	    vmctl_machine(&q, vm->machine, &machine, e) < 0 || inventory_read(&q, &inv, e) < 0) {
		qemu_last_words(vm->name, e);
		return -1;
	}
	/* A guest on other RAM would lose it in the jump. */
	for (unsigned int i = 0; i < at->parts; i++)
		if (qemu_ram_mapped_check(proc->pid, &at->ram[i], e) < 0)
			return -1;
	if (describe(h, vm, machine, &inv, scope, at, &rs->m, e) < 0 || runstate_save(rs, e) < 0)
		return -1;
	FAULT(fresh_qemu_described);
	if (vmctl_cont(&q, e) < 0)
		return -1;
	FAULT(fresh_vm_runs);
	return 0;
}

int start_vm(struct host *h, const struct vm *vm, struct runstate *rs, struct err *e)
{
	struct qemu_proc proc _cleanup_(qemu_proc_kill) = QEMU_PROC_INIT;
	_cleanup_free_ struct extent_table *t = malloc(sizeof(*t));
	struct err ignored = { 0 };
	struct place at = { .parts = 0 };
	char scope[128];

	if (!t)
		return err_sys(e, ENOMEM, "extents");
	if (ledger_extents_read(&h->ledger, t, e) < 0)
		return -1;
	if (place(h, vm, t, &at, e) < 0 || unit_scope_name(vm->name, scope, sizeof(scope), e) < 0)
		return -1;
	*rs = (struct runstate)RUNSTATE_INIT;
	if (launch(h, vm, &at, scope, &proc, e) < 0 || bring_up(h, vm, scope, &at, &proc, rs, e) < 0) {
		runstate_free(rs);
		qemu_proc_kill(&proc);
		if (runstate_forget(vm->name, &ignored) < 0)
			cmd_say("holdover: %s", ignored.msg);
		return err_wrap(e, "vm %s", vm->name);
	}
	rs->pidfd = steal_fd(&proc.pidfd);
	return 0;
}
