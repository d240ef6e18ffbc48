/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOLDOVER_FLUSH_H
#define HOLDOVER_FLUSH_H

#include <stdbool.h>
#include <stddef.h>

/** flush_disks() - sync(2), for at most @timeout_ms or until a signal waits
 * that interrupt_hold() holds; false if it was not done by then. It goes on in
 * the background, holding nothing of the caller's. */
bool flush_disks(int timeout_ms);

/** flush_late() - where the file systems that do not answer are mounted, with
 * commas between; empty if all do by now, or if that cannot be told. Takes a
 * second at most. */
void flush_late(char *where, size_t size);

#endif
