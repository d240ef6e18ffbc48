/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RAM canaries: hashes of a guest's paused RAM, taken before the jump and
 * compared after it. They tell whether the RAM still is what the device state
 * belongs to; against a process that forges RAM on purpose they are no help,
 * as XXH3 is not made for that and the pages chosen are no secret.
 */
#ifndef HOLDOVER_CANARY_H
#define HOLDOVER_CANARY_H

#include <stdint.h>

#include "config.h"
#include "ram.h"

/** Pages that all VMs of a jump have together in sample mode: what reading
 * them costs, a few milliseconds, is part of the pause. */
#define CANARY_PAGES 512

/** Pages of 4 KiB that one VM's sample may have, whoever wrote the manifest. */
#define CANARY_PAGES_MAX 65536

/**
 * struct canary - what one VM's RAM was when it was sealed
 * @mode: CANARY_NONE: nothing is known. A full one has a sample as well: cheap
 *	enough to be compared a second time when QEMU has loaded its state.
 * @seed: random; which pages the sample consists of follows from it
 * @pages: of the sample, one out of each of as many equal parts of the extent
 * @sample: XXH3 over these pages
 * @whole: XXH3 over the hashes of 64 MiB pieces; 0 unless CANARY_FULL
 */
struct canary {
	enum canary_mode mode;
	uint64_t seed;
	uint64_t pages;
	uint64_t sample;
	uint64_t whole;
};

/** canary_take() - hash the RAM of a VM that does not run.
 * @vms: how many VMs share CANARY_PAGES
 *
 * The extent is mapped read-only, piece by piece, and no piece stays mapped.
 * A full one reads the whole extent in up to eight threads. */
_must_check_ int canary_take(const struct ram *ram, enum canary_mode mode, unsigned int vms,
			     struct canary *out, struct err *e);

/** canary_check() - MISMATCH unless the RAM is what @c says.
 * @whole: compare all of it if @c is a full one, not only the sample
 *
 * Nothing to compare (CANARY_NONE) is no error. */
_must_check_ int canary_check(const struct ram *ram, const struct canary *c, bool whole,
			      struct err *e);

#endif
