/* SPDX-License-Identifier: GPL-2.0-only */
#include "start.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "fault.h"
#include "inventory.h"
#include "qemu.h"
#include "unit.h"
#include "vmctl.h"

static int check_free(const struct host *h, const struct vm *vm, int index, struct err *e)
{
	int alive = runstate_alive(vm->name, NULL, e);
	struct vm_record rec;

	if (alive < 0)
		return -1;
	if (alive)
		return err_set(e, ERR_REFUSED, "VM %s is running already", vm->name);
	if (access(vm->qemu, X_OK) < 0)
		return err_set(e, ERR_ABSENT,
			       "vm %s: %s cannot be executed (%s); install it or set 'qemu ='",
			       vm->name, vm->qemu, strerror(errno));
	if (index < 0)
		return 0;
	if (record_read(&h->ledger, (unsigned int)index, vm->name, &rec, e) < 0)
		return err_wrap(e, "vm %s", vm->name);
	if (host_pending(rec.state))
		return err_set(e, ERR_REFUSED,
			       "VM %s is %s: its state waits in the ledger; 'holdover resume %s' "
			       "continues it, 'holdover discard %s' gives it up",
			       vm->name, vm_state_name(rec.state), vm->name, vm->name);
	return 0;
}

/* Extents of VMs that neither run nor wait hold nothing of value: they are
 * kept only so that a VM comes back to the same place. */
static int drop_idle_extents(const struct host *h, struct extent_table *t, const char *but,
			     struct err *e)
{
	for (unsigned int i = 0; i < VM_MAX; i++) {
		struct vm_record rec;
		int alive;

		if (!*t->slot[i].name || !strcmp(t->slot[i].name, but))
			continue;
		alive = runstate_alive(t->slot[i].name, NULL, e);
		if (alive < 0)
			return -1;
		if (alive)
			continue;
		if (record_read(&h->ledger, i, t->slot[i].name, &rec, e) < 0)
			return err_wrap(e, "vm %s", t->slot[i].name);
		if (!host_pending(rec.state))
			memset(&t->slot[i], 0, sizeof(t->slot[i]));
	}
	return 0;
}

static int place(struct host *h, const struct vm *vm, struct extent_table *t, struct err *e)
{
	int index = extent_find(t, vm->name);

	if (check_free(h, vm, index, e) < 0)
		return -1;
	if (index >= 0 && t->slot[index].size == vm->memory)
		return index;
	if (index >= 0)
		memset(&t->slot[index], 0, sizeof(t->slot[index]));
	index = extent_alloc(t, &h->ledger.geo, vm->name, vm->memory, e);
	if (index < 0 && e->kind == ERR_REFUSED) {
		err_clear(e);
		if (drop_idle_extents(h, t, vm->name, e) < 0)
			return -1;
		index = extent_alloc(t, &h->ledger.geo, vm->name, vm->memory, e);
	}
	if (index < 0)
		return err_wrap(e, "vm %s", vm->name);
	if (ledger_extents_write(&h->ledger, t, e) < 0)
		return -1;
	FAULT(extent_written);
	return index;
}

/* Copies into an owned manifest of one VM, through its own encoding. */
static int describe(const struct host *h, const struct vm *vm, const char *machine,
		    const struct inventory *inv, const char *scope, unsigned int index,
		    const struct extent *extent, struct manifest *out, struct err *e)
{
	_cleanup_buf_ struct buf json = { 0 };
	struct manifest_vm mv = {
		.vm = *vm,
		.index = index,
		.extent = *extent,
		.was_running = true,
		.devices = inv ? inv->item : NULL,
		.ndevices = inv ? inv->n : 0,
		.scope = (char *)scope,
	};
	struct manifest m = { .vms = &mv, .nvms = 1 };
	struct utsname uts;

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
	unsigned int index;
	const struct extent *extent;
};

/* Before it executes QEMU: one that nobody knows of could not be stopped. */
static int note_born(void *ctx, const struct qemu_proc *p, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	const struct newborn *n = ctx;

	rs.pid = p->pid;
	rs.start_time = p->start_time;
	/* The note of a QEMU that died paused is not about this one. */
	if (describe(n->h, n->vm, n->vm->machine, NULL, n->scope, n->index, n->extent, &rs.m, e) < 0 ||
	    runstate_clear_pause(n->vm->name, e) < 0)
		return -1;
	return runstate_save(&rs, e);
}

static int launch(struct host *h, const struct vm *vm, unsigned int index,
		  const struct extent *extent, const char *scope, struct qemu_proc *proc,
		  struct err *e)
{
	struct newborn newborn = { .h = h, .vm = vm, .scope = scope, .index = index, .extent = extent };
	struct qemu_launch l = {
		.vm = vm,
		.mem_path = h->dev.path,
		.mem_offset = extent->offset,
		.scope = unit_manager_present() ? scope : NULL,
		.born = note_born,
		.ctx = &newborn,
	};

	if (pmem_zero(h->dev.path, extent->offset, extent->size, e) < 0)
		return -1;
	FAULT(ram_zeroed);
	if (qemu_start(&l, proc, e) < 0)
		return -1;
	FAULT(fresh_qemu_started);
	return 0;
}

/* Talks to the new QEMU until the guest runs. */
static int bring_up(struct host *h, const struct vm *vm, const char *scope, unsigned int index,
		    const struct extent *extent, struct qemu_proc *proc, struct runstate *rs,
		    struct err *e)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct inventory inv _cleanup_inventory_ = { .item = NULL };
	_cleanup_free_ char *machine = NULL;

	rs->pid = proc->pid;
	rs->start_time = proc->start_time;
	qmp_init(&q, steal_fd(&proc->ctl));
	if (qmp_handshake(&q, VMCTL_TIMEOUT_MS, NULL, e) < 0 ||
	    vmctl_machine(&q, vm->machine, &machine, e) < 0 || inventory_read(&q, &inv, e) < 0) {
		qemu_last_words(vm->name, e);
		return -1;
	}
	/* A guest on other RAM would lose it in the jump. */
	if (qemu_ram_mapped_check(proc->pid, h->dev.path, extent->offset, extent->size, e) < 0 ||
	    describe(h, vm, machine, &inv, scope, index, extent, &rs->m, e) < 0 ||
	    runstate_save(rs, e) < 0)
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
	char scope[128];
	int index;

	if (!t)
		return err_sys(e, ENOMEM, "extents");
	if (ledger_extents_read(&h->ledger, t, e) < 0)
		return -1;
	index = place(h, vm, t, e);
	if (index < 0 || unit_scope_name(vm->name, scope, sizeof(scope), e) < 0)
		return -1;
	*rs = (struct runstate)RUNSTATE_INIT;
	if (launch(h, vm, (unsigned int)index, &t->slot[index], scope, &proc, e) < 0 ||
	    bring_up(h, vm, scope, (unsigned int)index, &t->slot[index], &proc, rs, e) < 0) {
		runstate_free(rs);
		qemu_proc_kill(&proc);
		if (runstate_forget(vm->name, &ignored) < 0)
			cmd_say("holdover: %s", ignored.msg);
		return err_wrap(e, "vm %s", vm->name);
	}
	rs->pidfd = steal_fd(&proc.pidfd);
	return 0;
}
