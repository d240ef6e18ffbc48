/* SPDX-License-Identifier: GPL-2.0-only */
/* Private to ledger*.c, ticket.c and their tests. */
#ifndef HOLDOVER_LEDGER_IMPL_H
#define HOLDOVER_LEDGER_IMPL_H

#include "ledger_format.h"

/** hash_xxh3() - XXH3-64 of @data. */
uint64_t hash_xxh3(const void *data, size_t len, uint64_t seed);

/** all_zero() - whether @len bytes at @p are zero. */
bool all_zero(const void *p, size_t len);

/**
 * struct cursor - the one way to take bytes apart: never past the end
 * @at: next byte, in private memory
 * @left: bytes that remain
 */
struct cursor {
	const uint8_t *at;
	size_t left;
};

/** cursor_take() - copy the next @len bytes to @dst; FORMAT if there are
 * fewer. @what names the object in the error. */
_must_check_ int cursor_take(struct cursor *c, void *dst, size_t len, const char *what,
			     struct err *e);

/** media_copy() - copy out of the mapping into private memory.
 *
 * Another holder of the device may write at any time: the caller checks and
 * uses the copy alone, and the compiler cannot read the mapping again.
 * FORMAT if the range leaves the mapping.
 */
_must_check_ int media_copy(const struct ledger_media *m, uint64_t offset, void *dst, size_t len,
			    struct err *e);

/** media_store() - make @len bytes of @src durable at @offset. */
_must_check_ int media_store(const struct ledger_media *m, uint64_t offset, const void *src,
			     size_t len, struct err *e);

/** media_verify() - CHECKSUM unless the media now holds @len bytes of @src. */
_must_check_ int media_verify(const struct ledger_media *m, uint64_t offset, const void *src,
			      size_t len, const char *what, struct err *e);

/**
 * enum slot_status - what a line turns out to be
 * @SLOT_EMPTY: never written, or its writing did not end
 * @SLOT_VALID: written to the end and undamaged
 * @SLOT_ALIEN: does not have the magic
 * @SLOT_FOREIGN: of a major version that this build cannot read
 * @SLOT_DAMAGED: anything else
 */
enum slot_status {
	SLOT_EMPTY,
	SLOT_VALID,
	SLOT_ALIEN,
	SLOT_FOREIGN,
	SLOT_DAMAGED,
};

/** struct slot_head - a decoded line; only @major is set when SLOT_FOREIGN,
 * nothing but @status unless SLOT_VALID otherwise */
struct slot_head {
	enum slot_status status;
	unsigned int major;
	unsigned int minor;
	uint64_t seq;
	uint64_t length;
	uint64_t payload_xxh3;
};

/**
 * struct slot_pair - where an A/B pair lies
 * @what: "manifest", for error texts
 * @magic: eight characters
 * @line: offset of each slot's line; the payload follows at @line + 4096
 * @room: bytes of payload that fit
 */
struct slot_pair {
	const char *what;
	const char *magic;
	uint64_t line[2];
	uint64_t room;
};

/** slot_letter() - 'A' or 'B'. */
static inline char slot_letter(unsigned int slot)
{
	return slot ? 'B' : 'A';
}

/** line_decode() - classify and decode a private copy of a line. */
void line_decode(const struct ledger_line *line, const char *magic, uint64_t room,
		 struct slot_head *head);

/** line_encode() - the line of a payload of @len bytes. */
void line_encode(struct ledger_line *line, const char *magic, uint64_t seq, const void *payload,
		 size_t len);

/** pair_of() - the pair that fills area @id. */
void pair_of(const struct ledger *l, enum ledger_area_id id, struct slot_pair *p);

/** pair_newest() - which slot counts. ABSENT: nothing was ever written;
 * FORMAT: another major; CHECKSUM: damaged (see ledger_format.h). */
_must_check_ int pair_newest(const struct ledger *l, const struct slot_pair *p,
			     struct slot_head *head, unsigned int *slot, struct err *e);

/** pair_payload() - copy the payload of @slot into @buf (@head->length bytes)
 * and check it. */
_must_check_ int pair_payload(const struct ledger *l, const struct slot_pair *p, unsigned int slot,
			      const struct slot_head *head, void *buf, struct err *e);

/** pair_write() - write into the older slot.
 * @seq: of the new content; 0: one more than the newest */
_must_check_ int pair_write(struct ledger *l, const struct slot_pair *p, uint64_t seq,
			    const void *payload, size_t len, struct err *e);

#endif
