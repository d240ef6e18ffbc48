/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls that a dead file server would keep for ever. */
#ifndef HOLDOVER_BOUNDED_H
#define HOLDOVER_BOUNDED_H

#include <stddef.h>

#include "err.h"

/**
 * bounded() - have @work done by a process of its own, for at most @timeout_ms
 * @data: what it reads and writes, @size bytes, without what it would have to
 *	allocate; comes back when it is done
 *
 * 0 or -1 with the error of @work; TIMEOUT if it was not done by then. Nobody can
 * end such a process before the server answers: it goes on, and holds nothing of
 * the caller's.
 */
_must_check_ int bounded(int (*work)(void *data, struct err *e), void *data, size_t size,
			 int timeout_ms, struct err *e);

#endif
