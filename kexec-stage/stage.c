/* SPDX-License-Identifier: GPL-2.0-only */
#include "stage.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disk.h"
#include "fault.h"
#include "inventory.h"
#include "kexec.h"
#include "qemu.h"
#include "vmctl.h"

/* Blobs begin on pages, so that one can be looked at without its neighbours. */
#define BLOB_ALIGN 4096

void stage_init(struct stage *s, struct host *h)
{
	memset(s, 0, sizeof(*s));
	s->h = h;
	marks_rate_start(&s->rate);
}

static void stage_vm_free(struct stage_vm *v)
{
	save_finish(&v->save);
	qmp_close(&v->qmp);
	for (unsigned int i = 0; i < v->ndisks; i++)
		free(v->disks[i].path);
	free(v->disks);
	runstate_free(&v->rs);
}

void stage_close(struct stage *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		stage_vm_free(&s->vm[i]);
	free(s->vm);
	ticket_wipe(&s->ticket);
	memset(s, 0, sizeof(*s));
}

int stage_collect_some(struct stage *s, struct err *e)
{
	char names[VM_MAX][VM_NAME_MAX + 1];
	int n = runstate_names(names, e), unknown = 0;

	if (n < 0)
		return -1;
	s->vm = calloc(VM_MAX, sizeof(*s->vm));
	if (!s->vm)
		return err_sys(e, ENOMEM, "VMs");
	for (int i = 0; i < n; i++) {
		struct stage_vm *v = &s->vm[s->n];

		v->stage = s;
		v->qmp.fd = -1;
		v->save.state_fd = v->save.write_fd = -1;
		v->rs = (struct runstate)RUNSTATE_INIT;
		switch (runstate_alive(names[i], &v->rs, e)) {
		case 0: /* has ended; nothing to carry over */
			break;
		case 1:
			s->n++;
			break;
		default:
			unknown++;
		}
	}
	return unknown;
}

int stage_collect(struct stage *s, struct err *e)
{
	if (stage_collect_some(s, e))
		return -1;
	if (!s->n)
		return err_set(e, ERR_ABSENT, "no VM runs on this host");
	return 0;
}

static const char *name_of(const struct stage_vm *v)
{
	return v->rs.m.vms[0].vm.name;
}

static unsigned int index_of(const struct stage_vm *v)
{
	return v->rs.m.vms[0].index;
}

int stage_examine(struct stage_vm *v, struct err *e)
{
	struct inventory inv _cleanup_inventory_ = { .item = NULL };
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct err none = { 0 };
	char status[32];
	bool was_running;

	if (vmctl_open(name_of(v), &q, NULL, e) < 0 || vmctl_status(&q, status, sizeof(status), e) < 0)
		return -1;
	if (runstate_read_pause(name_of(v), &was_running, &none) == 0)
		return err_set(e, ERR_REFUSED,
			       "an earlier jump left it %s; run 'holdover abort' first", status);
	/* A VM that its owner has paused is in postmigrate after a rehearsal. */
	if (strcmp(status, "running") && strcmp(status, "paused") && strcmp(status, "postmigrate") &&
	    (v->rs.m.vms[0].vm.transport != VM_STATE_SNAPSHOT || strcmp(status, "prelaunch")))
		return err_set(e, ERR_REFUSED,
			       "QEMU says '%s'; only running and paused VMs can be saved", status);
	for (unsigned int i = 0; i < v->ndisks; i++)
		free(v->disks[i].path);
	v->ndisks = 0;
	if (vmctl_blockers(&q, e) < 0 || inventory_read(&q, &inv, e) < 0 ||
	    inventory_check(&v->rs.m.vms[0], &inv, e) < 0)
		return -1;
	return vmctl_disks(&q, &v->disks, &v->ndisks, e);
}

/* ---- pause and save ---------------------------------------------------- */

