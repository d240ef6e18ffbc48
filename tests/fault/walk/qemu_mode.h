/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes wrong with the walk's QEMU. /bench/NAME.mode, if there: "COMMAND WHAT [SKIP]": at that command, after SKIP
 * times without:
 *
 *	exit, hang	as QEMU may
 *	refuse		an error for an answer
 *	garbage		a line that is not JSON
 *	half		half an answer, then nothing more
 *	events		many events before the answer
 *	stderr		more than a pipe holds
 *	slow, late	the answer comes after 0.3 s, or after 2.5 s
 *	selfcont	somebody else's `cont` comes first
 *	cut		half of the device state
 *	failed		a migration or a job that fails
 */
#ifndef HOLDOVER_WALK_QEMU_MODE_H
#define HOLDOVER_WALK_QEMU_MODE_H

#include <stdbool.h>

/** mode_at() - does anything go wrong at this passage of @command of VM @vm? */
bool mode_at(const char *vm, const char *command);
/** asked() - is that WHAT? Of the last mode_at() that said yes. */
bool asked(const char *what);
const char *mode_what(void);

#endif
