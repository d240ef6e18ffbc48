/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy.h"

#include <string.h>
#include <unistd.h>

#include "decide.h"
#include "fault.h"
#include "log.h"
#include "runstate.h"
#include "start.h"
#include "unit.h"

static const struct manifest_vm *manifest_find(const struct restore *r, const char *name)
{
	for (unsigned int i = 0; i < r->m.nvms; i++)
		if (!strcmp(r->m.vms[i].vm.name, name))
			return &r->m.vms[i];
	return NULL;
}

/* Everything that could be wrong with a fresh start, as long as there is still
 * something to lose. */
static int load_fresh(const struct app *app, const char *name, struct vm *vm, struct err *e)
{
	char dir[4096];
	int alive;

	if (host_vms_dir(app, dir, sizeof(dir), e) < 0 || vm_load(dir, name, vm, e) < 0)
		return -1;
	if (access(vm->qemu, X_OK) < 0)
		return err_set(e, ERR_ABSENT, "%s cannot be executed", vm->qemu);
	alive = runstate_alive(name, NULL, e);
	if (alive > 0)
		return err_set(e, ERR_REFUSED, "its QEMU is alive");
	return alive;
}

static int cold_boot(const struct app *app, struct host *h, const struct manifest_vm *mv,
		     struct vm_record *rec, struct restore_outcome *out, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct vm vm _cleanup_vm_ = { 0 };

	if (load_fresh(app, out->name, &vm, e) < 0)
		return err_wrap(e, "cannot be started afresh, state kept");
	if (host_consume(h, mv->index, out->name, rec, e) < 0)
		return -1;
	out->result = RESTORE_GIVEN_UP;
	FAULT(cold_boot_consumed);
	if (start_vm(h, &vm, &rs, e) < 0)
		return err_wrap(e, "its state was given up, but the fresh start failed");
	out->result = RESTORE_COLD_BOOTED;
	return 0;
}

static int apply(const struct app *app, struct host *h, const struct restore *r,
		 const struct manifest_vm *mv, struct vm_record *rec, struct restore_outcome *out,
		 struct err *e)
{
	switch (decide_policy(mv->vm.on_failure, out->err.kind, rec, r->boot_id)) {
	case POLICY_KEEP:
		return 0;
	case POLICY_COLD_BOOT:
		return cold_boot(app, h, mv, rec, out, e);
	case POLICY_GIVE_UP:
		if (host_consume(h, mv->index, out->name, rec, e) < 0)
			return -1;
		FAULT(state_given_up);
		out->result = RESTORE_GIVEN_UP;
		return 0;
	}
	return 0;
}

static void start_unit(const struct manifest_vm *mv)
{
	_cleanup_free_ char *unit = vm_failure_instance(&mv->vm);
	struct err e = { 0 };

	if (unit && unit_start(unit, "replace", &e) < 0)
		log_warn("vm %s: on-failure-unit: %s", mv->vm.name, e.msg);
}

static void settle(const struct app *app, struct host *h, const struct restore *r,
		   struct restore_outcome *out)
{
	const struct manifest_vm *mv = manifest_find(r, out->name);
	struct err e = { 0 };
	struct vm_record rec;
	bool same_boot, now;

	if (!mv || (out->result != RESTORE_FAILED && out->result != RESTORE_KEPT))
		return;
	if (record_read(&h->ledger, mv->index, out->name, &rec, &e) < 0) {
		log_warn("vm %s: %s", out->name, e.msg);
		return;
	}
	same_boot = !memcmp(rec.boot_id, r->boot_id, 16);
	/* What an earlier boot has tried for the last time, and told, is not
	 * told again. What was sealed in this one has not jumped. */
	now = out->result == RESTORE_FAILED ||
		(rec.state == VM_FAILED ? same_boot : rec.state != VM_SEALED || !same_boot);
	if (apply(app, h, r, mv, &rec, out, &e) < 0)
		log_err("vm %s: %s", out->name, e.msg);
	if (now || out->result != RESTORE_KEPT)
		start_unit(mv);
}

void policy_apply(const struct app *app, struct host *h, const struct restore *r,
		  struct restore_report *report)
{
	struct err e = { 0 };

	if (!(report->failed + report->kept))
		return;
	if (host_open_ledger(h, &e) < 0) {
		log_err("%s; what on-failure says is not done", e.msg);
		return;
	}
	for (unsigned int i = 0; i < report->vms; i++)
		settle(app, h, r, &report->vm[i]);
	restore_count(report);
}
