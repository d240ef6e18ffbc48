/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Named points at which tests end the program or let a step fail: after every
 * change of the world or of the media that a crash could leave half done.
 * Without -DHOLDOVER_FAULTS, that is in every program that is installed, there
 * is nothing of them. tests/fault/walk goes through all of them.
 */
#ifndef HOLDOVER_FAULT_H
#define HOLDOVER_FAULT_H

#include <stdbool.h>

#include "err.h"

#ifdef HOLDOVER_FAULTS

/** struct fault_point - one point; all of them are in one linker section
 * @name: unique
 * @fails: the step can be made to fail there, too */
struct fault_point {
	const char *name;
	bool fails;
};

/** fault_pass() - the program passes @p. Returns 0, or -1 with an error if it
 * was asked to fail here; does not return if it was asked to end here. */
int fault_pass(const struct fault_point *p, struct err *e);

#define FAULT_POINT_(id, can_fail, e)                                                        \
	({                                                                                   \
		static const struct fault_point point_ = { .name = #id, .fails = can_fail }; \
		static const struct fault_point *const ref_                                  \
			__attribute__((section("holdover_faults"), used)) = &point_;         \
		fault_pass(ref_, e);                                                         \
	})

/** FAULT() - the program may end here. */
#define FAULT(id) ((void)FAULT_POINT_(id, false, NULL))
/** FAULT_FAILS() - it may also fail here: true, with @e filled in. */
#define FAULT_FAILS(id, e) (FAULT_POINT_(id, true, e) < 0)

#else
#define FAULT(id) ((void)0)
#define FAULT_FAILS(id, e) ((void)(e), false)
#endif

#endif
