/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking the time of a jump's phases, and reading them back as a timeline. */
#ifndef HOLDOVER_MARKS_H
#define HOLDOVER_MARKS_H

#include "ledger.h"

#define MARKS_PENDING 64

/**
 * struct marks - marks on their way into the ledger's journal
 * @ledger: NULL until there is one: marks wait in @pending
 * @generation: of the jump, set together with @ledger
 * @tsc_hz: frequency beside each mark
 */
struct marks {
	struct ledger *ledger;
	uint64_t generation;
	uint64_t tsc_hz;
	struct phase_mark pending[MARKS_PENDING];
	unsigned int npending;
};

/** marks_now() - the time stamp counter. Across a kexec it is neither reset
 * nor stopped, which no clock of the kernel can say. */
uint64_t marks_now(void);

/** marks_take() - note @phase of VM @vm (or PHASE_HOST) at this moment. A
 * journal that cannot be written costs the mark, never the jump. */
void marks_take(struct marks *m, enum phase phase, unsigned int vm);

/** marks_take_at() - as marks_take(), for a moment in the past. */
void marks_take_at(struct marks *m, enum phase phase, unsigned int vm, uint64_t tsc);

/** marks_attach() - from now on into @ledger; pending marks go first. */
void marks_attach(struct marks *m, struct ledger *ledger, uint64_t generation, uint64_t tsc_hz);

/** struct marks_rate - for measuring the counter's frequency */
struct marks_rate {
	uint64_t tsc;
	uint64_t raw_ns;
};

/** marks_rate_start() / marks_rate_hz() - frequency of the counter against
 * CLOCK_MONOTONIC_RAW between the two calls; 0 if less than 1 ms passed. The
 * error is below 1 us / elapsed. */
void marks_rate_start(struct marks_rate *r);
uint64_t marks_rate_hz(const struct marks_rate *r);

/** marks_ms() - milliseconds from @a to @b, using the frequency at hand. */
double marks_ms(const struct phase_mark *a, const struct phase_mark *b, uint64_t tsc_hz);

#endif
