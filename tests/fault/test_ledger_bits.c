/* SPDX-License-Identifier: GPL-2.0-only */
/* Every bit of a ledger flipped: refused with the right kind, or unused. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "ledger_fixture.h"

#define VM_TWICE 3 /* its record was written twice: both copies are in use */
#define VM_ONCE 9
#define BLOB 4096

static struct fixture f;
static struct world whole;
static struct blob_ref ref;
static uint8_t key[TICKET_KEY], device_state[BLOB];

/* Content in both slots of every pair; what is newest lies in A for extents and
 * in B for the manifest. */
static int setup(void **state)
{
	struct phase_mark mark = { .phase = PHASE_SAVED, .generation = 1, .vm = PHASE_HOST };
	struct vm_record r = { .state = VM_SEALED, .generation = 1 };
	struct extent_table t = { .slot = { { .name = "" } } };
	struct err e = { .kind = ERR_NONE };
	unsigned int i;

	(void)state;
	fixture_setup(&f);
	for (i = 0; i < 2; i++) {
		snprintf(t.slot[i].name, sizeof(t.slot[i].name), "vm%u", i);
		t.slot[i].offset = (uint64_t)i << 22;
		t.slot[i].size = 1 << 22;
		mark.tsc = 100 * i + 5;
		r.state = i ? VM_CLAIMED : VM_SEALED;
		if (ledger_extents_write(&f.l, &t, &e) < 0 ||
		    ledger_record_write(&f.l, VM_TWICE, &r, &e) < 0 ||
		    ledger_journal_add(&f.l, &mark, &e) < 0 ||
		    fixture_seal(&f, i + 1, i, i ? "{\"second\":2}" : "{\"first\":1}", &e) < 0)
			return -1;
	}
	fixture_key(1, key);
	for (i = 0; i < BLOB; i++)
		device_state[i] = (uint8_t)(i ^ i >> 8);
	ref.offset = 128;
	if (ledger_record_write(&f.l, VM_ONCE, &r, &e) < 0 ||
	    ledger_blob_write(&f.l, "vm0", 2, key, device_state, BLOB, &ref, &e) < 0)
		return -1;
	return world_read(&f, 1, &whole, &e);
}

static int teardown(void **state)
{
	(void)state;
	fixture_teardown(&f);
	return 0;
}

