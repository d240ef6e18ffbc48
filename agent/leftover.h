/* SPDX-License-Identifier: GPL-2.0-only */
/* The QEMU that an earlier attempt of this boot left behind. */
#ifndef HOLDOVER_LEFTOVER_H
#define HOLDOVER_LEFTOVER_H

#include "err.h"

/** leftover_check() - REFUSED if the VM has a QEMU that lives: of a released
 * one, it may be running, and is the operator's to judge. */
_must_check_ int leftover_check(const char *name, struct err *e);

/** leftover_kill() - end it. Only for a VM that was not released, so that it
 * has not run; two on one RAM must never be: REFUSED if it does not end, or if
 * nobody can tell whether there is one. */
_must_check_ int leftover_kill(const char *name, struct err *e);

#endif
