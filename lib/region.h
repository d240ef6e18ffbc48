/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions beside the ledger's own. Each ends in a stamp, a small ledger that
 * says whose region it is, under which number, and which jump has last sealed
 * RAM in it.
 */
#ifndef HOLDOVER_REGION_H
#define HOLDOVER_REGION_H

#include "store.h"

/**
 * struct region - one region beside the ledger's own
 * @tried: region_open() was called; it is done once
 * @err: why it is not open then
 * @store: namespace and file system
 * @stamp: its stamp, in @map
 */
struct region {
	bool tried;
	struct err err;
	struct store store;
	struct pmem_map map;
	struct ledger stamp;
};

/** region_open() - find the region and open its stamp.
 * @namespace_uuid, @fs_uuid: as for store_find()
 * @host_uuid: of the ledger that it must belong to
 *
 * A failure is kept in @r->err as well. ABSENT: no region, nothing on it, or
 * no stamp; MISMATCH: another one's. Close with region_close(). */
_must_check_ int region_open(struct region *r, uint64_t start, uint64_t size,
			     const uint8_t *namespace_uuid, const uint8_t *fs_uuid,
			     const uint8_t host_uuid[16], struct err *e);
void region_close(struct region *r);

/** region_seal() - stamp it with the generation of a jump, under its ticket. */
_must_check_ int region_seal(struct region *r, uint64_t generation, const uint8_t key[TICKET_KEY],
			     const uint8_t ticket_id[16], struct err *e);

/** region_check() - STALE unless the jump @generation has stamped it, CHECKSUM
 * unless under the ticket @key. */
_must_check_ int region_check(const struct region *r, uint64_t generation,
			      const uint8_t key[TICKET_KEY], struct err *e);

#endif