static int on_pausing(struct save *sv, struct err *e)
{
	struct stage_vm *v = sv->ctx;

	if (runstate_note_pause(sv->vm_name, sv->was_running, e) < 0)
		return -1;
	v->paused_here = true;
	return FAULT_FAILS(pause_noted, e) ? -1 : 0;
}

static void on_paused(struct save *sv)
{
	struct stage_vm *v = sv->ctx;

	FAULT(paused);
	v->paused_tsc = marks_now();
	if (!v->stage->rehearsal)
		marks_take(&v->stage->marks, PHASE_PAUSED, index_of(v));
}

static void on_saved(struct save *sv)
{
	struct stage_vm *v = sv->ctx;

	FAULT(saved);
	if (!v->stage->rehearsal)
		marks_take(&v->stage->marks, PHASE_SAVED, index_of(v));
}

static int connect_vm(struct stage_vm *v, struct err *e)
{
	char path[256];
	int fd;

	if (io_path(path, sizeof(path), e, HOLDOVER_RUN_DIR "/%s/ctl.sock", name_of(v)) < 0)
		return -1;
	fd = qmp_connect(path, e);
	if (fd < 0)
		return -1;
	qmp_close(&v->qmp);
	qmp_init(&v->qmp, fd);
	return 0;
}

/* Runs the plans that are set up; the first failure becomes the error. */
static int run_plans(struct stage *s, struct err *e)
{
	struct plan *plans[VM_MAX];

	for (unsigned int i = 0; i < s->n; i++)
		plans[i] = &s->vm[i].plan;
	if (!plan_run(plans, s->n))
		return 0;
	for (unsigned int i = 0; i < s->n; i++) {
		if (!plans[i]->failed)
			continue;
		*e = plans[i]->err;
		return err_wrap(e, "vm %s", name_of(&s->vm[i]));
	}
	return err_set(e, ERR_PROTOCOL, "a plan failed without saying why");
}

int stage_save_all(struct stage *s, struct err *e)
{
	for (unsigned int i = 0; i < s->n; i++) {
		struct stage_vm *v = &s->vm[i];

		save_finish(&v->save);
		v->save = (struct save){
			.vm_name = name_of(v),
			.pausing = on_pausing,
			.paused = on_paused,
			.saved = on_saved,
			.ctx = v,
			.state_fd = -1,
			.write_fd = -1,
		};
		if (v->rs.m.vms[0].vm.transport == VM_STATE_SNAPSHOT)
			snapshot_name(s->ticket.generation, v->save.snapshot.name);
		if (connect_vm(v, e) < 0)
			return err_wrap(e, "vm %s", name_of(v));
	}
	for (unsigned int i = 0; i < s->n; i++)
		save_plan(&s->vm[i].plan, &s->vm[i].save, &s->vm[i].qmp, s->vm[i].rs.pidfd,
			  s->h->cfg.save_timeout_ms);
	return run_plans(s, e);
}

/* A fresh connection: the old one may be in the middle of anything. */
static int continue_begin(struct stage_vm *v, struct err *e)
{
	v->save.vm_name = name_of(v);
	v->save.snapshots = v->rs.m.vms[0].vm.transport == VM_STATE_SNAPSHOT;
	if (runstate_read_pause(name_of(v), &v->save.was_running, e) < 0 || connect_vm(v, e) < 0)
		return -1;
	save_resume_plan(&v->plan, &v->save, &v->qmp, v->rs.pidfd, VMCTL_TIMEOUT_MS, false);
	return 0;
}

static int continue_end(struct stage_vm *v, struct err *e)
{
	if (v->plan.failed) {
		*e = v->plan.err;
		return -1;
	}
	FAULT(continued);
	if (runstate_clear_pause(name_of(v), e) < 0)
		return -1;
	FAULT(pause_note_cleared);
	v->paused_here = false;
	return 0;
}

