/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOLDOVER_WALK_QEMU_RAM_H
#define HOLDOVER_WALK_QEMU_RAM_H

#include <stdbool.h>
#include <stdint.h>

/** ram_map() - one more part of the RAM, which a -object memory-backend-file of QEMU's is about. The guest sees all parts
 * one after another from *@ram on, *@size bytes. */
void ram_map(const char *object, uint8_t **ram, uint64_t *size);
/** ram_own() - as long as this process lives; false if another has the RAM of VM @vm. */
bool ram_own(const char *vm);
/** ram_mkfs() - started as mkfs: a file system for daxfs.c. Returns the exit status. */
int ram_mkfs(void);

#endif
