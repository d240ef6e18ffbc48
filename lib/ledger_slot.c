/* SPDX-License-Identifier: GPL-2.0-only */
/* Access to the mapping, and A/B pairs: see "Writing" in ledger_format.h. */
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "ledger_impl.h"
#include "fault.h"

bool all_zero(const void *p, size_t len)
{
	const uint8_t *b = p;

	while (len && !*b) {
		b++;
		len--;
	}
	return !len;
}

int cursor_take(struct cursor *c, void *dst, size_t len, const char *what, struct err *e)
{
	if (len > c->left)
		return err_set(e, ERR_FORMAT, "%s ends %zu bytes too early for its format", what,
			       len - c->left);
	memcpy(dst, c->at, len);
	c->at += len;
	c->left -= len;
	return 0;
}

static int media_range(const struct ledger_media *m, uint64_t offset, size_t len, struct err *e)
{
	if (offset > m->size || len > m->size - offset)
		return err_set(e, ERR_FORMAT,
			       "ledger: %zu bytes at %" PRIu64 " lie outside of its %" PRIu64
			       " bytes",
			       len, offset, m->size);
	return 0;
}

int media_copy(const struct ledger_media *m, uint64_t offset, void *dst, size_t len, struct err *e)
{
	if (media_range(m, offset, len, e) < 0)
		return -1;
	memcpy(dst, m->base + offset, len);
	/* Without it the compiler may drop the copy and read the original. */
	__asm__ volatile("" : : "r"(dst) : "memory");
	return 0;
}

int media_store(const struct ledger_media *m, uint64_t offset, const void *src, size_t len,
		struct err *e)
{
	if (media_range(m, offset, len, e) < 0)
		return -1;
	return m->store(m->ctx, m->base + offset, src, len, e);
}

int media_verify(const struct ledger_media *m, uint64_t offset, const void *src, size_t len,
		 const char *what, struct err *e)
{
	if (media_range(m, offset, len, e) < 0)
		return -1;
	if (memcmp(m->base + offset, src, len))
		return err_set(
			e, ERR_CHECKSUM,
			"ledger: %s reads back different from what was written; the memory is faulty or somebody else writes to it",
			what);
	return 0;
}

void line_decode(const struct ledger_line *line, const char *magic, uint64_t room,
		 struct slot_head *head)
{
	memset(head, 0, sizeof(*head));
	head->status = SLOT_EMPTY;
	if (all_zero(line->magic, sizeof(line->magic)) || !line->xxh3)
		return;
	head->status = SLOT_ALIEN;
	if (memcmp(line->magic, magic, sizeof(line->magic)))
		return;
	head->status = SLOT_DAMAGED;
	head->major = le16toh(line->major);
	if (!head->major)
		return;
	if (head->major != LEDGER_MAJOR) {
		head->status = SLOT_FOREIGN;
		return;
	}
	head->minor = le16toh(line->minor);
	head->seq = le64toh(line->seq);
	head->length = le64toh(line->length);
	head->payload_xxh3 = le64toh(line->payload_xxh3);
	if (head->length > room || !head->seq)
		return;
	if (hash_xxh3(line, offsetof(struct ledger_line, xxh3), 0) != le64toh(line->xxh3))
		return;
	if (head->minor <= LEDGER_MINOR &&
	    !(all_zero(line->reserved0, sizeof(line->reserved0)) &&
	      all_zero(line->reserved1, sizeof(line->reserved1))))
		return;
	head->status = SLOT_VALID;
}

void line_encode(struct ledger_line *line, const char *magic, uint64_t seq, const void *payload,
		 size_t len)
{
	memset(line, 0, sizeof(*line));
	memcpy(line->magic, magic, sizeof(line->magic));
	line->major = htole16(LEDGER_MAJOR);
	line->minor = htole16(LEDGER_MINOR);
	line->seq = htole64(seq);
	line->length = htole64(len);
	line->payload_xxh3 = htole64(hash_xxh3(payload, len, 0));
	line->xxh3 = htole64(hash_xxh3(line, offsetof(struct ledger_line, xxh3), 0));
}

void pair_of(const struct ledger *l, enum ledger_area_id id, struct slot_pair *p)
{
	const struct ledger_area *a = &l->area[id];

	p->what = id == LEDGER_EXTENTS ? "extent table" : "manifest";
	p->magic = id == LEDGER_EXTENTS ? LEDGER_MAGIC_EXTENTS : LEDGER_MAGIC_MANIFEST;
	p->line[0] = a->offset;
	p->line[1] = a->offset + a->size / 2;
	p->room = a->size / 2 - LEDGER_PAGE;
}

