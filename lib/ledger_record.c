/* SPDX-License-Identifier: GPL-2.0-only */
/* State records: one cache line a VM, A/B. */
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "ledger_impl.h"
#include "fault.h"

const char *vm_state_name(enum vm_state s)
{
	static const char *const names[VM_STATES] = {
		[VM_NONE] = "NONE",	    [VM_SEALED] = "SEALED",	[VM_CLAIMED] = "CLAIMED",
		[VM_RELEASED] = "RELEASED", [VM_RUNNING] = "RUNNING",	[VM_FAILED] = "FAILED",
		[VM_ABORTED] = "ABORTED",   [VM_CONSUMED] = "CONSUMED",
	};

	return (unsigned int)s < VM_STATES ? names[s] : "?";
}

static uint64_t record_offset(const struct ledger *l, unsigned int index, unsigned int half)
{
	const struct ledger_area *a = &l->area[LEDGER_RECORDS];

	return a->offset + half * (a->size / 2) + index * LEDGER_LINE;
}

static uint64_t record_hash(const struct ledger_record_media *m, unsigned int index, unsigned int half)
{
	return hash_xxh3(m, offsetof(struct ledger_record_media, xxh3), 2 * index + half + 1);
}

static enum slot_status record_status(const struct ledger_record_media *m, unsigned int index,
				      unsigned int half)
{
	static const char magic[] = LEDGER_MAGIC_RECORD;

	if (all_zero(m->magic, sizeof(m->magic)) || !m->xxh3)
		return SLOT_EMPTY;
	/* The last character is the major. */
	if (memcmp(m->magic, magic, sizeof(m->magic) - 1))
		return SLOT_DAMAGED;
	if (m->magic[3] != magic[3])
		return SLOT_FOREIGN;
	if (!m->seq || record_hash(m, index, half) != le64toh(m->xxh3))
		return SLOT_DAMAGED;
	/* Intact, but this build does not know what it says. */
	if (m->state >= VM_STATES || m->reason >= ERR_KINDS)
		return SLOT_FOREIGN;
	return SLOT_VALID;
}

/* Copy both halves of a record and tell which is newest: 0, 1, or -1 if it was
 * never written. */
static int record_newest(const struct ledger *l, unsigned int index,
			 struct ledger_record_media m[2], int *newest, struct err *e)
{
	enum slot_status st[2];
	unsigned int i;

	if (index >= VM_MAX)
		return err_set(e, ERR_USAGE, "ledger: there is no record %u", index);
	for (i = 0; i < 2; i++) {
		if (media_copy(&l->media, record_offset(l, index, i), &m[i], sizeof(m[i]), e) < 0)
			return -1;
		st[i] = record_status(&m[i], index, i);
		if (st[i] == SLOT_FOREIGN)
			return err_set(
				e, ERR_FORMAT,
				"ledger: state record %u%c was written by a newer version of holdover; use that one",
				index, slot_letter(i));
	}
	for (i = 0; i < 2; i++)
		if (st[i] == SLOT_DAMAGED)
			return err_set(
				e, ERR_CHECKSUM,
				"ledger: state record %u%c is damaged; it may have been the newest, so the VM's state is unknown; 'holdover discard --force NAME' gives it up",
				index, slot_letter(i));
	if (st[0] == SLOT_VALID && st[1] == SLOT_VALID && m[0].seq == m[1].seq)
		return err_set(e, ERR_CHECKSUM,
			       "ledger: both copies of state record %u claim sequence %" PRIu64,
			       index, le64toh(m[0].seq));
	if (st[0] == SLOT_EMPTY)
		*newest = st[1] == SLOT_VALID ? 1 : -1;
	else
		*newest = st[1] == SLOT_VALID && le64toh(m[1].seq) > le64toh(m[0].seq);
	return 0;
}

int ledger_record_read(const struct ledger *l, unsigned int index, struct vm_record *out,
		       struct err *e)
{
	struct ledger_record_media m[2];
	int n;

