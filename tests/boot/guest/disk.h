/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DISK_H
#define DISK_H

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

/* Returns 0 or -errno. */
int disk_open(const char *path);

/* Writes the record into its sector and waits until it is stable. Returns 0 or -errno. */
int disk_write(const struct disk_record *r);

/*
 * Reads the record of @tick past the page cache and checks it.
 * Returns 0, -EBADMSG when it is not what that tick wrote, or -errno.
 */
int disk_check(uint64_t nonce, uint64_t tick);

/* Fills in everything that follows from the first six fields. */
void disk_seal(struct disk_record *r);

#endif
