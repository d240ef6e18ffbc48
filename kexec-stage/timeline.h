/* SPDX-License-Identifier: GPL-2.0-only */
/* One jump's phases, computed from the marks in the ledger's journal. */
#ifndef HOLDOVER_TIMELINE_H
#define HOLDOVER_TIMELINE_H

#include "ledger.h"

#define TIMELINE_MAX 1024

/**
 * struct timeline - all marks of one generation
 * @mark: in order of time
 * @n: how many
 * @tsc_hz: frequency they are read with
 * @blackout_ms: longest time from PAUSED to RUNNING over all VMs; < 0 if no
 *	VM has both
 */
struct timeline {
	struct phase_mark mark[TIMELINE_MAX];
	unsigned int n;
	uint64_t generation;
	uint64_t tsc_hz;
	double blackout_ms;
};

/** timeline_read() - ABSENT if the journal has nothing of @generation. */
_must_check_ int timeline_read(const struct ledger *l, uint64_t generation, struct timeline *out,
			       struct err *e);

/** timeline_find() - the first mark of @phase for @vm, or NULL. */
const struct phase_mark *timeline_find(const struct timeline *t, enum phase phase, unsigned int vm);

#endif
