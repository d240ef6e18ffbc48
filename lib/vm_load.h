/* SPDX-License-Identifier: GPL-2.0-only */
/* What vm_load() is made of. */
#ifndef HOLDOVER_VM_LOAD_H
#define HOLDOVER_VM_LOAD_H

#include "vm.h"

/** vm_take_backend() - take the RAM that @vm's arguments define out of them:
 * -object memory-backend-file,...,share=on or -enable-dax -mem-path DIR, with
 * -m, -M and -machine beside it, become memory, memdev, mem_path, align,
 * no_pmem and machine. Arguments without such RAM stay as they are.
 * @machine_set: @vm->machine is not the default
 * USAGE for what contradicts itself or the keys. */
_must_check_ int vm_take_backend(struct vm *vm, bool machine_set, struct err *e);

/**
 * struct vm_node - a line `numa = SIZE[@REGION] [cpus=LIST]`
 * @size: of its RAM
 * @region: where, owned, or NULL
 * @cpus: as written, owned, or NULL
 */
struct vm_node {
	uint64_t size;
	char *region;
	char *cpus;
};

/** struct vm_nodes - all of them, in order: the guest's nodes 0, 1, ... */
struct vm_nodes {
	struct vm_node node[VM_PARTS_MAX];
	unsigned int n;
};

void vm_nodes_free(struct vm_nodes *nodes);

/** vm_nodes_add() - one line; USAGE. */
_must_check_ int vm_nodes_add(struct vm_nodes *nodes, const char *value, struct err *e);

/** vm_take_nodes() - make the parts of @vm's RAM and their -numa arguments of
 * @nodes; nothing if there are none. To be called when all keys have been read
 * and @vm->args were split by vm_split_args(). USAGE. */
_must_check_ int vm_take_nodes(struct vm *vm, const struct vm_nodes *nodes, struct err *e);

/** vm_take_monitor() - `-monitor stdio` has no terminal here: it becomes a
 * socket, RUN_DIR/NAME/monitor.sock. */
_must_check_ int vm_take_monitor(struct vm *vm, struct err *e);

#endif
