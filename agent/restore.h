/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The restore engine: from a ticket to running VMs. The agent runs it in the
 * initramfs, `holdover resume` in the running system.
 */
#ifndef HOLDOVER_RESTORE_H
#define HOLDOVER_RESTORE_H

#include "decide.h"
#include "manifest.h"
#include "marks.h"
#include "region.h"
#include "ticket.h"

/**
 * struct restore - one run of the engine
 * @who: on whose behalf
 * @root: where the host's root file system is mounted, or NULL for "/"
 * @only: resume only this VM, or NULL for all
 * @never_ran: see decide_resume()
 * @second_copy: the ticket did not come with this boot's initramfs but from
 *	the copy on disk: what happened since is not known
 * @cpu_modules_us: processor time of this process that loading modules took
 * @cpu_exec_us: processor time from its first instruction to the first QEMU's
 *	exec, modules included; 0 if none was started
 * @deadline: by io_now_ms(); after it no VM is started, and none is waited for;
 *	0: each VM's own timeout alone
 * @ticket: of the jump
 * @root_tried, @root_err: private: of sysroot_prepare(), which is done once
 * @store, @map, @ledger, @m: region, mapping, ledger and manifest, as opened
 * @region: by number, those beside the ledger's own; see restore_ram()
 */
struct restore {
	enum restore_who who;
	const char *root;
	const char *only;
	bool never_ran;
	bool second_copy;
	int64_t deadline;
	uint64_t cpu_modules_us;
	uint64_t cpu_exec_us;
	struct ticket ticket;
	uint8_t ticket_id[16];
	uint8_t boot_id[16];
	struct store store;
	struct pmem_map map;
	struct ledger ledger;
	struct manifest m;
	struct region region[LEDGER_REGIONS];
	struct marks marks;
	bool root_tried;
	struct err root_err;
};

/**
 * enum restore_result - how one VM fared
 * @RESTORE_NOT_TRIED: it had reached the end of its way before
 * @RESTORE_RUNNING: resumed (or paused, if its owner had paused it)
 * @RESTORE_LATER: left to a later placement
 * @RESTORE_KEPT: not tried, state kept; the error says why
 * @RESTORE_FAILED: tried without success; the error says why
 * @RESTORE_COLD_BOOTED: its state was given up, as on-failure says, and it was
 *	started afresh
 * @RESTORE_GIVEN_UP: its state was given up, as on-failure says
 * @RESTORE_UNDECIDED: the engine is not done with it
 */
enum restore_result {
	RESTORE_NOT_TRIED,
	RESTORE_RUNNING,
	RESTORE_LATER,
	RESTORE_KEPT,
	RESTORE_FAILED,
	RESTORE_COLD_BOOTED,
	RESTORE_GIVEN_UP,
	RESTORE_UNDECIDED,
};

const char *restore_result_name(enum restore_result r);

/** struct restore_outcome - one VM's result
 * @due: its placement has come, so that it was looked at
 * @before: it runs since an earlier pass of this boot
 * @disk_missing: LATER, and all that it waits for is a disk, or another device
 */
struct restore_outcome {
	char name[VM_NAME_MAX + 1];
	enum restore_result result;
	bool due, before, disk_missing;
	struct err err;
};

/** struct restore_report - what a run achieved; in the order of the attempts
 * @known: @vms is what there is, even if that is 0
 * @vm: up to date at any moment, also from a signal handler
 */
struct restore_report {
	bool known;
	struct restore_outcome vm[VM_MAX];
	unsigned int vms, running, failed, kept, later;
};

/** restore_cpu_us() - processor time that this process has used so far. */
uint64_t restore_cpu_us(void);

void restore_init(struct restore *r, enum restore_who who);
void restore_close(struct restore *r);

/** restore_open() - find region, namespace and ledger that @r->ticket names,
 * and read the manifest under its key. Changes nothing on the media. */
_must_check_ int restore_open(struct restore *r, struct err *e);

/** restore_ram() - where each part of a VM's RAM is in this boot. A region beside
 * the ledger's own is found, and its stamp checked, when the first VM needs it. */
_must_check_ int restore_ram(struct restore *r, const struct manifest_vm *mv,
			     struct ram out[VM_PARTS_MAX], struct err *e);

/** restore_vms() - resume every VM that may be resumed, in parallel, each
 * under its own deadline. -1 only if nothing could be tried at all. */
_must_check_ int restore_vms(struct restore *r, struct restore_report *report, struct err *e);

/** restore_count() - the numbers of @report, anew. */
void restore_count(struct restore_report *report);

/** restore_order() - the VMs that @r is about, in the order of their priority.
 * Returns how many. */
unsigned int restore_order(struct restore *r, struct manifest_vm *order[VM_MAX]);

/** restore_pending() - does any VM of the ledger still need the ticket? */
_must_check_ int restore_pending(const struct restore *r, bool *pending, struct err *e);

#endif
