/* SPDX-License-Identifier: GPL-2.0-only */
#include "ledger_fixture.h"

#include <string.h>

static void store_torn(const struct fixture *f, uint8_t *dst, const uint8_t *src, size_t len)
{
	size_t i;

	if (!f->words) {
		memcpy(dst, src, len < f->torn ? len : f->torn);
		return;
	}
	for (i = 0; i < len / 8 && i < 32; i++)
		if (f->words & 1u << i)
			memcpy(dst + 8 * i, src + 8 * i, 8);
}

static int fixture_store(void *ctx, void *dst, const void *src, size_t len, struct err *e)
{
	struct fixture *f = ctx;
	unsigned int n = f->stores++;
	uint8_t *to = dst;

	/* What the interface promises: inside of the mapping. */
	if (to < f->mem || to + len > f->mem + FIXTURE_SIZE)
		abort();
	if (f->stop == STOP_NEVER || n < f->at || (f->stop == STOP_SKIP && n > f->at)) {
		memcpy(dst, src, len);
		return 0;
	}
	if (n == f->at)
		store_torn(f, dst, src, len);
	if (f->stop == STOP_FAIL)
		return err_set(e, ERR_IO, "store %u fails on purpose", n);
	return 0;
}

struct ledger_geometry fixture_geometry(void)
{
	struct ledger_geometry g = {
		.region_start = 4ULL << 30,
		.region_size = FIXTURE_DEVICE + (4ULL << 20),
		.dataoff = 4ULL << 20,
		.align = 2ULL << 20,
		.page_struct_size = 64,
		.device_size = FIXTURE_DEVICE,
		.ledger_offset = FIXTURE_DEVICE - FIXTURE_SIZE,
		.ledger_size = FIXTURE_SIZE,
	};

	memset(g.namespace_uuid, 0x5e, sizeof(g.namespace_uuid));
	return g;
}

void fixture_setup(struct fixture *f)
{
	struct err e = { .kind = ERR_NONE };
	unsigned int i;

	memset(f, 0, sizeof(*f));
	f->mem = aligned_alloc(LEDGER_PAGE, FIXTURE_SIZE);
	if (!f->mem)
		abort();
	/* What was there before must not matter. */
	memset(f->mem, 0xa5, FIXTURE_SIZE);
	f->media.base = f->mem;
	f->media.size = FIXTURE_SIZE;
	f->media.store = fixture_store;
	f->media.ctx = f;
	f->geo = fixture_geometry();
	for (i = 0; i < sizeof(f->info); i++)
		f->info[i] = (uint8_t)(i * 7 + i / 256);
	if (ledger_format(&f->media, &f->geo, f->info, &e) < 0 ||
	    ledger_open(&f->l, &f->media, &e) < 0) {
		fprintf(stderr, "fixture: %s\n", e.msg);
		abort();
	}
	f->stores = 0;
}

void fixture_teardown(struct fixture *f)
{
	free(f->mem);
	f->mem = NULL;
}

void fixture_arm(struct fixture *f, enum stop stop, unsigned int at, size_t torn)
{
	f->stores = 0;
	f->stop = stop;
	f->at = at;
	f->torn = torn;
	f->words = 0;
}

void fixture_key(unsigned int n, uint8_t key[TICKET_KEY])
{
	unsigned int i;

	for (i = 0; i < TICKET_KEY; i++)
		key[i] = (uint8_t)(n * 31 + i);
}

int fixture_seal(struct fixture *f, uint64_t generation, unsigned int n, const char *text,
		 struct err *e)
{
	uint8_t key[TICKET_KEY], id[16];

	fixture_key(n, key);
	ledger_key_id(key, id);
	return ledger_manifest_write(&f->l, generation, key, id, text, strlen(text), e);
}

int world_read(const struct fixture *f, int key, struct world *w, struct err *e)
{
	_cleanup_buf_ struct buf json = { .data = NULL };
	uint8_t bytes[TICKET_KEY];
	struct ledger l;
	unsigned int i;

	memset(w, 0, sizeof(*w));
	if (ledger_open(&l, &f->media, e) < 0 || ledger_info_block(&l, w->info, e) < 0 ||
	    ledger_extents_read(&l, &w->extents, e) < 0 ||
	    ledger_generation(&l, &w->generation, e) < 0)
		return -1;
	w->geo = l.geo;
	for (i = 0; i < VM_MAX; i++)
		if (ledger_record_read(&l, i, &w->records[i], e) < 0)
			return -1;
	w->marks = ledger_journal_read(&l, 1, w->mark, ARRAY_LEN(w->mark));
	if (!w->generation)
		return 0;
	if (key >= 0)
		fixture_key((unsigned int)key, bytes);
	if (ledger_manifest_read(&l, key >= 0 ? bytes : NULL, &json, NULL, w->ticket_id, e) < 0)
		return -1;
	memcpy(w->manifest, json.data,
	       json.len < sizeof(w->manifest) ? json.len : sizeof(w->manifest));
	return 0;
}
