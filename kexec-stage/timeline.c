/* SPDX-License-Identifier: GPL-2.0-only */
#include "timeline.h"

#include <string.h>

#include "marks.h"

const struct phase_mark *timeline_find(const struct timeline *t, enum phase phase, unsigned int vm)
{
	for (unsigned int i = 0; i < t->n; i++)
		if (t->mark[i].phase == phase && t->mark[i].vm == vm)
			return &t->mark[i];
	return NULL;
}

/* An attempt that was called off has the same number as the next one: only
 * what follows the last start of a stage before the jump counts. */
static void drop_earlier_attempts(struct timeline *t)
{
	unsigned int jump = t->n, first = 0;

	for (unsigned int i = 0; i < t->n; i++)
		if (t->mark[i].phase == PHASE_JUMP)
			jump = i;
	for (unsigned int i = 0; i < jump; i++)
		if (t->mark[i].phase == PHASE_STAGE_START)
			first = i;
	t->n -= first;
	memmove(t->mark, t->mark + first, t->n * sizeof(t->mark[0]));
}

int timeline_read(const struct ledger *l, uint64_t generation, struct timeline *t, struct err *e)
{
	t->generation = generation;
	t->tsc_hz = 0;
	t->blackout_ms = -1;
	t->n = ledger_journal_read(l, generation, t->mark, TIMELINE_MAX);
	if (!t->n)
		return err_set(e, ERR_ABSENT, "the journal has nothing of jump %llu",
			       (unsigned long long)generation);
	drop_earlier_attempts(t);
	/* The stage measured it over seconds; its last word is the best. */
	for (unsigned int i = 0; i < t->n; i++)
		if (t->mark[i].tsc_hz)
			t->tsc_hz = t->mark[i].tsc_hz;
	for (unsigned int vm = 0; vm < VM_MAX; vm++) {
		const struct phase_mark *paused = timeline_find(t, PHASE_PAUSED, vm);
		const struct phase_mark *running = timeline_find(t, PHASE_RUNNING, vm);
		double ms;

		if (!paused || !running)
			continue;
		ms = marks_ms(paused, running, t->tsc_hz);
		if (ms > t->blackout_ms)
			t->blackout_ms = ms;
	}
	return 0;
}
