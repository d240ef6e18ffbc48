/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding a place for a VM's RAM. */
#ifndef HOLDOVER_PLACE_H
#define HOLDOVER_PLACE_H

#include "host.h"
#include "vm.h"

/**
 * place_vm() - the extent that a fresh start of @vm gets
 * @t: the extent table, as read; written back if it changes
 * @ram: where the extent is
 *
 * In the region that the VM's configuration names, where it was if its size is
 * the same. If there is no room, VMs that neither run nor wait give up theirs.
 * Returns the VM's index or -1: REFUSED if it runs, if state of it waits in the
 * ledger, or if there is no room.
 */
int place_vm(struct host *h, const struct vm *vm, struct extent_table *t, struct ram *ram,
	     struct err *e);

#endif
