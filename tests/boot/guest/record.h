/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The guest's disk as evidence: tick n leaves one 512-byte record in sector n.
 * All fields little-endian; tests/boot/lib/evidence.py reads the same from outside.
 */
struct disk_record {
	char magic[8]; /* "HOLDTICK" */
	uint64_t nonce;
	uint64_t tick;
	uint64_t mono_ms;  /* CLOCK_MONOTONIC when the tick began */
	uint64_t real_ms;  /* CLOCK_REALTIME likewise */
	uint64_t sum;	   /* of the memory area, see area_verify() */
	uint64_t fill[57]; /* area_seed(nonce, tick) + i * AREA_STEP */
	uint64_t check;	   /* sum of all words before it, times AREA_STEP */
};

/* Fills in everything that follows from the first six fields. */
void record_seal(struct disk_record *r);

/* Is it what the tick of this guest wrote? */
bool record_valid(const struct disk_record *r, uint64_t nonce, uint64_t tick);

#endif
