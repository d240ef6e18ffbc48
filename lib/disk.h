/* SPDX-License-Identifier: GPL-2.0-only */
/* Identity of the images that a VM has open: is what the next kernel shows
 * under the same path still the same, untouched disk? */
#ifndef HOLDOVER_DISK_H
#define HOLDOVER_DISK_H

#include "manifest.h"

/** disk_identify() - fill in everything of @d but @path and @writable from
 * the file at @d->path under @root (NULL or "" for "/"). */
_must_check_ int disk_identify(const char *root, struct disk *d, struct err *e);

/* For disk_check(): file systems may still be missing (initramfs), so that one
 * that is not the recorded one means "not mounted yet", not "another disk". */
#define DISK_EARLY 1u
/* For disk_check(): a QEMU that is to be resumed has opened it. What it writes
 * when it activates an image (a header's dirty flag, a persistent bitmap's
 * in_use) changes the time, so the time does not count any more. */
#define DISK_OPENED 2u

/**
 * disk_check() - compare @want with what is there now
 * @flags: DISK_*
 *
 * ABSENT: not there yet, or read-only: another placement may succeed.
 * MISMATCH: another file, or changed since the VM was saved: resuming would
 * destroy it.
 */
_must_check_ int disk_check(const char *root, const struct disk *want, unsigned int flags,
			     struct err *e);

/** disk_add() - append a copy of @d's path to the array; returns the new entry
 * or NULL. A path that is there already is returned, @writable merged in. */
struct disk *disk_add(struct disk **disks, unsigned int *n, const char *path, bool writable);

#endif
