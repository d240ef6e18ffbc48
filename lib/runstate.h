/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known about a running VM: RUN_DIR/NAME/state.json, written by
 * whoever started its QEMU, gone with the boot. The VM is described as it was
 * launched, whatever its configuration file says by now.
 */
#ifndef HOLDOVER_RUNSTATE_H
#define HOLDOVER_RUNSTATE_H

#include "manifest.h"

/**
 * struct runstate - one running VM
 * @pid: of QEMU
 * @start_time: of that process, see qemu_start_time()
 * @pidfd: of the process; -1 if it has ended. Owned; filled in by loading.
 * @m: a manifest with exactly this VM (blob and disks unused)
 */
struct runstate {
	pid_t pid;
	uint64_t start_time;
	int pidfd;
	struct manifest m;
};

#define RUNSTATE_INIT                  \
	{                              \
		.pid = -1, .pidfd = -1 \
	}

void runstate_free(struct runstate *rs);

/** runstate_save() - write RUN_DIR/NAME/state.json, 0600. */
_must_check_ int runstate_save(const struct runstate *rs, struct err *e);

/** runstate_load() - ABSENT if the VM was never started in this boot; a QEMU
 * that has ended, and only that, shows as @pidfd -1. */
_must_check_ int runstate_load(const char *name, struct runstate *out, struct err *e);

/** runstate_alive() - does a QEMU of VM @name live on this host?
 *
 * 1 with @out loaded (NULL: not wanted); 0 if it was never started in this boot
 * or has ended; -1 REFUSED if that cannot be told, which must not be taken for
 * "no": a second QEMU on the same RAM and disks destroys both.
 */
_must_check_ int runstate_alive(const char *name, struct runstate *out, struct err *e);

/** runstate_names() - names of all VMs with a state.json, sorted, at most
 * VM_MAX. Returns how many, or -1. */
int runstate_names(char names[VM_MAX][VM_NAME_MAX + 1], struct err *e);

/** runstate_forget() - remove state.json, the sockets and the notes of a VM;
 * qemu.log stays. REFUSED while its QEMU has not ended. */
_must_check_ int runstate_forget(const char *name, struct err *e);

/*
 * The pause note, RUN_DIR/NAME/paused: written before Holdover stops a VM, so
 * that `holdover abort` after a crash of the stage knows what was running.
 */
_must_check_ int runstate_note_pause(const char *name, bool was_running, struct err *e);
/** runstate_read_pause() - ABSENT if Holdover has not paused it. */
_must_check_ int runstate_read_pause(const char *name, bool *was_running, struct err *e);
_must_check_ int runstate_clear_pause(const char *name, struct err *e);

/**
 * struct runstate_lag - the note of what a jump did to a guest's wall clock,
 *	RUN_DIR/NAME/clock
 * @ms: how long the guest stood still
 * @set: its guest agent has set its clock since
 * @why: if not @set, why not
 */
struct runstate_lag {
	uint64_t ms;
	bool set;
	char why[200];
};

_must_check_ int runstate_note_lag(const char *name, const struct runstate_lag *lag, struct err *e);
/** runstate_read_lag() - ABSENT if the VM's QEMU was started afresh. */
_must_check_ int runstate_read_lag(const char *name, struct runstate_lag *lag, struct err *e);

/*
 * State records: what the ledger says, and RUN_DIR/NAME/record, a note of what
 * was last written in this boot. Whoever holds the DAX device can set a record
 * in the ledger back; it cannot reach the note.
 */

/** record_read() - the later of the two, if both are about the same jump
 * (generation and ticket). CHECKSUM and FORMAT: as ledger_record_read(), also
 * for a note that cannot be read. */
_must_check_ int record_read(const struct ledger *l, unsigned int index, const char *name,
			     struct vm_record *out, struct err *e);

/** record_write() - into the ledger, durable, then into the note. */
_must_check_ int record_write(struct ledger *l, unsigned int index, const char *name,
			      const struct vm_record *rec, struct err *e);

/** record_later() - make @rec the later one of @rec and @note. */
void record_later(struct vm_record *rec, const struct vm_record *note);

#endif
