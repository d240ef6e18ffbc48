/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The writer ends after every single store, and within it after every 8 bytes:
 * whoever opens the ledger next finds the old content or the new one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "ledger_fixture.h"

/**
 * struct op - one way of changing a ledger
 * @name: for messages
 * @run: does it; @n is which of several contents to write
 */
struct op {
	const char *name;
	int (*run)(struct fixture *f, unsigned int n, struct err *e);
};

static int op_extents(struct fixture *f, unsigned int n, struct err *e)
{
	struct extent_table t = { .slot = { { .name = "" } } };
	unsigned int i;

	for (i = 0; i <= n % 8; i++) {
		snprintf(t.slot[i].name, sizeof(t.slot[i].name), "vm%u-%u", n, i);
		t.slot[i].offset = (uint64_t)i << 21;
		t.slot[i].size = 1 << 21;
	}
	return ledger_extents_write(&f->l, &t, e);
}

static int op_record(struct fixture *f, unsigned int n, struct err *e)
{
	struct vm_record r = { .state = VM_SEALED + n % 7, .generation = n, .attempt = n };

	memset(r.ticket_id, (int)n, 16);
	memset(r.boot_id, (int)n + 1, 16);
	return ledger_record_write(&f->l, 17, &r, e);
}

static int op_manifest(struct fixture *f, unsigned int n, struct err *e)
{
	char text[40];

	snprintf(text, sizeof(text), "{\"text of number\":%u}", n);
	return fixture_seal(f, n + 1, 0, text, e);
}

static int op_format(struct fixture *f, unsigned int n, struct err *e)
{
	struct ledger_geometry g = f->geo;
	uint8_t info[4096];

	memset(info, (int)n, sizeof(info));
	return ledger_format(&f->media, &g, info, e);
}

static int op_journal(struct fixture *f, unsigned int n, struct err *e)
{
	struct phase_mark mark = { .phase = PHASE_SAVED, .generation = 1, .tsc = 100 + n };

	return ledger_journal_add(&f->l, &mark, e);
}

static const struct op ops[] = {
	{ "extents", op_extents },
	{ "record", op_record },
	{ "manifest", op_manifest },
};

static uint8_t before[FIXTURE_SIZE];
static struct fixture f;
static struct world old, new, got;

static int setup(void **state)
{
	struct err e;

	(void)state;
	fixture_setup(&f);
	/* so that a part of the other operations' content is there, too */
	return op_extents(&f, 0, &e) | op_record(&f, 0, &e) | op_manifest(&f, 0, &e);
}

static int teardown(void **state)
{
	(void)state;
	fixture_teardown(&f);
	return 0;
}

static void rewind_to(const uint8_t *image)
{
	struct err e = { .kind = ERR_NONE };

	memcpy(f.mem, image, FIXTURE_SIZE);
	fixture_arm(&f, STOP_NEVER, 0, 0);
	if (ledger_open(&f.l, &f.media, &e) < 0)
		fail_msg("%s", e.msg);
}

static void judge(const struct op *op, unsigned int n, int r)
{
	struct err e = { .kind = ERR_NONE };
	bool is_old, is_new;

	if (world_read(&f, 0, &got, &e) < 0)
		fail_msg("%s %u stopped at %u+%zu: %s", op->name, n, f.at, f.torn, e.msg);
	is_old = !memcmp(&got, &old, sizeof(got));
	is_new = !memcmp(&got, &new, sizeof(got));
	if (!is_old && !is_new)
		fail_msg("%s %u stopped at %u+%zu: neither old nor new", op->name, n, f.at, f.torn);
	/* Success means that it is there, even if the media lies. */
	if (r == 0 && !is_new)
		fail_msg("%s %u stopped at %u+%zu: reported as done", op->name, n, f.at, f.torn);
	/* What a stop leaves behind is no obstacle to doing it again. */
	fixture_arm(&f, STOP_NEVER, 0, 0);
	assert_ok(ledger_open(&f.l, &f.media, &e), e);
	if (is_old)
		assert_ok(op->run(&f, n, &e), e);
	assert_ok(world_read(&f, 0, &got, &e), e);
	assert_memory_equal(&got, &new, sizeof(got));
}

