/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libsodium's core.c, for the primitives that Holdover uses: BLAKE2b, random bytes, memory helpers.
 * The original initialises every primitive of the library, and so links every one of them.
 */
#include <stdlib.h>

#include "core.h"
#include "crypto_generichash_blake2b.h"
#include "private/implementations.h"
#include "private/mutex.h"
#include "randombytes.h"
#include "runtime.h"
#include "utils.h"

static int initialized;
static void (*misuse_handler)(void);

/* Holdover starts no threads before it has called sodium_init(), so no lock is needed. */
int sodium_init(void)
{
	if (initialized)
		return 1;
	_sodium_runtime_get_cpu_features();
	randombytes_stir();
	_sodium_alloc_init();
	_crypto_generichash_blake2b_pick_best_implementation();
	initialized = 1;
	return 0;
}

int sodium_crit_enter(void)
{
	return 0;
}

int sodium_crit_leave(void)
{
	return 0;
}

void sodium_misuse(void)
{
	if (misuse_handler)
		misuse_handler();
	abort();
}

int sodium_set_misuse_handler(void (*handler)(void))
{
	misuse_handler = handler;
	return 0;
}
