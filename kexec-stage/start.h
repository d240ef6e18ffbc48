/* SPDX-License-Identifier: GPL-2.0-only */
/* A fresh start of a VM: its extent, its RAM, its QEMU. */
#ifndef HOLDOVER_START_H
#define HOLDOVER_START_H

#include "host.h"
#include "runstate.h"
#include "vm.h"

/**
 * start_vm() - allocate (or find) the extent, zero it, start QEMU, continue
 * @h: with lock and ledger
 * @vm: stays the caller's
 * @rs: what was noted about the running VM, owned by the caller
 *
 * REFUSED if the VM runs already or device state for it waits in the ledger.
 */
_must_check_ int start_vm(struct host *h, const struct vm *vm, struct runstate *rs, struct err *e);

#endif
