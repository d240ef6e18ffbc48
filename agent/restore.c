/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a VM comes back, from top to bottom:
 *
 *   restore_open()   region -> namespace -> ledger -> manifest, all read-only
 *                    (restore_open.c)
 *   restore_vms()    for each VM in order of priority
 *     consider()       its record and its disks: may it be resumed here?
 *     claim()          its device state and RAM are sound: CLAIMED is persisted
 *     launch()         QEMU is started, waiting, with its RAM already in place
 *                    then all of them at once (lib/load.c)
 *     on_commit()      state loaded, RAM untouched: RELEASED is persisted, only
 *                      then `cont`
 *     on_running()     QEMU said RESUME: RUNNING is persisted
 *   settle()         what follows a failure
 *
 * Until RELEASED a failure costs nothing: the QEMU is killed, and device state
 * and RAM are as they were.
 */
#include "restore.h"

#include <string.h>

#include "fault.h"
#include "guest_clock.h"
#include "leftover.h"
#include "load.h"
#include "log.h"
#include "qemu.h"
#include "restore_check.h"
#include "runstate.h"
#include "unit.h"

/* A guest agent answers at once, or the guest has none that runs. */
#define GUEST_AGENT_TIMEOUT_MS 2000

/* One VM under way. */
struct job {
	struct restore *r;
	struct manifest_vm *mv;
	struct vm_record rec;
	struct restore_outcome *out;
	struct qemu_proc proc;
	struct qmp qmp;
	struct load load;
	struct plan plan;
	int state_fd;
	uint64_t running_tsc;
	bool claimed;
	bool going;
};

static int write_record(struct job *j, enum vm_state state, enum err_kind reason, struct err *e)
{
	j->rec.state = state;
	j->rec.reason = reason;
	memcpy(j->rec.boot_id, j->r->boot_id, 16);
	if (record_write(&j->r->ledger, j->mv->index, j->mv->vm.name, &j->rec, e) < 0)
		return err_wrap(e, "state record");
	return 0;
}

/* May this VM be resumed here and now? Fills in the outcome if not. */
static bool consider(struct job *j)
{
	struct restore *r = j->r;
	struct err *e = &j->out->err;
	struct ram ram[VM_PARTS_MAX];

	if (record_read(&r->ledger, j->mv->index, j->mv->vm.name, &j->rec, e) < 0) {
		j->out->result = RESTORE_KEPT;
		return false;
	}
	switch (decide_resume(&j->rec, r->m.generation, r->ticket_id, r->boot_id, r->who,
			      r->never_ran, j->mv->vm.attempts, e)) {
	case DECIDE_NOTHING:
		/* An earlier pass of this boot is part of what was achieved. */
		j->out->before = decide_in_initramfs(r->who) && j->rec.state == VM_RUNNING &&
			!memcmp(j->rec.boot_id, r->boot_id, 16);
		j->out->result = j->out->before ? RESTORE_RUNNING : RESTORE_NOT_TRIED;
		return false;
	case DECIDE_KEEP:
		j->out->result = RESTORE_KEPT;
		return false;
	case DECIDE_RESUME:
		break;
	}
	if (decide_canary(j->mv->canary.mode, r->second_copy, j->rec.state, e) < 0 ||
	    (j->rec.state == VM_RELEASED && leftover_check(j->mv->vm.name, e) < 0)) {
		j->out->result = RESTORE_KEPT;
		return false;
	}
	j->out->due = decide_due(j->mv->vm.placement, r->who);
	if (!j->out->due) {
		err_set(e, ERR_NONE, "its placement is %s", vm_placement_name(j->mv->vm.placement));
		j->out->result = RESTORE_LATER;
		return false;
	}
	/* Before the root: a file system that is mounted under /run now is bound
	 * with it. */
	if (restore_ram(r, j->mv, ram, e) == 0) {
		/* Whatever is wrong with the root, the complete system has another. */
		if (check_root(r, e) < 0 || check_program(r, j->mv, e) < 0 ||
		    check_survives(r, &j->mv->vm, e) < 0) {
			j->out->result = RESTORE_LATER;
			return false;
		}
		if (check_devices(r, j->mv, e) == 0 &&
		    check_disks(r, j->mv, j->rec.attempt > 0, false, e) == 0)
			return true;
		j->out->disk_missing = e->kind == ERR_ABSENT;
	}
	j->out->result = decide_aftermath(e->kind, r->who, false) == AFTER_LATER ? RESTORE_LATER :
										   RESTORE_KEPT;
	return false;
}

