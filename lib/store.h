/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A store: a region made ready for Holdover. It holds VMs' RAM and a ledger, or
 * the stamp that says whose region it is. Two kinds:
 *
 *	devdax	the ledger is the end of /dev/daxX.Y, RAM are extents before it
 *	fsdax	ledger and RAM are files on a file system mounted -o dax
 *
 * Whoever wants a VM's RAM gets a struct ram, the same for both.
 */
#ifndef HOLDOVER_STORE_H
#define HOLDOVER_STORE_H

#include "daxfs.h"
#include "ram.h"

/**
 * struct store - one region's namespace and file system
 * @dev: the namespace
 * @fs: its file system, with PMEM_FSDAX
 */
struct store {
	struct pmem_device dev;
	struct daxfs fs;
};

/** store_find() - pmem_find(), and of an fsdax namespace mount its file system.
 * @namespace_uuid, @fs_uuid: what they must be, or NULL; or zero, @fs_uuid
 * Of kinds, beside those of pmem_find(): ABSENT, MISMATCH of the file system. */
_must_check_ int store_find(uint64_t start, uint64_t size, const uint8_t *namespace_uuid,
			    const uint8_t *fs_uuid, struct store *out, struct err *e);

/** store_attach() - the second half of store_find(): @s->dev has been found. */
_must_check_ int store_attach(struct store *s, const uint8_t *fs_uuid, struct err *e);

/** store_open_ledger() - map and open its ledger (or stamp), and compare it
 * with what the store is. Kinds as ledger_open(). */
_must_check_ int store_open_ledger(const struct store *s, struct pmem_map *map, struct ledger *l,
				   struct err *e);

/** store_format() - write a new ledger (or stamp) over whatever is there.
 * @size: of the ledger
 * @geo: @region and @host_uuid are the caller's, the rest is filled in.
 * @info: the info block of the namespace */
_must_check_ int store_format(const struct store *s, uint64_t size, struct ledger_geometry *geo,
			      const uint8_t info[4096], struct pmem_map *map, struct ledger *l,
			      struct err *e);

/** store_ram() - where the extent @x of this store is. REFUSED if it is not of
 * the store's kind. Does not look whether it is there. */
_must_check_ int store_ram(const struct store *s, const struct extent *x, struct ram *out,
			   struct err *e);

/** store_reserve() - make sure that there is memory for @ram, and all of it:
 * of a file, its blocks (fallocate). What a shorter or longer one held is
 * gone. REFUSED if the file system has no room; then there is no file either. */
_must_check_ int store_reserve(const struct store *s, const struct ram *ram, struct err *e);

/** store_zero() - zero @ram durably; of a file, with its metadata, so that no
 * allocation is left to be done while the guest runs. */
_must_check_ int store_zero(const struct store *s, const struct ram *ram, struct err *e);

/** store_drop() - give back what @ram took; of a device, nothing. */
_must_check_ int store_drop(const struct store *s, const struct ram *ram, struct err *e);

/** store_huge() - how many bytes of @ram lie in pieces that can be mapped as
 * huge pages of 2 MiB: all of a device's; of a file, it depends on its blocks. */
_must_check_ int store_huge(const struct store *s, const struct ram *ram, uint64_t *bytes,
			    struct err *e);

/** store_path() - what the store is called in messages: device or directory. */
const char *store_path(const struct store *s);

#endif