static void stop_everywhere(const struct op *op, unsigned int n)
{
	struct err e = { .kind = ERR_NONE };
	unsigned int stores, at, mode;
	size_t torn;

	memcpy(before, f.mem, sizeof(before));
	assert_ok(world_read(&f, 0, &old, &e), e);
	fixture_arm(&f, STOP_NEVER, 0, 0);
	assert_ok(op->run(&f, n, &e), e);
	stores = f.stores;
	assert_true(stores >= 2);
	assert_ok(world_read(&f, 0, &new, &e), e);
	assert_memory_not_equal(&old, &new, sizeof(new));
	for (mode = STOP_FAIL; mode <= STOP_DROP; mode++)
		for (at = 0; at < stores; at++)
			for (torn = 0; torn <= 64; torn += 8) {
				rewind_to(before);
				fixture_arm(&f, mode, at, torn);
				judge(op, n, op->run(&f, n, &e));
			}
	/* longer stores: a little less than everything */
	for (at = 0; at < stores; at++) {
		rewind_to(before);
		fixture_arm(&f, STOP_FAIL, at, 4088);
		judge(op, n, op->run(&f, n, &e));
	}
}

static void old_or_new(void **state)
{
	unsigned int i, n;

	(void)state;
	/* both directions: A to B and B to A */
	for (n = 1; n <= 3; n++)
		for (i = 0; i < ARRAY_LEN(ops); i++)
			stop_everywhere(&ops[i], n);
}

/* The first write of its kind has no old slot to fall back to. */
static void nothing_or_new(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(ops); i++) {
		fixture_teardown(&f);
		fixture_setup(&f);
		stop_everywhere(&ops[i], 1);
	}
}

/* Should words of one line become durable in another order after all, then the
 * content is still never a mixture. */
static void words_in_any_order(void **state)
{
	struct err e = { .kind = ERR_NONE };
	unsigned int i, at, stores, words;

	(void)state;
	for (i = 0; i < ARRAY_LEN(ops); i++) {
		memcpy(before, f.mem, sizeof(before));
		assert_ok(world_read(&f, 0, &old, &e), e);
		fixture_arm(&f, STOP_NEVER, 0, 0);
		assert_ok(ops[i].run(&f, 1, &e), e);
		stores = f.stores;
		assert_ok(world_read(&f, 0, &new, &e), e);
		for (at = 0; at < stores; at++)
			for (words = 1; words < 256; words++) {
				rewind_to(before);
				fixture_arm(&f, STOP_FAIL, at, 0);
				f.words = words;
				if (ops[i].run(&f, 1, &e) == 0)
					fail_msg("%s: a failing store was not noticed", ops[i].name);
				if (world_read(&f, 0, &got, &e) < 0)
					assert_kind(e, ERR_CHECKSUM);
				else if (memcmp(&got, &old, sizeof(got)) &&
					 memcmp(&got, &new, sizeof(got)))
					fail_msg("%s: store %u, words %#x: neither old nor new",
						 ops[i].name, at, words);
			}
		rewind_to(before);
	}
}

/* Formatting goes from the old ledger to none to the new one. */
static void old_or_none_or_new(void **state)
{
	struct err e = { .kind = ERR_NONE };
	unsigned int stores, at, seen_none = 0;
	size_t torn;

	(void)state;
	memcpy(before, f.mem, sizeof(before));
	assert_ok(world_read(&f, 0, &old, &e), e);
	fixture_arm(&f, STOP_NEVER, 0, 0);
	assert_ok(op_format(&f, 1, &e), e);
	stores = f.stores;
	for (at = 0; at < stores; at++)
		for (torn = 0; torn <= 64; torn += 8) {
			if (torn && torn < 64 && at > 2 && at + 8 < stores)
				continue;
			rewind_to(before);
			fixture_arm(&f, torn % 16 ? STOP_DROP : STOP_FAIL, at, torn);
			if (op_format(&f, 1, &e) == 0 && !(at == stores - 1 && torn == 64))
				fail_msg("stopped at %u+%zu: reported as done", at, torn);
			if (world_read(&f, 0, &got, &e) < 0) {
				assert_kind(e, ERR_ABSENT);
				seen_none++;
				continue;
			}
			if (!memcmp(&got, &old, sizeof(got)))
				assert_true(at < 2);
			else if (got.generation || got.info[0] != 1 || got.records[17].state ||
				 !all_zero(&got.extents, sizeof(got.extents)))
				fail_msg("stopped at %u+%zu: a mixture", at, torn);
		}
	assert_true(seen_none > stores);
}

