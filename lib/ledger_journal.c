/* SPDX-License-Identifier: GPL-2.0-only */
/* Phase journal: a ring of time stamps, one cache line each. */
#include <endian.h>
#include <string.h>

#include "ledger_impl.h"

const char *phase_name(enum phase p)
{
	static const char *const names[PHASES] = {
		[PHASE_NONE] = "none",
		[PHASE_STAGE_START] = "stage-start",
		[PHASE_IMAGE_LOADED] = "image-loaded",
		[PHASE_PAUSED] = "paused",
		[PHASE_SAVED] = "saved",
		[PHASE_SEALED] = "sealed",
		[PHASE_JUMP] = "jump",
		[PHASE_KERNEL_START] = "kernel-start",
		[PHASE_AGENT_START] = "agent-start",
		[PHASE_REGION_READY] = "region-ready",
		[PHASE_CLAIMED] = "claimed",
		[PHASE_ROOT_READY] = "root-ready",
		[PHASE_SPAWNED] = "spawned",
		[PHASE_CONNECTED] = "connected",
		[PHASE_LOADED] = "loaded",
		[PHASE_RELEASED] = "released",
		[PHASE_RUNNING] = "running",
		[PHASE_AGENT_DONE] = "agent-done",
		[PHASE_ABORTED] = "aborted",
	};

	return (unsigned int)p < PHASES ? names[p] : "?";
}

static uint64_t entries(const struct ledger *l)
{
	return l->area[LEDGER_JOURNAL].size / LEDGER_LINE;
}

static uint64_t entry_hash(const struct ledger_journal_media *m)
{
	return hash_xxh3(m, offsetof(struct ledger_journal_media, xxh3), 0);
}

/* Entry @i of the ring; false if it is empty, damaged or another's. */
static bool entry_get(const struct ledger *l, uint64_t i, struct ledger_journal_media *m)
{
	struct err ignored;
	uint64_t at = l->area[LEDGER_JOURNAL].offset + i * LEDGER_LINE;

	return media_copy(&l->media, at, m, sizeof(*m), &ignored) == 0 &&
		memcmp(m->magic, LEDGER_MAGIC_JOURNAL, sizeof(m->magic)) == 0 &&
		entry_hash(m) == le64toh(m->xxh3) && le64toh(m->seq) % entries(l) == i &&
		all_zero(m->reserved, sizeof(m->reserved));
}

static uint64_t last_seq(const struct ledger *l)
{
	struct ledger_journal_media m;
	uint64_t i, last = 0;

	for (i = 0; i < entries(l); i++)
		if (entry_get(l, i, &m) && le64toh(m.seq) > last)
			last = le64toh(m.seq);
	return last;
}

static bool mark_valid(const struct phase_mark *k)
{
	return k->phase > PHASE_NONE && (unsigned int)k->phase < PHASES &&
		(k->vm < VM_MAX || k->vm == PHASE_HOST);
}

int ledger_journal_add(struct ledger *l, const struct phase_mark *mark, struct err *e)
{
	struct ledger_journal_media m = { .magic = "" };
	uint64_t seq;

	if (!mark_valid(mark))
		return err_set(e, ERR_USAGE, "ledger: journal: phase %d of VM %u is out of range",
			       (int)mark->phase, mark->vm);
	seq = last_seq(l) + 1;
	memcpy(m.magic, LEDGER_MAGIC_JOURNAL, sizeof(m.magic));
	m.phase = htole16((uint16_t)mark->phase);
	m.vm = htole16((uint16_t)mark->vm);
	m.seq = htole64(seq);
	m.generation = htole64(mark->generation);
	m.tsc = htole64(mark->tsc);
	m.tsc_hz = htole64(mark->tsc_hz);
	m.realtime_ns = htole64(mark->realtime_ns);
	m.xxh3 = htole64(entry_hash(&m));
	return media_store(&l->media, l->area[LEDGER_JOURNAL].offset + seq % entries(l) * LEDGER_LINE,
			   &m, sizeof(m), e);
}

static bool earlier(const struct phase_mark *a, const struct phase_mark *b)
{
	return a->tsc != b->tsc ? a->tsc < b->tsc : a->phase < b->phase;
}

unsigned int ledger_journal_read(const struct ledger *l, uint64_t generation,
				 struct phase_mark *out, unsigned int max)
{
	struct ledger_journal_media m;
	unsigned int n = 0, at;
	struct phase_mark k;
	uint64_t i;

	for (i = 0; max && i < entries(l); i++) {
		if (!entry_get(l, i, &m) || le64toh(m.generation) != generation)
			continue;
		k.phase = (enum phase)le16toh(m.phase);
		k.vm = le16toh(m.vm);
		k.generation = generation;
		k.tsc = le64toh(m.tsc);
		k.tsc_hz = le64toh(m.tsc_hz);
		k.realtime_ns = le64toh(m.realtime_ns);
		if (!mark_valid(&k))
			continue;
		/* A full array keeps the earliest. */
		if (n == max && !earlier(&k, &out[n - 1]))
			continue;
		at = n < max ? n++ : n - 1;
		for (; at > 0 && earlier(&k, &out[at - 1]); at--)
			out[at] = out[at - 1];
		out[at] = k;
	}
	return n;
}