static int claim(struct job *j, struct err *e)
{
	struct restore *r = j->r;

	/* Read before the claim: a blob that rotted leaves the record SEALED,
	 * so that it is found again in the state that it was left in. */
	j->state_fd = ledger_blob_read(&r->ledger, j->mv->vm.name, r->m.generation, r->ticket.key,
				       &j->mv->blob, e);
	if (j->state_fd < 0)
		return err_wrap(e, "device state");
	if (leftover_kill(j->mv->vm.name, e) < 0)
		return -1;
	/* All of the RAM now, when no QEMU waits: it takes its time. A claim
	 * on RELEASED gives up what is known, so it must be worth it. */
	if ((j->mv->canary.mode == CANARY_FULL || j->rec.state == VM_RELEASED) &&
	    check_ram(r, j->mv, true, e) < 0)
		return -1;
	j->rec.attempt++;
	if (write_record(j, VM_CLAIMED, ERR_NONE, e) < 0)
		return -1;
	j->claimed = true;
	if (FAULT_FAILS(claimed, e))
		return -1;
	marks_take(&r->marks, PHASE_CLAIMED, j->mv->index);
	return 0;
}

/* Before it executes QEMU: one that nobody knows of could not be ended by the
 * next attempt. */
static int note_born(void *ctx, const struct qemu_proc *p, struct err *e)
{
	struct runstate rs = { .pid = p->pid, .start_time = p->start_time };
	const struct job *j = ctx;

	rs.m = j->r->m;
	rs.m.vms = j->mv;
	rs.m.nvms = 1;
	/* The note of a QEMU that died paused is not about this one. */
	if (runstate_clear_pause(j->mv->vm.name, e) < 0)
		return -1;
	return runstate_save(&rs, e);
}

static int on_connected(struct load *l, struct err *e)
{
	struct job *j = l->ctx;

	(void)e;
	FAULT(qemu_connected);
	marks_take(&j->r->marks, PHASE_CONNECTED, j->mv->index);
	return 0;
}

static int on_loaded(struct load *l, struct err *e)
{
	struct job *j = l->ctx;

	(void)e;
	FAULT(state_loaded);
	marks_take(&j->r->marks, PHASE_LOADED, j->mv->index);
	return 0;
}

static int on_commit(struct load *l, struct err *e)
{
	struct job *j = l->ctx;

	/* It runs already, by somebody else's doing: nothing comes before the
	 * record that keeps it from being resumed a second time. */
	if (l->resumed)
		return write_record(j, VM_RELEASED, ERR_NONE, e);
	/* The disks again: QEMU has been starting for a while. */
	if (check_disks(j->r, j->mv, true, true, e) < 0 ||
	    check_mapped(j->r, j->mv, j->proc.pid, e) < 0 || check_ram(j->r, j->mv, false, e) < 0 ||
	    write_record(j, VM_RELEASED, ERR_NONE, e) < 0)
		return -1;
	marks_take(&j->r->marks, PHASE_RELEASED, j->mv->index);
	return FAULT_FAILS(released, e) ? -1 : 0;
}

