/* SPDX-License-Identifier: GPL-2.0-only */
/* Signals that would end or stop the program while it has VMs paused. */
#ifndef HOLDOVER_INTERRUPT_H
#define HOLDOVER_INTERRUPT_H

#include <signal.h>

#include "err.h"

/** interrupt_hold() - from now on INT, TERM, HUP, QUIT and TSTP wait, but for
 * those that are ignored anyway (nohup). @before gets the mask to go back to;
 * it may be NULL if the program ends without going back. */
void interrupt_hold(sigset_t *before);

/** interrupt_release() - go back to @before: what has come meanwhile takes its
 * effect now, unless an outer interrupt_hold() still holds it. */
void interrupt_release(const sigset_t *before);

/** interrupt_check() - REFUSED naming the signal if one waits. */
_must_check_ int interrupt_check(struct err *e);

#endif
