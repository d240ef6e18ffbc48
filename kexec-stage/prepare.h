/* SPDX-License-Identifier: GPL-2.0-only */
/* Making a region ready: namespace, file system, ledger or stamp. */
#ifndef HOLDOVER_PREPARE_H
#define HOLDOVER_PREPARE_H

#include "host.h"

/**
 * struct prepare - what a region shall become
 * @region: which
 * @fs: file system of an fsdax namespace, or DAXFS_NONE: a devdax namespace
 * @align: of the namespace, 0: 2 MiB for a new one, any for one that is there
 * @ledger_size: 0: @default_size for a new one, any for one that is there
 * @default_size: as configured
 * @force: over whatever is there
 * @number, @host_uuid: of a stamp; else 0
 */
struct prepare {
	struct pmem_range region;
	enum daxfs_type fs;
	uint64_t align;
	uint64_t ledger_size;
	uint64_t default_size;
	bool force;
	unsigned int number;
	uint8_t host_uuid[16];
};

/** prepare_region() - what is there already and is what it shall be is kept
 * (@kept); anything else that holds data is REFUSED without @force. */
_must_check_ int prepare_region(const struct prepare *p, struct store *s, struct pmem_map *map,
				struct ledger *l, bool *kept, struct err *e);

#endif
