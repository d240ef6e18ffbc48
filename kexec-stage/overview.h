/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything known about each VM of this host, from all its sources. */
#ifndef HOLDOVER_OVERVIEW_H
#define HOLDOVER_OVERVIEW_H

#include "host.h"
#include "runstate.h"

/**
 * struct overview_vm - one VM
 * @name: its name
 * @state: what a person would call it: "running", "paused", "stopped",
 *	"sealed", "kept", "saved", "unresponsive", ...
 * @detail: one sentence when there is something to do about it, else empty
 * @pid: of QEMU, 0 if none
 * @index: slot in the ledger, or -1
 * @extent: @parts of its RAM, if @index >= 0
 * @record: its state record, if @index >= 0
 * @record_bad: the record cannot be read; @detail says why
 * @placement: of the running VM
 * @resumed_at: at which placement it was resumed in this boot; empty if it was
 *	not
 * @moved_on: why not at earlier ones, or why it was not resumed at all yet
 * @expected: at which placement a jump would get it back, of a VM that was
 *	asked; NULL if not known
 * @expected_why: why not at the one that it is set to
 * @own_root: its QEMU does not see the host's root file system
 * @attached: disks that 'holdover attach' plugged in, "ID (PATH), ..."
 * @lag: what the jump did to its clock, if @have_lag
 */
struct overview_vm {
	char name[VM_NAME_MAX + 1];
	char state[24];
	char detail[512];
	pid_t pid;
	int index;
	struct extent extent[VM_PARTS_MAX];
	unsigned int parts;
	struct vm_record record;
	bool record_bad;
	const char *placement;
	char resumed_at[16];
	char moved_on[512];
	const char *expected;
	char expected_why[512];
	bool own_root;
	char attached[512];
	bool have_lag;
	struct runstate_lag lag;
};

struct overview {
	struct overview_vm vm[2 * VM_MAX];
	unsigned int n;
};

/** overview_collect() - @h may be without a ledger (@ledger false). Asks each
 * QEMU for its status only if @ask: not while a jump is under way, which uses
 * the same monitors. */
_must_check_ int overview_collect(const struct host *h, bool ledger, bool ask, struct overview *out,
				  struct err *e);

#endif
