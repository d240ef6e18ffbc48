/* SPDX-License-Identifier: GPL-2.0-only */
/* Finding a place for a VM's RAM. */
#ifndef HOLDOVER_PLACE_H
#define HOLDOVER_PLACE_H

#include "host.h"
#include "vm.h"

/**
 * struct place - where a VM's RAM is
 * @index: of the VM
 * @parts: of its RAM
 * @extent, @ram: of each
 */
struct place {
	unsigned int index, parts;
	struct extent extent[VM_PARTS_MAX];
	struct ram ram[VM_PARTS_MAX];
};

/**
 * place_vm() - the extents that a fresh start of @vm gets: all of them, or none
 * @t: the extent table, as read; written back if it changes
 *
 * In the regions that the VM's configuration names, where they were if their
 * size is the same. If there is no room, VMs that neither run nor wait give up
 * theirs. REFUSED if it runs, if state of it waits in the ledger, or if there
 * is no room.
 */
_must_check_ int place_vm(struct host *h, const struct vm *vm, struct extent_table *t,
			  struct place *out, struct err *e);

/** place_vm_anew() - other extents for a VM that place_vm() has just placed, as
 * near to the beginning as they can be: VMs that neither run nor wait give up
 * theirs. */
_must_check_ int place_vm_anew(struct host *h, const struct vm *vm, struct extent_table *t,
			       struct place *out, struct err *e);

#endif
