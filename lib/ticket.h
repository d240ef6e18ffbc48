/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ticket: 256 random bits made for one jump, and where to find the ledger.
 * It travels as /holdover.ticket in a cpio archive appended to the initrd; a
 * second, root-only copy lies under /var/lib/holdover until nothing needs it.
 */
#ifndef HOLDOVER_TICKET_H
#define HOLDOVER_TICKET_H

#include "ledger.h"

/** struct ticket - decoded; wipe with ticket_wipe()
 * @fs_uuid: of the file system that the ledger is on, or zero */
struct ticket {
	uint8_t key[TICKET_KEY];
	uint64_t generation;
	uint64_t region_start;
	uint64_t region_size;
	uint8_t namespace_uuid[16];
	uint8_t ledger_uuid[16];
	uint8_t fs_uuid[16];
};

#define TICKET_FILE_SIZE 192

/** ticket_make() - fresh key; the rest from @geo and @generation. */
_must_check_ int ticket_make(struct ticket *t, const struct ledger_geometry *geo,
			     uint64_t generation, struct err *e);

/** ticket_wipe() - overwrite the key in a way the compiler cannot drop. */
void ticket_wipe(struct ticket *t);
#define _cleanup_ticket_ _cleanup_(ticket_wipe)

/** ticket_id() - what the ledger stores: a hash of the key. */
void ticket_id(const struct ticket *t, uint8_t id[16]);

void ticket_encode(const struct ticket *t, uint8_t out[TICKET_FILE_SIZE]);
_must_check_ int ticket_decode(const uint8_t *data, size_t len, struct ticket *out, struct err *e);

/** ticket_load() - read a ticket file; ABSENT if there is none or it is all
 * zeros, as an interrupted ticket_shred() leaves it; REFUSED if
 * its owner is not root or others may read it. */
_must_check_ int ticket_load(const char *path, struct ticket *out, struct err *e);

/** ticket_save() - durable, 0600. */
_must_check_ int ticket_save(const char *path, const struct ticket *t, struct err *e);

/** ticket_shred() - overwrite the content in place, then unlink; no error if
 * there is none. */
_must_check_ int ticket_shred(const char *path, struct err *e);

/** ticket_cpio() - a newc archive of one file "holdover.ticket" (0400, root)
 * and the trailer; length a multiple of 512, @out owned by the caller (wipe
 * with sodium_memzero before freeing). */
_must_check_ int ticket_cpio(const struct ticket *t, struct buf *out, struct err *e);

#endif