static int on_running(struct load *l, struct err *e)
{
	struct job *j = l->ctx;

	FAULT(vm_continued);
	j->running_tsc = marks_now();
	j->out->result = RESTORE_RUNNING;
	marks_take(&j->r->marks, PHASE_RUNNING, j->mv->index);
	if (write_record(j, VM_RUNNING, ERR_NONE, e) < 0)
		return -1;
	FAULT(running_recorded);
	return 0;
}

static const struct snapshot *snapshot_of(const struct job *j)
{
	return j->mv->vm.transport == VM_STATE_SNAPSHOT ? &j->mv->snapshot : NULL;
}

static int launch(struct job *j, struct err *e)
{
	struct restore *r = j->r;
	struct qemu_launch launch = {
		.vm = &j->mv->vm,
		.incoming = load_incoming(snapshot_of(j)),
		.root = r->root,
		.survive = decide_in_initramfs(r->who),
		.scope = unit_manager_present() ? j->mv->scope : NULL,
		.born = note_born,
		.ctx = j,
	};

	if (restore_ram(r, j->mv, launch.ram, e) < 0 || qemu_start(&launch, &j->proc, e) < 0 ||
	    FAULT_FAILS(qemu_started, e))
		return -1;
	marks_take(&r->marks, PHASE_SPAWNED, j->mv->index);
	if (!r->cpu_exec_us)
		r->cpu_exec_us = restore_cpu_us();
	qmp_init(&j->qmp, steal_fd(&j->proc.ctl));
	j->load = (struct load){
		.vm_name = j->mv->vm.name,
		.state_fd = j->state_fd,
		.snapshot = snapshot_of(j),
		.cpr_reboot = j->mv->cpr_reboot,
		.run = j->mv->was_running,
		.connected = on_connected,
		.loaded = on_loaded,
		.commit = on_commit,
		.running = on_running,
		.ctx = j,
	};
	load_plan(&j->plan, &j->load, &j->qmp, j->proc.pidfd, j->mv->vm.timeout_ms);
	j->going = true;
	return 0;
}

/* A resume that failed: what stays in the ledger, and what of the process. */
static void settle(struct job *j)
{
	struct err *why = &j->out->err;
	struct err e = { 0 };

	if (why->kind == ERR_EXITED || why->kind == ERR_SPAWN)
		qemu_last_words(j->mv->vm.name, why);
	j->out->result = RESTORE_FAILED;
	switch (decide_aftermath(why->kind, j->r->who, j->load.committed && !j->load.never_ran)) {
	case AFTER_DOUBT:
		/* It may be running: not ours to kill. */
		qemu_proc_release(&j->proc);
		return;
	case AFTER_LATER:
		j->out->result = RESTORE_LATER;
		/* `cont` was never sent or never obeyed: that RELEASED was
		 * written, or half written, must not end its way. */
		if (j->claimed && j->rec.state == VM_RELEASED &&
		    write_record(j, VM_CLAIMED, ERR_NONE, &e) < 0)
			log_err("vm %s: %s", j->mv->vm.name, e.msg);
		break;
	case AFTER_KEEP:
		/* What was not claimed stays what it was found as. */
		if ((j->claimed || j->rec.state == VM_CLAIMED) &&
		    write_record(j, VM_FAILED, why->kind, &e) < 0)
			log_err("vm %s: %s", j->mv->vm.name, e.msg);
		break;
	}
	FAULT(failure_recorded);
	qemu_proc_kill(&j->proc);
	FAULT(failed_qemu_killed);
	if (j->claimed && runstate_forget(j->mv->vm.name, &e) < 0)
		log_warn("vm %s: %s", j->mv->vm.name, e.msg);
}

/* Somebody else continued it before RELEASED could be persisted: as good as
 * released, and the record must say so before anything else can read it. */
static void settle_foreign(struct job *j)
{
	struct err e = { 0 };

	j->out->result = RESTORE_FAILED;
	j->out->err = j->plan.err;
	if (write_record(j, VM_RELEASED, ERR_NONE, &e) < 0)
		log_err("vm %s: it runs, but its record does not say so: %s", j->mv->vm.name, e.msg);
	qemu_proc_release(&j->proc);
}

