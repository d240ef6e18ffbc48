/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plan is a const table of steps that one VM is taken through over QMP:
 * rehearse, save, load, go. plan_run() takes many VMs through theirs at once in
 * one poll() loop, so that a slow or broken VM never holds up another.
 */
#ifndef HOLDOVER_PLAN_H
#define HOLDOVER_PLAN_H

#include "qmp.h"

struct plan;

/** enum plan_verdict - what a step's callback wants to happen next */
enum plan_verdict {
	PLAN_FAIL = -1, /* the error argument was filled in */
	PLAN_WAIT = 0,	/* stay in this step: another reply or event will come */
	PLAN_NEXT = 1,	/* step is done */
};

/**
 * struct plan_step - one step
 * @name: for error texts, e.g. "migrate"
 * @begin: called once on entry; sends a command with plan_send() and returns
 *	PLAN_WAIT, or does something without QEMU and returns PLAN_NEXT.
 *	NULL: wait for the greeting, then negotiate capabilities (first step).
 * @reply: called with the "return" value of a command sent in this step;
 *	NULL: any successful reply means PLAN_NEXT. A reply with "error" fails
 *	the plan (REFUSED, QEMU's own words) unless @refused is given.
 * @event: called for each event while in this step; NULL: events are ignored
 * @refused: called instead of failing when QEMU answers with an error
 */
struct plan_step {
	const char *name;
	enum plan_verdict (*begin)(struct plan *p, struct err *e);
	enum plan_verdict (*reply)(struct plan *p, yyjson_val *ret, struct err *e);
	enum plan_verdict (*event)(struct plan *p, const char *name, yyjson_val *data, struct err *e);
	enum plan_verdict (*refused)(struct plan *p, const char *desc, struct err *e);
};

/**
 * struct plan - one VM on its way
 * @vm_name: for the caller; not owned. Error texts begin with "step STEP: ",
 *	the caller puts the VM before it
 * @qmp: connection, owned by the caller
 * @pidfd: of QEMU, to notice its exit; -1 if unknown. Not owned.
 * @timeout_ms: for the whole plan, from plan_run(); <= 0: none
 * @steps: table
 * @nsteps: its length
 * @ctx: for the callbacks
 * @seen: called for every event in any step before the step's own @event
 *	(e.g. to notice a RESUME by somebody else); PLAN_FAIL ends the plan,
 *	anything else goes on; may be NULL
 * @version: of QEMU, from the greeting; a plan without a handshake step goes
 *	on with a connection of an earlier plan and gets it from the caller
 * @at: current step (result: where it stopped, @nsteps when all are done)
 * @failed: result; @err says why
 * @finished: done or failed
 * @took_ms: result: time from plan_run() to its end
 */
struct plan {
	const char *vm_name;
	struct qmp *qmp;
	int pidfd;
	int timeout_ms;
	const struct plan_step *steps;
	unsigned int nsteps;
	void *ctx;
	enum plan_verdict (*seen)(struct plan *p, const char *name, yyjson_val *data, struct err *e);
	unsigned int version;
	unsigned int at;
	bool failed;
	bool finished;
	int64_t took_ms;
	struct err err;
	/* private */
	bool begun;
	bool greeted;
	bool eof;
	uint64_t pending;
	int64_t started;
	int64_t deadline;
};

/** plan_send() - for @begin and later callbacks: send one command, whose
 * answer goes to the current step's @reply. PLAN_WAIT, or PLAN_FAIL. */
enum plan_verdict plan_send(struct plan *p, const char *command, int fd, struct err *e,
			    const char *fmt, ...) _printf_(5, 6);

/** plan_run() - run all @n plans to their end; returns how many failed. A
 * QEMU that exits is EXITED, one that closes the socket too (what it said
 * before that still counts), a deadline TIMEOUT naming the step. Never blocks
 * past the latest deadline. The results in each plan are set anew; events that
 * came between two plans on one connection go to @seen of the second alone. */
unsigned int plan_run(struct plan *const *plans, unsigned int n);

#endif
