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
 * that has ended shows as @pidfd -1. */
_must_check_ int runstate_load(const char *name, struct runstate *out, struct err *e);

/** runstate_names() - names of all VMs with a state.json, sorted, at most
 * VM_MAX. Returns how many, or -1. */
int runstate_names(char names[VM_MAX][VM_NAME_MAX + 1], struct err *e);

/** runstate_forget() - remove state.json, the sockets and the notes of a VM;
 * qemu.log stays. */
_must_check_ int runstate_forget(const char *name, struct err *e);

/*
 * The pause note, RUN_DIR/NAME/paused: written before Holdover stops a VM, so
 * that `holdover abort` after a crash of the stage knows what was running.
 */
_must_check_ int runstate_note_pause(const char *name, bool was_running, struct err *e);
/** runstate_read_pause() - ABSENT if Holdover has not paused it. */
_must_check_ int runstate_read_pause(const char *name, bool *was_running, struct err *e);
_must_check_ int runstate_clear_pause(const char *name, struct err *e);

#endif