static void job_end(struct job *j)
{
	if (j->going && j->plan.failed && j->load.resumed && !j->load.committed) {
		settle_foreign(j);
	} else if (j->going && j->plan.failed && !j->load.resumed) {
		j->out->err = j->plan.err;
		settle(j);
	} else if (j->going) {
		j->out->result = RESTORE_RUNNING;
		if (j->plan.failed)
			log_warn("vm %s: %s", j->mv->vm.name, j->plan.err.msg);
	}
	load_finish(&j->load);
	qmp_close(&j->qmp);
	qemu_proc_release(&j->proc);
	scope_close(&j->state_fd);
}

/* What is left of the common deadline, at least 1; or @timeout_ms, if less. */
static int time_left(const struct restore *r, int timeout_ms)
{
	int64_t left = r->deadline ? r->deadline - io_now_ms() : timeout_ms;

	return left < 1 ? 1 : left < timeout_ms ? (int)left : timeout_ms;
}

static void job_start(struct job *j)
{
	if (!consider(j))
		return;
	/* Claiming what there is no time for would only cost an attempt. */
	if (j->r->deadline && io_now_ms() >= j->r->deadline) {
		err_set(&j->out->err, ERR_TIMEOUT,
			"the time for all VMs (rd.holdover.timeout) was over before its turn");
		j->out->result = RESTORE_LATER;
		return;
	}
	if (claim(j, &j->out->err) < 0 || launch(j, &j->out->err) < 0)
		settle(j);
}

/* When all run: no VM waits for another's agent. */
static void set_clocks(struct restore *r, const struct job *jobs, unsigned int n)
{
	struct guest_clock g[VM_MAX];
	unsigned int ng = 0;

	for (unsigned int i = 0; i < n; i++)
		if (jobs[i].out->result == RESTORE_RUNNING && jobs[i].running_tsc &&
		    jobs[i].mv->was_running)
			g[ng++] = (struct guest_clock){ jobs[i].mv, jobs[i].running_tsc };
	guest_clocks_set(r, g, ng, time_left(r, GUEST_AGENT_TIMEOUT_MS));
}

int restore_vms(struct restore *r, struct restore_report *report, struct err *e)
{
	struct manifest_vm *order[VM_MAX];
	struct plan *plans[VM_MAX];
	_cleanup_free_ struct job *jobs = calloc(VM_MAX, sizeof(*jobs));
	unsigned int n, nplans = 0;

	memset(report, 0, sizeof(*report));
	if (!jobs)
		return err_set(e, ERR_IO, "out of memory");
	n = restore_order(r, order);
	if (r->only && !n)
		return err_set(e, ERR_ABSENT, "the manifest has no VM %s", r->only);
	for (unsigned int i = 0; i < n; i++)
		report->vm[i].result = RESTORE_UNDECIDED;
	report->vms = n;
	report->known = true;
	for (unsigned int i = 0; i < n; i++) {
		struct job *j = &jobs[i];

		*j = (struct job){ .r = r,
				   .mv = order[i],
				   .out = &report->vm[i],
				   .proc = QEMU_PROC_INIT,
				   .qmp = { .fd = -1 },
				   .state_fd = -1 };
		memcpy(j->out->name, order[i]->vm.name, sizeof(j->out->name));
		job_start(j);
		if (j->going)
			plans[nplans++] = &j->plan;
	}
	for (unsigned int i = 0; i < nplans; i++)
		plans[i]->timeout_ms = time_left(r, plans[i]->timeout_ms);
	plan_run(plans, nplans);
	for (unsigned int i = 0; i < n; i++)
		job_end(&jobs[i]);
	set_clocks(r, jobs, n);
	restore_count(report);
	return 0;
}
