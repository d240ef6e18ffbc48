/* SPDX-License-Identifier: GPL-2.0-only */
#include "ledger_fixture.h"

#include <string.h>

static int fixture_store(void *ctx, void *dst, const void *src, size_t len, struct err *e)
{
	struct fixture *f = ctx;
	unsigned int n = f->stores++;
	uint8_t *to = dst;

	/* What the interface promises: inside of the mapping. */
	if (to < f->mem || to + len > f->mem + FIXTURE_SIZE)
		abort();
	if (f->stop == STOP_NEVER || n < f->at) {
		memcpy(dst, src, len);
		return 0;
	}
	if (n == f->at)
		memcpy(dst, src, len < f->torn ? len : f->torn);
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
