/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of the VMs when the host goes down. */
#ifndef HOLDOVER_SHUTDOWN_H
#define HOLDOVER_SHUTDOWN_H

#include "cmd.h"

/**
 * shutdown_vms() - on the way to kexec.target leave alone what jumps, on every
 * other way take back what was prepared of a jump; stop the rest
 * @timeout_ms: for a guest to power down
 *
 * Jumps: all VMs if `holdover kexec` has armed the jump; those with on-kexec =
 * hold if something else has started kexec.target, which arms it here. Returns
 * an exit code.
 */
int shutdown_vms(const struct app *app, int timeout_ms);

#endif
