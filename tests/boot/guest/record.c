/* SPDX-License-Identifier: GPL-2.0-only */
#include "record.h"

#include "area.h"

_Static_assert(sizeof(struct disk_record) == 512, "a record is one sector");

static const char magic[8] = { 'H', 'O', 'L', 'D', 'T', 'I', 'C', 'K' };

static uint64_t check_of(const struct disk_record *r)
{
	const uint64_t *words = &r->nonce;
	uint64_t s = 0;

	/* The magic's eight bytes are the first word. */
	for (unsigned int i = 0; i < sizeof(magic); i++)
		s |= (uint64_t)(unsigned char)r->magic[i] << 8 * i;
	for (unsigned int i = 0; i < 62; i++)
		s += words[i];
	return s * AREA_STEP;
}

void record_seal(struct disk_record *r)
{
	uint64_t v = area_seed(r->nonce, r->tick);

	for (unsigned int i = 0; i < sizeof(magic); i++)
		r->magic[i] = magic[i];
	for (unsigned int i = 0; i < 57; i++, v += AREA_STEP)
		r->fill[i] = v;
	r->check = check_of(r);
}

bool record_valid(const struct disk_record *r, uint64_t nonce, uint64_t tick)
{
	uint64_t v = area_seed(nonce, tick);
	bool same = r->nonce == nonce && r->tick == tick && r->check == check_of(r);

	for (unsigned int i = 0; i < sizeof(magic); i++)
		same &= r->magic[i] == magic[i];
	return same && r->fill[0] == v && r->fill[56] == v + 56 * AREA_STEP;
}