	if (record_newest(l, index, m, &n, e) < 0)
		return -1;
	memset(out, 0, sizeof(*out));
	if (n < 0)
		return 0;
	out->state = (enum vm_state)m[n].state;
	out->reason = (enum err_kind)m[n].reason;
	out->attempt = le16toh(m[n].attempt);
	out->generation = le64toh(m[n].generation);
	memcpy(out->ticket_id, m[n].ticket_id, 16);
	memcpy(out->boot_id, m[n].boot_id, 16);
	return 0;
}

static int record_encode(const struct vm_record *rec, unsigned int index, unsigned int half,
			 uint64_t seq, struct ledger_record_media *m, struct err *e)
{
	if ((unsigned int)rec->state >= VM_STATES || (unsigned int)rec->reason >= ERR_KINDS ||
	    rec->attempt > UINT16_MAX)
		return err_set(
			e, ERR_USAGE,
			"ledger: state record %u: state %d, reason %d or attempt %u is out of range",
			index, (int)rec->state, (int)rec->reason, rec->attempt);
	memset(m, 0, sizeof(*m));
	memcpy(m->magic, LEDGER_MAGIC_RECORD, sizeof(m->magic));
	m->state = (uint8_t)rec->state;
	m->reason = (uint8_t)rec->reason;
	m->attempt = htole16((uint16_t)rec->attempt);
	m->generation = htole64(rec->generation);
	m->seq = htole64(seq);
	memcpy(m->ticket_id, rec->ticket_id, 16);
	memcpy(m->boot_id, rec->boot_id, 16);
	m->xxh3 = htole64(record_hash(m, index, half));
	return 0;
}

int ledger_record_write(struct ledger *l, unsigned int index, const struct vm_record *rec,
			struct err *e)
{
	static const struct ledger_record_media zero;
	struct ledger_record_media old[2], m;
	unsigned int to;
	uint64_t at;
	int n;

	if (record_newest(l, index, old, &n, e) < 0)
		return -1;
	if (n >= 0 && le64toh(old[n].seq) == UINT64_MAX)
		return err_set(e, ERR_CHECKSUM,
			       "ledger: state record %u has an impossible sequence", index);
	to = n == 0;
	if (record_encode(rec, index, to, n < 0 ? 1 : le64toh(old[n].seq) + 1, &m, e) < 0)
		return -1;
	at = record_offset(l, index, to);
	if (media_store(&l->media, at, &zero, sizeof(zero), e) < 0)
		return -1;
	FAULT(record_wiped);
	if (media_store(&l->media, at, &m, sizeof(m), e) < 0)
		return -1;
	return media_verify(&l->media, at, &m, sizeof(m), "a state record", e);
}

int ledger_record_overwrite(struct ledger *l, unsigned int index, const struct vm_record *rec,
			    struct err *e)
{
	static const struct ledger_record_media zero;
	struct ledger_record_media old[2], m, damage;
	uint64_t a, b;
	int n;

	if (record_newest(l, index, old, &n, e) < 0) {
		if (e->kind != ERR_CHECKSUM)
			return -1;
		err_clear(e);
	} else if (n < 0 || le64toh(old[n].seq) != UINT64_MAX) {
		return ledger_record_write(l, index, rec, e);
	}
	if (record_encode(rec, index, 0, 1, &m, e) < 0)
		return -1;
	/* Copy B is made (or left) damaged until A holds the new record, which
	 * goes straight over the old one: half of a line is damage too. */
	memset(&damage, 0xff, sizeof(damage));
	memcpy(damage.magic, LEDGER_MAGIC_RECORD, sizeof(damage.magic));
	a = record_offset(l, index, 0);
	b = record_offset(l, index, 1);
	if (record_status(&old[1], index, 1) != SLOT_DAMAGED &&
	    media_store(&l->media, b, &damage, sizeof(damage), e) < 0)
		return -1;
	if (media_store(&l->media, a, &m, sizeof(m), e) < 0 ||
	    media_verify(&l->media, a, &m, sizeof(m), "a state record", e) < 0)
		return -1;
	return media_store(&l->media, b, &zero, sizeof(zero), e);
}