static void a_torn_mark_is_left_out(void **state)
{
	struct err e = { .kind = ERR_NONE };
	struct phase_mark mark[4];
	size_t torn;

	(void)state;
	assert_ok(op_journal(&f, 0, &e), e);
	memcpy(before, f.mem, sizeof(before));
	for (torn = 0; torn < 64; torn += 8) {
		rewind_to(before);
		fixture_arm(&f, STOP_FAIL, 0, torn);
		assert_int_equal(op_journal(&f, 1, &e), -1);
		assert_int_equal(ledger_journal_read(&f.l, 1, mark, 4), 1);
		assert_int_equal(mark[0].tsc, 100);
		fixture_arm(&f, STOP_NEVER, 0, 0);
		assert_ok(op_journal(&f, 2, &e), e);
		assert_int_equal(ledger_journal_read(&f.l, 1, mark, 4), 2);
		assert_int_equal(mark[1].tsc, 102);
	}
}

static void a_blob_that_was_not_stored_is_noticed(void **state)
{
	struct err e = { .kind = ERR_NONE };
	struct blob_ref ref = { .offset = 64 };
	uint8_t key[TICKET_KEY], data[512];

	(void)state;
	fixture_key(0, key);
	memset(data, 0x3c, sizeof(data));
	fixture_arm(&f, STOP_FAIL, 0, 504);
	assert_int_equal(ledger_blob_write(&f.l, "a", 1, key, data, sizeof(data), &ref, &e), -1);
	assert_kind(e, ERR_IO);
	fixture_arm(&f, STOP_DROP, 0, 504);
	assert_int_equal(ledger_blob_write(&f.l, "a", 1, key, data, sizeof(data), &ref, &e), -1);
	assert_kind(e, ERR_CHECKSUM);
	assert_int_equal(ref.length, 0);
}

/* The media loses one store and takes the later ones. */
static void a_lost_store_is_noticed(void **state)
{
	struct err e = { .kind = ERR_NONE };
	unsigned int i, at, stores;

	(void)state;
	for (i = 0; i < ARRAY_LEN(ops); i++) {
		memcpy(before, f.mem, sizeof(before));
		assert_ok(world_read(&f, 0, &old, &e), e);
		fixture_arm(&f, STOP_NEVER, 0, 0);
		assert_ok(ops[i].run(&f, 1, &e), e);
		stores = f.stores;
		assert_ok(world_read(&f, 0, &new, &e), e);
		for (at = 0; at < stores; at++) {
			rewind_to(before);
			fixture_arm(&f, STOP_SKIP, at, 0);
			if (ops[i].run(&f, 1, &e) < 0) {
				assert_kind(e, ERR_CHECKSUM);
				assert_ok(world_read(&f, 0, &got, &e), e);
				assert_memory_equal(&got, &old, sizeof(got));
				continue;
			}
			/* zeroing the line can be lost without harm */
			assert_int_equal(at, 0);
			assert_ok(world_read(&f, 0, &got, &e), e);
			assert_memory_equal(&got, &new, sizeof(got));
		}
		rewind_to(before);
	}
}

static uint32_t draw(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Stops upon stops, at random places of random operations. */
static void one_stop_after_another(void **state)
{
	struct err e = { .kind = ERR_NONE };
	unsigned int i, n = 1, stopped = 0;
	uint32_t seed = 20;

	(void)state;
	for (i = 0; i < 4000; i++) {
		const struct op *op = &ops[draw(&seed) % ARRAY_LEN(ops)];
		int r;

		assert_ok(world_read(&f, 0, &old, &e), e);
		fixture_arm(&f, draw(&seed) % 2 ? STOP_FAIL : STOP_DROP, draw(&seed) % 4,
			    draw(&seed) % 9 * 8);
		n++;
		r = op->run(&f, n, &e);
		fixture_arm(&f, STOP_NEVER, 0, 0);
		if (world_read(&f, 0, &got, &e) < 0)
			fail_msg("step %u, %s: %s", i, op->name, e.msg);
		if (r == 0 && !memcmp(&got, &old, sizeof(got)))
			fail_msg("step %u, %s: reported as done", i, op->name);
		if (!memcmp(&got, &old, sizeof(got))) {
			stopped++;
			continue;
		}
		/* What changed must be what this operation writes anew. */
		memcpy(&new, &got, sizeof(new));
		if (op->run == op_manifest)
			continue;
		assert_ok(op->run(&f, n, &e), e);
		assert_ok(world_read(&f, 0, &got, &e), e);
		assert_memory_equal(&got, &new, sizeof(got));
	}
	assert_true(stopped > 500 && stopped < 3500);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(old_or_new),
		T(nothing_or_new),
		T(words_in_any_order),
		T(old_or_none_or_new),
		T(a_lost_store_is_noticed),
		T(a_torn_mark_is_left_out),
		T(a_blob_that_was_not_stored_is_noticed),
		T(one_stop_after_another),
	};

	return cmocka_run_group_tests_name("ledger_stop", tests, NULL, NULL);
}
