/* SPDX-License-Identifier: GPL-2.0-only */
/* A ledger in a buffer, and stores that fail on demand. */
#ifndef HOLDOVER_LEDGER_FIXTURE_H
#define HOLDOVER_LEDGER_FIXTURE_H

#include "ledger_impl.h"

#define FIXTURE_SIZE LEDGER_SIZE_MIN
#define FIXTURE_DEVICE (64ULL << 20)

/** enum stop - what happens from the store @at on */
enum stop {
	STOP_NEVER,
	STOP_FAIL, /* it and all later ones return an error */
	STOP_DROP, /* it and all later ones do nothing and report success */
	STOP_SKIP, /* it alone does nothing and reports success */
};

/**
 * struct fixture - a ledger of the smallest size
 * @mem: the media
 * @media: hands @mem to the ledger
 * @geo: what it was formatted with
 * @info: its info block
 * @l: opened
 * @stores: stores so far
 * @stop: see enum stop
 * @at: number of the first store that is stopped, from 0
 * @torn: bytes of the store @at that still reach the media
 * @words: if not 0, the 8-byte words of the store @at that do (bit i: word i)
 */
struct fixture {
	uint8_t *mem;
	struct ledger_media media;
	struct ledger_geometry geo;
	uint8_t info[4096];
	struct ledger l;
	unsigned int stores;
	enum stop stop;
	unsigned int at;
	size_t torn;
	unsigned int words;
};

/** fixture_setup() - a formatted, opened ledger; aborts when it cannot. */
void fixture_setup(struct fixture *f);
void fixture_teardown(struct fixture *f);

/** fixture_arm() - stop at the store @at from now on. */
void fixture_arm(struct fixture *f, enum stop stop, unsigned int at, size_t torn);

/** fixture_geometry() - of a device of FIXTURE_DEVICE bytes. */
struct ledger_geometry fixture_geometry(void);

/** fixture_key() - a key that depends on @n alone. */
void fixture_key(unsigned int n, uint8_t key[TICKET_KEY]);

/** fixture_seal() - ledger_manifest_write() of @text under key number @n. */
int fixture_seal(struct fixture *f, uint64_t generation, unsigned int n, const char *text,
		 struct err *e);

/** struct world - everything that a ledger says, to compare by memcmp() */
struct world {
	struct ledger_geometry geo;
	uint8_t info[4096];
	struct extent_table extents;
	struct vm_record records[VM_MAX];
	uint64_t generation;
	uint8_t ticket_id[16];
	char manifest[64];
	unsigned int marks;
	struct phase_mark mark[4];
};

/** world_read() - open the ledger anew and read all of it.
 * @key: number of the manifest's key, or -1: unverified */
int world_read(const struct fixture *f, int key, struct world *w, struct err *e);

/** assert_kind() - the last call failed with @kind and said why. */
#define assert_kind(e, want)                                                      \
	do {                                                                      \
		if ((e).kind != (want))                                           \
			fail_msg("%s instead of %s: %s", err_kind_name((e).kind), \
				 err_kind_name(want), (e).msg);                   \
		assert_true((e).msg[0]);                                          \
		err_clear(&(e));                                                  \
	} while (0)

/** assert_ok() - @call returned no error. */
#define assert_ok(call, e)                                  \
	do {                                                \
		if ((call) < 0)                             \
			fail_msg("%s: %s", #call, (e).msg); \
	} while (0)

#endif
