/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting for disks that udev has not made yet. */
#ifndef HOLDOVER_DISK_WAIT_H
#define HOLDOVER_DISK_WAIT_H

#include "restore.h"

/**
 * disk_wait() - return once some VM that waits for nothing but disks has them
 * @report: of the pass before, which says what VMs those are
 * @until: by io_now_ms(): return then in any case
 * @stop: a path; return also once it exists
 *
 * 1: try again; 0: there is nothing to wait for (any more).
 */
_must_check_ int disk_wait(const struct restore *r, const struct restore_report *report,
			   int64_t until, const char *stop, struct err *e);

#endif
