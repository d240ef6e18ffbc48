/* SPDX-License-Identifier: GPL-2.0-only */
/* The stage's side of a VM's way: pause, save the device state, or go on. */
#ifndef HOLDOVER_SAVE_H
#define HOLDOVER_SAVE_H

#include "snapshot.h"

/**
 * struct save - one VM being saved; zero it, then fill in the names and hooks
 * @vm_name: not owned
 * @pausing: called with @was_running known, before `stop` is sent: writes the
 *	pause note; -1 fails the plan with the VM running on
 * @paused: called when the VM is paused; takes the time
 * @saved: called when the state is complete in @state_fd and QEMU says
 *	postmigrate
 * @ctx: for the hooks
 * @snapshot: set its name, and the state goes into a snapshot of that name in
 *	the VM's first writable qcow2 image; result: what QEMU says of it.
 *	@state_fd then has words only
 * @was_running: result: run state before; a VM in another state than running,
 *	paused or postmigrate (crashed, in migration) is REFUSED. One in
 *	postmigrate counts as paused by its owner; @pausing may correct that.
 * @cpr_reboot: result: saved with mode=cpr-reboot
 * @state_fd: result: memfd with the state, sealed against changes, owned;
 *	save_finish() closes it
 * @state_len: result: bytes
 * @stopped: result: `stop` has been sent: the VM may be paused because of us
 * @resumed: result: somebody continued it after it was saved
 * @snapshots: for save_resume_plan(): its transport is VM_STATE_SNAPSHOT
 */
struct save {
	const char *vm_name;
	int (*pausing)(struct save *s, struct err *e);
	void (*paused)(struct save *s);
	void (*saved)(struct save *s);
	void *ctx;
	struct snapshot snapshot;
	bool was_running;
	bool cpr_reboot;
	int state_fd;
	uint64_t state_len;
	bool stopped;
	bool resumed;
	bool snapshots;
	/* private */
	int write_fd;
	struct migrate_uri to;
	bool ready;
	bool thaw;
	bool held;
	bool ended;
	unsigned int awaited;
	unsigned int version;
	uint64_t max_bandwidth;
	char node[SNAPSHOT_NODE_MAX];
};

/** save_plan() - set up @p for greeting, capabilities, pause and save; ends in
 * postmigrate (into a snapshot: paused) with the connection open.
 *
 * All that can be done while the VM runs is done before it is paused. QEMU
 * refuses to save a VM twice without `cont` in between; one that is found in
 * postmigrate is continued and paused again at once, and runs for less than a
 * millisecond.
 */
void save_plan(struct plan *p, struct save *s, struct qmp *q, int pidfd, int timeout_ms);

/** save_check_plan() - a later plan on the same connection: QEMU must still be
 * in postmigrate (into a snapshot: paused) and have been continued by nobody (else REFUSED and
 * @resumed). */
void save_check_plan(struct plan *p, struct save *s, struct qmp *q, int pidfd, int timeout_ms);

/** save_resume_plan() - `cont` and wait for RESUME on the same connection or a
 * fresh one (@greeted false); no `cont` if it was not running before.
 *
 * A save that is still under way is cancelled first. At the end QEMU's
 * migration settings are as an operator expects them, so that he can move the
 * VM elsewhere, and with @snapshots none of Holdover's is left in its images.
 * Only @vm_name and @was_running need to be known.
 */
void save_resume_plan(struct plan *p, struct save *s, struct qmp *q, int pidfd, int timeout_ms,
		      bool greeted);

/** save_finish() - close the state; harmless when there is none. */
void save_finish(struct save *s);

#endif