/* All at once: one that hangs holds up no other. */
unsigned int stage_continue_all(struct stage *s, struct err *e)
{
	struct stage_vm *going[VM_MAX];
	struct plan *plans[VM_MAX] = { NULL };
	unsigned int n = 0, failed = 0;

	for (unsigned int i = 0; i < s->n; i++) {
		struct stage_vm *v = &s->vm[i];
		struct err why = { 0 };

		if (!v->paused_here || v->sealed)
			continue;
		if (continue_begin(v, &why) == 0) {
			going[n] = v;
			plans[n++] = &v->plan;
			continue;
		}
		*e = why;
		err_wrap(e, "vm %s", name_of(v));
		failed++;
	}
	plan_run(plans, n);
	for (unsigned int i = 0; i < n; i++) {
		struct err why = { 0 };

		if (continue_end(going[i], &why) == 0)
			continue;
		*e = why;
		err_wrap(e, "vm %s", name_of(going[i]));
		failed++;
	}
	return failed;
}

uint64_t stage_state_bytes(const struct stage *s)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < s->n; i++)
		sum += (s->vm[i].save.state_len + BLOB_ALIGN - 1) & ~(uint64_t)(BLOB_ALIGN - 1);
	return sum;
}

void stage_drop_states(struct stage *s)
{
	for (unsigned int i = 0; i < s->n; i++) {
		save_finish(&s->vm[i].save);
		s->vm[i].save.state_fd = s->vm[i].save.write_fd = -1;
		qmp_close(&s->vm[i].qmp);
	}
}

/* ---- the next kernel ---------------------------------------------------- */

int stage_make_ticket(struct stage *s, struct err *e)
{
	uint64_t generation;

	if (io_boot_id(s->boot_id, e) < 0 || ledger_generation(&s->h->ledger, &generation, e) < 0 ||
	    ticket_make(&s->ticket, &s->h->ledger.geo, generation + 1, e) < 0)
		return -1;
	ticket_id(&s->ticket, s->ticket_id);
	return 0;
}

int stage_load_kernel(struct stage *s, const struct target *t, struct err *e)
{
	_cleanup_close_ int initrd = -1;
	struct buf cpio = { 0 };

	if (kexec_unload(e) < 0)
		return -1;
	FAULT(other_kernel_unloaded);
	if (ticket_cpio(&s->ticket, &cpio, e) < 0)
		return -1;
	initrd = kexec_initrd(t->initrd, &cpio, e);
	sodium_memzero(cpio.data, cpio.len);
	buf_free(&cpio);
	if (initrd < 0)
		return -1;
	s->loaded = true;
	if (kexec_load_file(t->kernel, initrd, t->cmdline, e) < 0)
		return -1;
	return FAULT_FAILS(kernel_loaded, e) ? -1 : 0;
}

static int listen_to(struct stage_vm *v, struct err *e)
{
	struct pollfd end = { .fd = v->rs.pidfd, .events = POLLIN };
	int rc = 0;

	while (rc == 0) {
		_cleanup_qmp_msg_ struct qmp_msg m = { 0 };
		int more = qmp_next(&v->qmp, &m, e);

		if (more < 0)
			return -1;
		if (more > 0 && m.type == QMP_EVENT && !strcmp(m.name, "RESUME"))
			return err_set(e, ERR_REFUSED,
				       "somebody has continued the VM after it was saved");
		if (more == 0)
			rc = qmp_fill(&v->qmp, e);
	}
	if (rc < 0)
		return -1;
	if (rc == 1 || poll(&end, 1, 0) > 0)
		return err_set(e, ERR_EXITED, "QEMU has ended after the save");
	return 0;
}

int stage_listen(struct stage *s, struct err *e)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (listen_to(&s->vm[i], e) < 0)
			return err_wrap(e, "vm %s", name_of(&s->vm[i]));
	return 0;
}

int stage_recheck(struct stage *s, struct err *e)
{
	for (unsigned int i = 0; i < s->n; i++)
		save_check_plan(&s->vm[i].plan, &s->vm[i].save, &s->vm[i].qmp, s->vm[i].rs.pidfd,
				VMCTL_TIMEOUT_MS);
	return run_plans(s, e);
}
