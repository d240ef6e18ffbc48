/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stage: from running VMs to a sealed ledger and a loaded kernel, and back
 * again when anything fails before the jump.
 */
#ifndef HOLDOVER_STAGE_H
#define HOLDOVER_STAGE_H

#include "host.h"
#include "marks.h"
#include "runstate.h"
#include "save.h"
#include "target.h"

/**
 * struct stage_vm - one running VM on its way into the ledger
 * @rs: what is known about it
 * @disks: its images, as identified after the save
 * @qmp: connection of the plans
 * @save: result of the save
 * @plan: current plan
 * @blob: where its device state lies
 * @next_version: of the QEMU on disk, as preflight_vms() found it; 0: unknown
 * @canary: of each part of its RAM, as sealed
 * @paused_tsc: time stamp counter when it was paused
 * @paused_here: there is a pause note that this program answers for
 * @sealed: its record says SEALED, or may say so: it must not run on
 */
struct stage_vm {
	struct runstate rs;
	struct disk *disks;
	unsigned int ndisks;
	struct qmp qmp;
	struct save save;
	struct plan plan;
	struct blob_ref blob;
	unsigned int next_version;
	struct canary canary[VM_PARTS_MAX];
	uint64_t paused_tsc;
	bool paused_here;
	bool sealed;
	struct stage *stage;
};

/**
 * struct stage - one jump in the making
 * @h: host with lock and ledger, not owned
 * @vm: @n VMs, sorted by name
 * @ticket: of this jump, made by stage_make_ticket()
 * @rehearsal: the save is not for good: it leaves no marks
 * @loaded: a kernel has been loaded, or tried to
 * @ticket_saved: the second copy of the ticket may exist
 * @armed: it was made when the jump was armed; /var may be unmounted by now
 */
struct stage {
	struct host *h;
	struct stage_vm *vm;
	unsigned int n;
	struct ticket ticket;
	uint8_t ticket_id[16];
	uint8_t boot_id[16];
	struct marks marks;
	struct marks_rate rate;
	bool rehearsal;
	bool loaded;
	bool ticket_saved;
	bool armed;
};

void stage_init(struct stage *s, struct host *h);
void stage_close(struct stage *s);

/** stage_collect() - find the running VMs of this host; ABSENT if none runs. */
_must_check_ int stage_collect(struct stage *s, struct err *e);

/** stage_collect_some() - as stage_collect(), also if none runs, leaving out
 * VMs of which nobody can tell: returns how many, with the last reason, or -1. */
int stage_collect_some(struct stage *s, struct err *e);

/** stage_examine() - ask one VM's QEMU what could stop a save: run state,
 * migration blockers, disks, devices that its command line does not know of.
 * The VM runs on. */
_must_check_ int stage_examine(struct stage_vm *v, struct err *e);

/** stage_save_all() - pause and save all VMs in parallel. On failure some are
 * paused: stage_continue_all() must follow. */
_must_check_ int stage_save_all(struct stage *s, struct err *e);

/** stage_continue_all() - let all VMs that were running run on, if they were
 * paused by this program (@paused_here: one that an earlier stage left paused
 * may be sealed) and are not @sealed. Returns how many do not, with the last
 * reason in @e. */
unsigned int stage_continue_all(struct stage *s, struct err *e);

/** stage_make_ticket() - a ticket for the next generation. */
_must_check_ int stage_make_ticket(struct stage *s, struct err *e);

/** stage_load_kernel() - unload what is loaded, load @t with the ticket. */
_must_check_ int stage_load_kernel(struct stage *s, const struct target *t, struct err *e);

/** stage_seal() - device state into the ledger, ticket copy, manifest, records,
 * and everything read back. */
_must_check_ int stage_seal(struct stage *s, struct err *e);

/** stage_recheck() - every VM still in postmigrate, continued by nobody. */
_must_check_ int stage_recheck(struct stage *s, struct err *e);

/** stage_drop_kernel() - unload the kernel, trying twice. */
_must_check_ int stage_drop_kernel(struct err *e);

/** stage_listen() - what the QEMUs have said since, without asking or waiting:
 * REFUSED if somebody has continued a VM, EXITED if one has ended. */
_must_check_ int stage_listen(struct stage *s, struct err *e);

/** stage_abort() - undo everything, see abort.h, and say what could not be
 * undone. Returns 0 if all was; does nothing before the first step that would
 * have to be undone. */
_must_check_ int stage_abort(struct stage *s);

/** stage_state_bytes() - bytes of device state of all saved VMs, as they will
 * lie in the blob area. */
uint64_t stage_state_bytes(const struct stage *s);

/** stage_drop_states() - close the saved states of a rehearsal. */
void stage_drop_states(struct stage *s);

#endif
