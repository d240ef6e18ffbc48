/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The time of day across the jump. The next kernel reads it from the RTC, whose
 * grain is a second; the time stamp counter goes on counting meanwhile. So the
 * stage notes both (struct clock_pair in the manifest), and the next kernel can
 * know the time as well as the last one did.
 */
#ifndef HOLDOVER_CLOCK_H
#define HOLDOVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* How far the RTC may be from what the counter says. */
#define CLOCK_TRUST_NS UINT64_C(2000000000)

/**
 * struct clock_pair - a moment by two clocks
 * @tsc: time stamp counter
 * @realtime_ns: CLOCK_REALTIME; 0: nothing is known
 * @trusted: this kernel uses the counter as its clock source, and the processor
 *	says that it is invariant
 */
struct clock_pair {
	uint64_t tsc;
	uint64_t realtime_ns;
	bool trusted;
};

/** clock_now() - both clocks now. */
struct clock_pair clock_now(void);

/**
 * clock_by_tsc() - what CLOCK_REALTIME would be at @now->tsc if the kernel of
 * @before had run on
 *
 * REFUSED if either kernel does not trust its counter, or if the result is
 * further than CLOCK_TRUST_NS from @now->realtime_ns: then one of them is wrong,
 * and nobody knows which.
 */
_must_check_ int clock_by_tsc(const struct clock_pair *before, uint64_t tsc_hz,
			      const struct clock_pair *now, uint64_t *realtime_ns, struct err *e);

/** clock_set() - set the host's clock by it; @by_ns: how far it was moved. */
_must_check_ int clock_set(const struct clock_pair *before, uint64_t tsc_hz, int64_t *by_ns,
			   struct err *e);

#endif
