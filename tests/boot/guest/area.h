/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef AREA_H
#define AREA_H

#include <stdint.h>

/*
 * A part of the guest's RAM whose every word follows from (nonce, counter).
 *
 * The area is 64 chunks; the Linux guest's have 1 MiB each and lie side by side. Tick n rewrites chunk n % 64, so chunk c always holds
 * what the last tick before or at n with the same remainder wrote; before any tick has,
 * it holds what area_init() put there. Word i of a chunk is seed + i * AREA_STEP, where
 * seed = area_seed(nonce, tick). tests/boot/lib/evidence.py computes the same from outside.
 */
#define AREA_CHUNKS 64u
#define AREA_CHUNK_WORDS (1u << 17)
#define AREA_STEP UINT64_C(0x9e3779b97f4a7c15)
#define AREA_INITIAL (UINT64_C(1) << 63)

uint64_t area_seed(uint64_t nonce, uint64_t tick);

/* Where the chunks lie: @words words each (a multiple of 8), @stride words from one's start to the next's. */
void area_place(uint64_t *base, uint64_t stride, uint64_t words);

/* Fills the whole area. */
void area_init(uint64_t nonce);

/* Rewrites the chunk that belongs to @tick. */
void area_write(uint64_t nonce, uint64_t tick);

/*
 * Reads every word and compares each chunk's Fletcher sums with what they have to be after @tick.
 * @sum: set to the sums as read, folded over all chunks.
 * Returns the number of wrong chunks; *first is the first of them.
 */
unsigned int area_verify(uint64_t nonce, uint64_t tick, uint64_t *sum, unsigned int *first);

#endif
