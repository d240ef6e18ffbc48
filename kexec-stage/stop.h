/* SPDX-License-Identifier: GPL-2.0-only */
/* Ending VMs: one, or all at once when the host goes down. */
#ifndef HOLDOVER_STOP_H
#define HOLDOVER_STOP_H

#include "host.h"
#include "runstate.h"

/** enum stop_how - how hard to try
 * @STOP_ASK: ask the guest to power down, and fail if it does not
 * @STOP_ASK_THEN_END: then end its QEMU
 * @STOP_END: end QEMU, which closes its images in order; kill it if it does not
 */
enum stop_how { STOP_ASK, STOP_ASK_THEN_END, STOP_END };

/** stop_vm() - @timeout_ms: for each step. ABSENT if no such VM runs; REFUSED if
 * a jump has left it paused. @h: with the lock, which is given up while the guest
 * is waited for with STOP_ASK, and may not be had again; or NULL. */
_must_check_ int stop_vm(struct host *h, const char *name, enum stop_how how, int timeout_ms,
			 struct err *e);

/** stop_vms() - several at once, each told of on stdout or stderr. Returns how
 * many could not be stopped. */
unsigned int stop_vms(char (*names)[VM_NAME_MAX + 1], unsigned int n, enum stop_how how,
		      int timeout_ms);

#endif
