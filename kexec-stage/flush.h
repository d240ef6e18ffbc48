/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOLDOVER_FLUSH_H
#define HOLDOVER_FLUSH_H

#include <stdbool.h>

/** flush_disks() - sync(2), for at most @timeout_ms or until a signal waits
 * that interrupt_hold() holds; false if it was not done by then. It goes on in
 * the background, holding nothing of the caller's. */
bool flush_disks(int timeout_ms);

#endif
