/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOLDOVER_MKFS_H
#define HOLDOVER_MKFS_H

#include "daxfs.h"

/** mkfs_dax() - make a file system for DAX on the device, over whatever is
 * there: blocks of 4 KiB, so that files are mapped without the page cache, and
 * allocation in steps of 2 MiB, so that they are mapped as huge pages.
 *
 * Runs mkfs.ext4 or mkfs.xfs with fixed arguments, no shell in between. ABSENT
 * if it is not installed; IO with its last words if it fails. */
_must_check_ int mkfs_dax(const char *device, enum daxfs_type type, struct err *e);

/** mkfs_check() - ABSENT if the program that it needs is not installed. */
_must_check_ int mkfs_check(enum daxfs_type type, struct err *e);

#endif
