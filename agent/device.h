/* SPDX-License-Identifier: GPL-2.0-only */
/* Device nodes that a VM's command line names. */
#ifndef HOLDOVER_DEVICE_H
#define HOLDOVER_DEVICE_H

#include "vm.h"

/**
 * device_each() - call @fn for each path in /dev that is the value of a key
 * ("...=/dev/X") in the arguments of @vm, until it returns other than 0
 *
 * Disks are among them, and what a console or a passed device is at. Returns
 * what @fn has returned last.
 */
int device_each(const struct vm *vm, int (*fn)(void *ctx, const char *path), void *ctx);

#endif