static int pair_heads(const struct ledger *l, const struct slot_pair *p, struct slot_head head[2],
		      struct err *e)
{
	struct ledger_line line;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (media_copy(&l->media, p->line[i], &line, sizeof(line), e) < 0)
			return -1;
		line_decode(&line, p->magic, p->room, &head[i]);
		if (head[i].status == SLOT_FOREIGN)
			return err_set(
				e, ERR_FORMAT,
				"ledger: %s slot %c has major version %u, but this build reads %d; use the version of holdover that wrote it",
				p->what, slot_letter(i), head[i].major, LEDGER_MAJOR);
		/* Inside a ledger another magic can only be damage. */
		if (head[i].status == SLOT_ALIEN)
			head[i].status = SLOT_DAMAGED;
	}
	return 0;
}

/* The slot with the higher seq among the valid ones, or -1. */
static int newest_valid(const struct slot_head head[2])
{
	if (head[0].status != SLOT_VALID)
		return head[1].status == SLOT_VALID ? 1 : -1;
	if (head[1].status != SLOT_VALID)
		return 0;
	return head[1].seq > head[0].seq ? 1 : 0;
}

int pair_newest(const struct ledger *l, const struct slot_pair *p, struct slot_head *head,
		unsigned int *slot, struct err *e)
{
	struct slot_head h[2];
	unsigned int i;
	int n;

	if (pair_heads(l, p, h, e) < 0)
		return -1;
	for (i = 0; i < 2; i++)
		if (h[i].status == SLOT_DAMAGED)
			return err_set(
				e, ERR_CHECKSUM,
				"ledger: the head of %s slot %c is damaged; it may have been the newest, so neither slot is used",
				p->what, slot_letter(i));
	n = newest_valid(h);
	if (n < 0)
		return err_set(e, ERR_ABSENT, "ledger: no %s was ever written to it", p->what);
	if (h[!n].status == SLOT_VALID && h[!n].seq == h[n].seq)
		return err_set(e, ERR_CHECKSUM, "ledger: both %s slots claim sequence %" PRIu64,
			       p->what, h[n].seq);
	*head = h[n];
	*slot = (unsigned int)n;
	return 0;
}

int pair_payload(const struct ledger *l, const struct slot_pair *p, unsigned int slot,
		 const struct slot_head *head, void *buf, struct err *e)
{
	if (media_copy(&l->media, p->line[slot] + LEDGER_PAGE, buf, head->length, e) < 0)
		return -1;
	if (hash_xxh3(buf, head->length, 0) != head->payload_xxh3)
		return err_set(e, ERR_CHECKSUM,
			       "ledger: %s slot %c does not match its checksum: it is damaged",
			       p->what, slot_letter(slot));
	return 0;
}

static int slot_wipe(struct ledger *l, const struct slot_pair *p, unsigned int slot, struct err *e)
{
	static const struct ledger_line zero;

	return media_store(&l->media, p->line[slot], &zero, sizeof(zero), e);
}

int pair_write(struct ledger *l, const struct slot_pair *p, uint64_t seq, const void *payload,
	       size_t len, struct err *e)
{
	struct slot_head h[2];
	struct ledger_line line;
	unsigned int to;
	int n;

	if (len > p->room)
		return err_set(e, ERR_REFUSED,
			       "ledger: a %s of %zu bytes does not fit into %" PRIu64
			       " bytes; use fewer or simpler VMs",
			       p->what, len, p->room);
	if (pair_heads(l, p, h, e) < 0)
		return -1;
	n = newest_valid(h);
	if (!seq)
		seq = n < 0 ? 1 : h[n].seq + 1;
	if (n >= 0 && seq <= h[n].seq)
		return err_set(e, ERR_REFUSED,
			       "ledger: %s %" PRIu64 " is not newer than %" PRIu64
			       ", which the ledger holds",
			       p->what, seq, h[n].seq);
	to = n == 0;
	/* Both are lost when no slot is valid: then none may stay damaged, or
	 * the new content would be refused with it. */
	if (h[!to].status == SLOT_DAMAGED && slot_wipe(l, p, !to, e) < 0)
		return -1;
	line_encode(&line, p->magic, seq, payload, len);
	if (slot_wipe(l, p, to, e) < 0 ||
	    media_store(&l->media, p->line[to] + LEDGER_PAGE, payload, len, e) < 0 ||
	    media_verify(&l->media, p->line[to] + LEDGER_PAGE, payload, len, p->what, e) < 0)
		return -1;
	FAULT(slot_filled);
	if (media_store(&l->media, p->line[to], &line, sizeof(line), e) < 0)
		return -1;
	return media_verify(&l->media, p->line[to], &line, sizeof(line), p->what, e);
}
