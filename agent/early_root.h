/* SPDX-License-Identifier: GPL-2.0-only */
/* The root of what is resumed before the host's root is mounted. */
#ifndef HOLDOVER_EARLY_ROOT_H
#define HOLDOVER_EARLY_ROOT_H

#include "err.h"

/* What the dracut module has put into the image: a root with nothing but QEMU. */
#define EARLY_ROOT_TREE "/usr/lib/holdover/root"

/**
 * early_root_make() - a tmpfs at @target, with what lies under @tree and /dev,
 * /proc, /sys and /run
 *
 * The initramfs is emptied at switch-root, and a process that has its root
 * there is left with an empty one. A tmpfs below /run lives on instead, by the
 * processes that have their root in it; what is mounted in it is gone once systemd
 * has unmounted the old /run (MNT_DETACH; seen with 257). Files
 * are moved, one by one, so that the memory is needed once, or copied if @tree is
 * read-only. If @target is such a
 * root already, only what is still under @tree is moved. ABSENT without @tree.
 */
_must_check_ int early_root_make(const char *tree, const char *target, struct err *e);

#endif
