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
static int check_offset(const struct vm *vm, const struct extent *extent, struct err *e)
{
	struct probe p _cleanup_probe_ = PROBE_INIT;

	if (!extent->offset || extent->in_file)
		return 0;
	if (probe_none(&p, vm->qemu, NULL, e) < 0)
		return -1;
	if (p.version >= PROBE_OFFSET_SINCE)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "%s is version %u.%u, which can use the beginning of the device only "
		       "(offset= came with 8.1), and that belongs to another VM; install a newer QEMU, "
		       "or stop the other VM first",
		       vm->qemu, p.version / 10000, p.version / 100 % 100);
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
		  const struct extent *extent, const struct ram *ram, const char *scope,
		  struct qemu_proc *proc, struct err *e)
{
	const struct store *store;
	struct newborn newborn = { .h = h, .vm = vm, .scope = scope, .index = index, .extent = extent };
	struct qemu_launch l = {
		.vm = vm,
		.ram = *ram,
		.scope = unit_manager_present() ? scope : NULL,
		.born = note_born,
		.ctx = &newborn,
	};

	if (check_offset(vm, extent, e) < 0)
		return -1;
	if (host_store(h, extent->region, &store, NULL, e) < 0 || store_zero(store, ram, e) < 0)
		return -1;
	FAULT(ram_zeroed);
	if (qemu_start(&l, proc, e) < 0)
		return -1;
	FAULT(fresh_qemu_started);
	return 0;
}

/* Talks to the new QEMU until the guest runs. */
static int bring_up(struct host *h, const struct vm *vm, const char *scope, unsigned int index,
		    const struct extent *extent, const struct ram *ram, struct qemu_proc *proc,
		    struct runstate *rs, struct err *e)
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
	if (qemu_ram_mapped_check(proc->pid, ram, e) < 0 ||
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
	struct ram ram;
	int index;

	if (!t)
		return err_sys(e, ENOMEM, "extents");
	if (ledger_extents_read(&h->ledger, t, e) < 0)
		return -1;
	index = place_vm(h, vm, t, &ram, e);
	if (index < 0 || unit_scope_name(vm->name, scope, sizeof(scope), e) < 0)
		return -1;
	*rs = (struct runstate)RUNSTATE_INIT;
	if (launch(h, vm, (unsigned int)index, &t->slot[index], &ram, scope, &proc, e) < 0 ||
	    bring_up(h, vm, scope, (unsigned int)index, &t->slot[index], &ram, &proc, rs, e) < 0) {
		runstate_free(rs);
		qemu_proc_kill(&proc);
		if (runstate_forget(vm->name, &ignored) < 0)
			cmd_say("holdover: %s", ignored.msg);
		return err_wrap(e, "vm %s", vm->name);
	}
	rs->pidfd = steal_fd(&proc.pidfd);
	return 0;
}
