/* SPDX-License-Identifier: GPL-2.0-only */
/* The agent's side of a VM's way: load the device state, commit, continue. */
#ifndef HOLDOVER_LOAD_H
#define HOLDOVER_LOAD_H

#include "snapshot.h"

/**
 * struct load - one VM being resumed, in one plan from greeting to announce
 * @vm_name: not owned
 * @state_fd: memfd with the device state; stays the caller's
 * @snapshot: NULL, or where the device state really is; not owned
 * @cpr_reboot: it was saved with mode=cpr-reboot
 * @run: continue it; false: it had been paused by its owner and stays so
 * @connected: called when QEMU has answered; takes the time
 * @loaded: called when the state is loaded and QEMU says "paused"
 * @commit: called after @loaded, before `cont` is sent: persists RELEASED. -1
 *	fails the plan, and `cont` is never sent.
 * @running: called when QEMU has said RESUME (or right after @commit if @run
 *	is false): persists RUNNING
 * @ctx: for the hooks, any of which may be NULL
 * @committed: result: @commit has returned 0
 * @resumed: result: QEMU has said RESUME
 * @never_ran: result: `cont` was refused and QEMU says that it is still
 *	paused: what @commit has promised may be taken back
 */
struct load {
	const char *vm_name;
	int state_fd;
	const struct snapshot *snapshot;
	bool cpr_reboot;
	bool run;
	int (*connected)(struct load *l, struct err *e);
	int (*loaded)(struct load *l, struct err *e);
	int (*commit)(struct load *l, struct err *e);
	int (*running)(struct load *l, struct err *e);
	void *ctx;
	bool committed;
	bool resumed;
	bool never_ran;
	/* private */
	int read_fd;
	int empty_fd;
	char node[SNAPSHOT_NODE_MAX];
	struct migrate_uri from;
	bool ready;
	bool replied;
	bool ended;
	char refusal[256];
};

/** load_incoming() - is a QEMU that shall load from @snapshot (NULL: from the
 * ledger) started with -incoming defer? */
static inline bool load_incoming(const struct snapshot *snapshot)
{
	return !snapshot || snapshot->incoming;
}

/** load_plan() - set up @p to take the QEMU behind @q (started with -S, and as
 * load_incoming() says with -incoming defer) through @l.
 *
 * A state that QEMU cannot load ends QEMU: EXITED, its reason is in what it
 * wrote to stderr. A VM that is not paused when it should be, or that somebody
 * else continues, fails the plan before @commit.
 */
void load_plan(struct plan *p, struct load *l, struct qmp *q, int pidfd, int timeout_ms);

/** load_finish() - close what the plan opened; harmless at any time. */
void load_finish(struct load *l);

#endif
