/* SPDX-License-Identifier: GPL-2.0-only */
/* At which moment of the next boot will a VM be resumed? */
#ifndef HOLDOVER_PLACEMENT_H
#define HOLDOVER_PLACEMENT_H

#include "manifest.h"

/**
 * placement_expect() - the earliest placement at which its disks are there
 * @root: "" for "/"
 * @why: what stands in the way of an earlier one; empty if it is the VM's own
 *
 * What only the next boot can show (an image without its QEMU, a root that is
 * mounted read-only) is not foreseen.
 */
enum vm_placement placement_expect(const char *root, enum vm_placement wanted,
				   const struct disk *disks, unsigned int ndisks, char *why,
				   size_t size);

#endif
