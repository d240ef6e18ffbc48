/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Undoing a jump that did not happen: `holdover abort`, and the stage itself
 * when a step fails. Both go the same way, so that it makes no difference who
 * comes to it.
 */
#ifndef HOLDOVER_ABORT_H
#define HOLDOVER_ABORT_H

#include "stage.h"

/**
 * struct undo - what is known and done so far
 * @undone: records that were made ABORTED here
 * @unreadable: VMs whose record cannot be read
 * @seals: seals undone
 * @paused: VMs found paused by a stage
 * @continued: those that run on
 * @failed: what could not be done
 * @pending: state of some VM waits, for which the tickets are needed
 * @loaded: a kernel was loaded
 * @dropped: none is any more
 * @no_ledger: it cannot be opened
 * @keep_kernel: set by the caller: what is loaded is not Holdover's
 * @said: sentences about what could not be done, one a line. They are kept back,
 *	since a terminal that takes nothing more would keep VMs paused
 */
struct undo {
	struct vm_record undone[VM_MAX];
	bool unreadable[VM_MAX];
	unsigned int seals, paused, continued, failed;
	bool pending, loaded, dropped, no_ledger, keep_kernel;
	char said[16384];
};

/** undo_fail() - note that something could not be done. */
void undo_fail(struct undo *u, const struct err *e);

/** undo_tell() - print what was noted. */
void undo_tell(const struct undo *u);

/**
 * abort_jump() - the four steps, VM by VM, so that one that is stuck keeps no
 * other paused: ABORTED persisted, kernel unloaded, VMs continued, tickets
 * removed
 *
 * @have_ledger: false: it cannot be opened, so no seal can be undone. Then a VM
 *	goes on only after the kernel and all tickets are gone, without which
 *	nobody can use a seal
 *
 * Goes for the VMs of @s with @paused_here set. A sealed VM whose QEMU has ended
 * becomes RELEASED, since somebody may have continued it before. Where something
 * fails, @u says what, and what is to be done about it.
 */
void abort_jump(struct stage *s, bool have_ledger, struct undo *u);

#endif
