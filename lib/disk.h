/* SPDX-License-Identifier: GPL-2.0-only */
/* Identity of the images that a VM has open: is what the next kernel shows
 * under the same path still the same, untouched disk? */
#ifndef HOLDOVER_DISK_H
#define HOLDOVER_DISK_H

#include "manifest.h"

/** disk_identify() - fill in everything of @d but @path and @writable from
 * the file at @d->path under @root (NULL or "" for "/"). */
_must_check_ int disk_identify(const char *root, struct disk *d, struct err *e);

/**
 * disk_block_id() - what sysfs tells about a block device
 * @dir: its folder, e.g. /sys/dev/block/8:1
 * @id: words KEY=VALUE with blanks between: wwid, serial, dm-uuid, md-uuid of
 *	the disk; of a partition also its number, its start and, from Linux 6.13
 *	on, its partuuid. Empty if there is nothing.
 */
void disk_block_id(const char *dir, char id[DISK_ID_SIZE]);

/** disk_block_named() - does @id name a device, rather than only its place? */
bool disk_block_named(const char *id);

/** disk_block_same() - may a device that was @want be the one that is @now?
 * What only one of them shows (another kernel may show more) does not count,
 * but if @want names a device, something that names it must be in both. */
bool disk_block_same(const char *want, const char *now);

/* For disk_check(): file systems may still be missing (initramfs), so that one
 * that is not the recorded one means "not mounted yet", not "another disk". */
#define DISK_EARLY 1u
/* For disk_check(): a QEMU that is to be resumed has opened it. What it writes
 * when it activates an image (a header's dirty flag, a persistent bitmap's
 * in_use) changes the time, so the time does not count any more. */
#define DISK_OPENED 2u
/* For disk_check(): a file that QEMU only reads (firmware) may be the copy in an
 * image: size and time are what it has in common with the original. */
#define DISK_COPY 4u
/* For disk_check(): an attempt to resume the VM may have set the image back to the
 * snapshot that it holds, which changes its size and time and not its content. */
#define DISK_SET_BACK 8u

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