static void flip(uint64_t bit)
{
	f.mem[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static enum err_kind look(int with_key)
{
	struct err e = { .kind = ERR_NONE };
	struct world now;

	if (world_read(&f, with_key, &now, &e) < 0)
		return e.kind;
	if (memcmp(&now, &whole, sizeof(now)))
		fail_msg("decoded something else");
	return ERR_NONE;
}

/* Flip every bit of [from, to): each time reading must give @kind. */
static void flips(uint64_t from, uint64_t to, int with_key, enum err_kind kind)
{
	enum err_kind got;
	uint64_t bit;

	for (bit = 8 * from; bit < 8 * to; bit++) {
		flip(bit);
		got = look(with_key);
		flip(bit);
		if (got != kind)
			fail_msg("byte %llu bit %u: %s instead of %s", (unsigned long long)bit / 8,
				 (unsigned int)(bit % 8), err_kind_name(got), err_kind_name(kind));
	}
	assert_int_equal(look(with_key), ERR_NONE);
}

/* The line at @at counts: its major is told apart, the rest is damage. */
static void flips_line(uint64_t at)
{
	flips(at, at + 8, 1, ERR_CHECKSUM);
	/* 1 with bit 0 flipped is 0, which was never a major */
	flip(8 * (at + 8));
	assert_int_equal(look(1), ERR_CHECKSUM);
	flip(8 * (at + 8));
	flip(8 * (at + 8) + 1);
	assert_int_equal(look(1), ERR_FORMAT);
	flip(8 * (at + 8) + 1);
	flips(at + 9, at + 10, 1, ERR_FORMAT);
	flips(at + 10, at + 64, 1, ERR_CHECKSUM);
	/* unused up to the payload: enough to look at one bit of some */
	flips(at + 64, at + 72, 1, ERR_NONE);
	flips(at + LEDGER_PAGE - 8, at + LEDGER_PAGE, 1, ERR_NONE);
}

static void info_block(void **state)
{
	const uint64_t at = LEDGER_INFO_OFFSET;

	(void)state;
	flips_line(at);
	flips(at + LEDGER_PAGE, at + 2 * LEDGER_PAGE, 1, ERR_CHECKSUM);
}

static void extents(void **state)
{
	const uint64_t a = LEDGER_EXTENTS_OFFSET, b = a + LEDGER_EXTENTS_SLOT;

	(void)state;
	flips_line(a);
	flips_line(b);
	flips(a + LEDGER_PAGE, a + LEDGER_PAGE + 192, 1, ERR_CHECKSUM);
	flips(a + 2 * LEDGER_PAGE - 64, a + 2 * LEDGER_PAGE, 1, ERR_CHECKSUM);
	flips(b + LEDGER_PAGE, b + LEDGER_PAGE + 192, 1, ERR_NONE);
}

/* As extents(), but all of the newest table, by the reader of tables alone. */
static void all_of_the_extent_table(void **state)
{
	const uint64_t at = LEDGER_EXTENTS_OFFSET + LEDGER_PAGE;
	struct err e = { .kind = ERR_NONE };
	struct extent_table t;
	uint64_t bit;

	(void)state;
	for (bit = 8 * at; bit < 8 * (at + LEDGER_PAGE); bit++) {
		flip(bit);
		if (ledger_extents_read(&f.l, &t, &e) == 0)
			fail_msg("bit %llu: accepted", (unsigned long long)bit);
		assert_kind(e, ERR_CHECKSUM);
		flip(bit);
	}
}

static void manifest(void **state)
{
	const uint64_t a = LEDGER_MANIFEST_OFFSET, b = a + LEDGER_MANIFEST_SLOT;
	const uint64_t len = sizeof(struct ledger_manifest_media) + strlen("{\"second\":2}");

	(void)state;
	flips_line(a);
	flips_line(b);
	flips(a + LEDGER_PAGE, a + LEDGER_PAGE + len, 1, ERR_NONE);
	flips(b + LEDGER_PAGE, b + LEDGER_PAGE + len, 1, ERR_CHECKSUM);
	flips(b + LEDGER_PAGE, b + LEDGER_PAGE + len, -1, ERR_CHECKSUM);
	flips(b + LEDGER_PAGE + len, b + LEDGER_PAGE + len + 64, 1, ERR_NONE);
}

static void records(void **state)
{
	const uint64_t a = LEDGER_RECORDS_OFFSET, b = a + LEDGER_RECORDS_HALF;
	const uint64_t used[] = { a + VM_TWICE * 64, b + VM_TWICE * 64, a + VM_ONCE * 64 };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(used); i++) {
		flips(used[i], used[i] + 3, 1, ERR_CHECKSUM);
		flips(used[i] + 3, used[i] + 4, 1, ERR_FORMAT); /* the major */
		flips(used[i] + 4, used[i] + 64, 1, ERR_CHECKSUM);
	}
	flips(b + VM_ONCE * 64, b + VM_ONCE * 64 + 64, 1, ERR_NONE);
	flips(a, a + 64, 1, ERR_NONE);
	flips(b + LEDGER_RECORDS_HALF - 64, b + LEDGER_RECORDS_HALF, 1, ERR_NONE);
}

/* All 64 records in both halves, by the reader of records alone: another state is never read. */
static void all_records(void **state)
{
	struct err e = { .kind = ERR_NONE };
	uint64_t at, bit;
	struct vm_record r;

	(void)state;
	for (at = LEDGER_RECORDS_OFFSET; at < LEDGER_JOURNAL_OFFSET; at += LEDGER_LINE) {
		unsigned int i = (unsigned int)(at / LEDGER_LINE) % VM_MAX;

		for (bit = 8 * at; bit < 8 * (at + LEDGER_LINE); bit++) {
			flip(bit);
			if (ledger_record_read(&f.l, i, &r, &e) == 0 &&
			    memcmp(&r, &whole.records[i], sizeof(r)))
				fail_msg("record %u bit %llu: decoded something else", i,
					 (unsigned long long)(bit - 8 * at));
			flip(bit);
		}
	}
}

static uint8_t used[FIXTURE_SIZE];

static void use(uint64_t at, uint64_t len)
{
	memset(used + at, 1, len);
}

static void use_pair(uint64_t at, uint64_t slot, uint64_t len)
{
	for (unsigned int i = 0; i < 2; i++, at += slot) {
		use(at, LEDGER_LINE);
		use(at + LEDGER_PAGE, len);
	}
}

/* With the tests above: not one bit of the metadata is left out. */
static void what_is_unused_is_never_read(void **state)
{
	const uint64_t tail = FIXTURE_SIZE - LEDGER_TAIL;
	uint64_t at, n = 0;

	(void)state;
	memset(used, 0, sizeof(used));
	use_pair(LEDGER_INFO_OFFSET, 0, LEDGER_PAGE);
	use_pair(LEDGER_EXTENTS_OFFSET, LEDGER_EXTENTS_SLOT, LEDGER_PAGE);
	use_pair(LEDGER_MANIFEST_OFFSET, LEDGER_MANIFEST_SLOT,
		 sizeof(struct ledger_manifest_media) + strlen("{\"second\":2}"));
	use(LEDGER_RECORDS_OFFSET, LEDGER_BLOBS_OFFSET - LEDGER_RECORDS_OFFSET);
	for (at = tail; at < FIXTURE_SIZE; at += LEDGER_PAGE)
		use(at, LEDGER_LINE + sizeof(struct ledger_sb));
	for (at = 0; at < FIXTURE_SIZE; at++) {
		if (used[at])
			continue;
		f.mem[at] = (uint8_t)~f.mem[at];
		n++;
	}
	assert_int_equal(look(1), ERR_NONE);
	assert_int_equal(look(-1), ERR_NONE);
	assert_true(n > LEDGER_MANIFEST_SLOT);
}

static bool record_seed(const uint8_t *line, uint64_t seed)
{
	uint64_t sum;

	memcpy(&sum, line + 56, sizeof(sum));
	return sum == hash_xxh3(line, 56, seed);
}

/* A record is bound to its place. */
static void a_record_in_anothers_place(void **state)
{
	uint8_t *a = f.mem + LEDGER_RECORDS_OFFSET, *b = a + LEDGER_RECORDS_HALF;
	struct err e = { .kind = ERR_NONE };
	struct vm_record r;

	(void)state;
	memcpy(a + 1 * 64, a + VM_ONCE * 64, 64);
	assert_int_equal(ledger_record_read(&f.l, 1, &r, &e), -1);
	assert_kind(e, ERR_CHECKSUM);
	assert_true(record_seed(a + VM_ONCE * 64, 2 * VM_ONCE + 1));
	assert_true(record_seed(b + VM_TWICE * 64, 2 * VM_TWICE + 2));
	memcpy(b + VM_ONCE * 64, a + VM_ONCE * 64, 64);
	assert_int_equal(ledger_record_read(&f.l, VM_ONCE, &r, &e), -1);
	assert_kind(e, ERR_CHECKSUM);
}

static void journal(void **state)
{
	struct phase_mark got[4];
	unsigned int i, n;
	uint64_t bit;

	(void)state;
	assert_int_equal(whole.marks, 2);
	for (bit = 0; bit < 8 * 5 * 64; bit++) {
		flip(8 * LEDGER_JOURNAL_OFFSET + bit);
		n = ledger_journal_read(&f.l, 1, got, 4);
		/* entries 1 and 2 are in use */
		assert_int_equal(n, bit >= 8 * 64 && bit < 8 * 3 * 64 ? 1 : 2);
		for (i = 0; i < n; i++)
			if (memcmp(&got[i], &whole.mark[0], sizeof(got[i])) &&
			    memcmp(&got[i], &whole.mark[1], sizeof(got[i])))
				fail_msg("bit %llu: decoded something else", (unsigned long long)bit);
		flip(8 * LEDGER_JOURNAL_OFFSET + bit);
	}
}

static void a_mark_in_anothers_place(void **state)
{
	uint8_t *ring = f.mem + LEDGER_JOURNAL_OFFSET;
	struct phase_mark got[4];

	(void)state;
	memcpy(ring + 5 * 64, ring + 1 * 64, 64);
	assert_int_equal(ledger_journal_read(&f.l, 1, got, 4), 2);
}

static void one_superblock_is_enough(void **state)
{
	const uint64_t a = FIXTURE_SIZE - LEDGER_TAIL;

	(void)state;
	flips(a, a + LEDGER_LINE + sizeof(struct ledger_sb) + 8, 1, ERR_NONE);
	flips(a + LEDGER_PAGE, a + LEDGER_PAGE + LEDGER_LINE + sizeof(struct ledger_sb) + 8, 1,
	      ERR_NONE);
}

static void both_superblocks(void **state)
{
	const uint64_t at = 8 * (FIXTURE_SIZE - LEDGER_TAIL);
	uint64_t bit;
	enum err_kind got, want;

	(void)state;
	for (bit = 0; bit < 8 * (LEDGER_LINE + sizeof(struct ledger_sb)); bit++) {
		flip(at + bit);
		flip(at + bit + 8 * LEDGER_PAGE);
		got = look(1);
		want = bit < 64			  ? ERR_ABSENT :
			bit > 64 && bit < 64 + 16 ? ERR_FORMAT :
						    ERR_CHECKSUM;
		if (got != want)
			fail_msg("bit %llu: %s instead of %s", (unsigned long long)bit,
				 err_kind_name(got), err_kind_name(want));
		flip(at + bit);
		flip(at + bit + 8 * LEDGER_PAGE);
	}
}

static void blob(void **state)
{
	const uint64_t at = 8 * (LEDGER_BLOBS_OFFSET + ref.offset);
	struct err e = { .kind = ERR_NONE };
	uint64_t bit;
	int fd;

	(void)state;
	for (bit = at; bit < at + 8 * BLOB; bit++) {
		flip(bit);
		fd = ledger_blob_read(&f.l, "vm0", 2, key, &ref, &e);
		if (fd >= 0)
			fail_msg("bit %llu: accepted", (unsigned long long)(bit - at));
		assert_kind(e, ERR_CHECKSUM);
		flip(bit);
	}
	flip(at - 1);
	flip(at + 8 * BLOB);
	fd = ledger_blob_read(&f.l, "vm0", 2, key, &ref, &e);
	assert_true(fd >= 0);
	close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(info_block),
		T(extents),
		T(all_of_the_extent_table),
		T(manifest),
		T(records),
		T(all_records),
		T(what_is_unused_is_never_read),
		T(a_record_in_anothers_place),
		T(journal),
		T(a_mark_in_anothers_place),
		T(one_superblock_is_enough),
		T(both_superblocks),
		T(blob),
	};

	return cmocka_run_group_tests_name("ledger_bits", tests, NULL, NULL);
}
