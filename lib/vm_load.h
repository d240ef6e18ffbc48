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

/** vm_take_monitor() - `-monitor stdio` has no terminal here: it becomes a
 * socket, RUN_DIR/NAME/monitor.sock. */
_must_check_ int vm_take_monitor(struct vm *vm, struct err *e);

#endif
