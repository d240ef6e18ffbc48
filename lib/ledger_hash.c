/* SPDX-License-Identifier: GPL-2.0-only */
/* The only file that sees xxhash.h, which takes a while to compile. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wshadow"
#define XXH_INLINE_ALL
#include <xxhash.h>
#pragma GCC diagnostic pop

#include <sodium.h>

#include "ledger_impl.h"

uint64_t hash_xxh3(const void *data, size_t len, uint64_t seed)
{
	return XXH3_64bits_withSeed(data, len, seed);
}

void ledger_key_id(const uint8_t key[TICKET_KEY], uint8_t id[16])
{
	static const uint8_t domain[32] = "holdover ticket id";
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, 16);
	crypto_generichash_update(&st, domain, sizeof(domain));
	crypto_generichash_update(&st, key, TICKET_KEY);
	crypto_generichash_final(&st, id, 16);
	sodium_memzero(&st, sizeof(st));
}
