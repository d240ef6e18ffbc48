/* SPDX-License-Identifier: GPL-2.0-only */
/* Which file systems are writable, and lie on a block device. */
#ifndef HOLDOVER_KEXEC_MOUNTS_H
#define HOLDOVER_KEXEC_MOUNTS_H

#include "io.h"

/**
 * struct mount_fs - one mount of such a file system
 * @major: of the device; 0 for btrfs, which has anonymous numbers
 * @minor: of the device
 * @path: where it is mounted, owned
 * @first: index of the first mount of the same file system
 * @tried: set by the user of the list, at @first
 */
struct mount_fs {
	unsigned int major, minor;
	char *path;
	size_t first;
	bool tried;
};

/** mounts_parse() - the mounts in a text like /proc/self/mountinfo, in its
 * order. Lines that cannot be understood are FORMAT. */
_must_check_ int mounts_parse(const char *text, struct mount_fs **list, size_t *n, struct err *e);
/** mounts_parse_all() - also those that lie on no block device; without autofs,
 * whose mere opening waits for somebody. */
_must_check_ int mounts_parse_all(const char *text, struct mount_fs **list, size_t *n, struct err *e);
void mounts_free(struct mount_fs *list, size_t n);

#endif
