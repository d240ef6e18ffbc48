/* SPDX-License-Identifier: GPL-2.0-only */
/* The file system on an fsdax namespace: which it is, and mounting it for DAX. */
#ifndef HOLDOVER_DAXFS_H
#define HOLDOVER_DAXFS_H

#include "pmem.h"

/** enum daxfs_type - file systems that map their files' memory directly */
enum daxfs_type { DAXFS_NONE, DAXFS_EXT4, DAXFS_XFS, DAXFS_TYPES };

/** daxfs_type_name() - "ext4", "xfs"; what mount(2) is told. */
const char *daxfs_type_name(enum daxfs_type t);
_must_check_ int daxfs_type_parse(const char *text, enum daxfs_type *out, struct err *e);

/**
 * struct daxfs - a file system on a namespace
 * @type: DAXFS_NONE: none that is known
 * @uuid: of the file system
 * @ours: it has the label DAXFS_LABEL, which 'holdover init' gives
 * @dir: where it is mounted: DAXFS_DIR/0xSTART of its region, so that nothing
 *	is named by a device number
 */
struct daxfs {
	enum daxfs_type type;
	uint8_t uuid[16];
	bool ours;
	char dir[64];
};

#define DAXFS_LABEL "holdover"

#define DAXFS_DIR "/run/holdover/dax"

/** daxfs_identify() - read @head, the first DAXFS_HEAD bytes of a device. */
#define DAXFS_HEAD 4096
void daxfs_identify(const uint8_t head[DAXFS_HEAD], struct daxfs *out);

/** daxfs_probe() - what is on the device of @dev; only reads. */
_must_check_ int daxfs_probe(const struct pmem_device *dev, struct daxfs *out, struct err *e);

/**
 * daxfs_mount() - load the file system's module and mount it, dax, noatime
 * @dev: an fsdax namespace
 * @want_uuid: what the file system's uuid must be; NULL or zero: any, but only
 *	with our label: a foreign one is not mounted
 * @out: @dir is filled in
 *
 * One that is mounted there already is taken as it is. Mounting replays a
 * journal that a crash has left, which writes metadata only: the RAM in files
 * is none. ABSENT: no file system; MISMATCH: another one.
 */
_must_check_ int daxfs_mount(const struct pmem_device *dev, const uint8_t *want_uuid,
			     struct daxfs *out, struct err *e);

/** daxfs_unmount() - for whoever formats it anew. REFUSED if it is in use. */
_must_check_ int daxfs_unmount(const struct pmem_device *dev, struct err *e);

/** daxfs_check() - REFUSED unless @path, a file, is mapped without the page
 * cache (statx says DAX): RAM in the page cache is lost in the jump. */
_must_check_ int daxfs_check(const char *path, struct err *e);

#endif
