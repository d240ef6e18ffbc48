/* SPDX-License-Identifier: GPL-2.0-only */
/* Canaries: every change that they are to notice, and what they must not touch. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "canary.h"
#include "ledger_fixture.h"
#include "scratch.h"

#define MIB (1ULL << 20)
#define PAGE 4096ULL

/* A sparse file; RAM is what lies from 2 MiB to 2 MiB before its end. */
static struct ram make_ram(const char *name, uint64_t size)
{
	const char *path = scratch_write(name, "");

	assert_int_equal(truncate(path, (off_t)(size + 4 * MIB)), 0);
	struct ram ram = { .offset = 2 * MIB, .size = size };

	snprintf(ram.path, sizeof(ram.path), "%s", path);
	return ram;
}

/* Change (and change back) one bit at @at of the file. */
static void flip(const struct ram *ram, uint64_t at)
{
	int fd = open(ram->path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static bool matches(const struct ram *ram, const struct canary *c, bool whole)
{
	struct err e = { 0 };

	if (canary_check(ram, c, whole, &e) == 0)
		return true;
	assert_non_null(strstr(e.msg, "changed since it was saved"));
	assert_kind(e, ERR_MISMATCH);
	return false;
}

static void none_says_nothing(void **state)
{
	struct ram nowhere = { .path = "/nonexistent", .size = 1 };
	struct canary c;
	struct err e = { 0 };

	(void)state;
	memset(&c, 0xff, sizeof(c));
	assert_ok(canary_take(&nowhere, CANARY_NONE, 1, &c, &e), e);
	assert_int_equal(c.mode, CANARY_NONE);
	assert_ok(canary_check(&nowhere, &c, true, &e), e);
}

/* Each of the equal parts has one page in the sample: a change of all of a
 * part's pages is noticed, wherever the part is. */
static void the_sample_is_spread(void **state)
{
	struct ram ram = make_ram("ram", 4 * MIB);
	uint64_t pages_a_part = ram.size / PAGE / CANARY_PAGES;
	struct canary c;
	struct err e = { 0 };

	(void)state;
	assert_ok(canary_take(&ram, CANARY_SAMPLE, 1, &c, &e), e);
	assert_int_equal(c.pages, CANARY_PAGES);
	assert_int_equal(c.whole, 0);
	assert_true(matches(&ram, &c, true));
	for (uint64_t part = 0; part < CANARY_PAGES; part++) {
		unsigned int noticed = 0;

		for (uint64_t i = 0; i < pages_a_part; i++) {
			uint64_t at = ram.offset + (part * pages_a_part + i) * PAGE +
				(part * 7 + i) % PAGE;

			flip(&ram, at);
			noticed += !matches(&ram, &c, false);
			flip(&ram, at);
		}
		assert_int_equal(noticed, 1);
	}
	assert_true(matches(&ram, &c, false));
}

/* Sizes that the number of pages does not divide, across pieces. */
static void the_sample_covers_odd_sizes(void **state)
{
	struct ram ram = make_ram("ram", 130 * MIB);
	unsigned int noticed = 0;
	struct canary c;
	struct err e = { 0 };

	(void)state;
	assert_ok(canary_take(&ram, CANARY_SAMPLE, 60, &c, &e), e);
	assert_int_equal(c.pages, CANARY_PAGES / 60);
	for (uint64_t page = 0; page < ram.size / PAGE; page += 16) {
		for (uint64_t i = 0; i < 16; i++)
			flip(&ram, ram.offset + (page + i) * PAGE + 4095);
		noticed += !matches(&ram, &c, false);
		for (uint64_t i = 0; i < 16; i++)
			flip(&ram, ram.offset + (page + i) * PAGE + 4095);
	}
	assert_int_equal(noticed, c.pages);
}

static void the_seed_is_random(void **state)
{
	struct ram ram = make_ram("ram", 64 * MIB);
	struct canary a, b;
	struct err e = { 0 };

	(void)state;
	assert_ok(canary_take(&ram, CANARY_SAMPLE, 1, &a, &e), e);
	assert_ok(canary_take(&ram, CANARY_SAMPLE, 1, &b, &e), e);
	assert_true(a.seed != b.seed);
	assert_true(a.sample != b.sample);
}

/* Which page of its part it is, nobody can know beforehand. */
static void the_pages_are_random(void **state)
{
	struct ram ram = make_ram("ram", 128 * MIB);
	uint64_t pages_a_part = ram.size / PAGE / CANARY_PAGES;
	unsigned int first_half = 0;
	struct canary c;
	struct err e = { 0 };

	(void)state;
	assert_ok(canary_take(&ram, CANARY_SAMPLE, 1, &c, &e), e);
	for (uint64_t part = 0; part < 64; part++) {
		uint64_t at = ram.offset + part * pages_a_part * PAGE;

		for (uint64_t i = 0; i < pages_a_part / 2; i++)
			flip(&ram, at + i * PAGE);
		first_half += !matches(&ram, &c, false);
		for (uint64_t i = 0; i < pages_a_part / 2; i++)
			flip(&ram, at + i * PAGE);
	}
	/* 32 is expected; that it is outside of this has a chance of 1e-13. */
	assert_in_range(first_half, 4, 60);
}

static void many_vms_share_the_pages(void **state)
{
	struct ram ram = make_ram("ram", 2 * MIB);
	struct canary c;
	struct err e = { 0 };

	(void)state;
	for (unsigned int vms = 0; vms <= VM_MAX; vms++) {
		assert_ok(canary_take(&ram, CANARY_SAMPLE, vms, &c, &e), e);
		assert_true(c.pages >= 1);
		assert_true(c.pages * (vms ? vms : 1) <= CANARY_PAGES);
	}
	assert_ok(canary_take(&ram, CANARY_SAMPLE, 100000, &c, &e), e);
	assert_int_equal(c.pages, 1);
}

static void a_full_one_sees_every_bit(void **state)
{
	struct ram ram = make_ram("ram", 130 * MIB);
	static const uint64_t places[] = { 0, 1, 64 * MIB - 1, 64 * MIB, 128 * MIB, 130 * MIB - 1 };
	unsigned int by_sample = 0;
	struct canary c;
	struct err e = { 0 };

	(void)state;
	assert_ok(canary_take(&ram, CANARY_FULL, 1, &c, &e), e);
	assert_int_equal(c.mode, CANARY_FULL);
	assert_true(matches(&ram, &c, true));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		flip(&ram, ram.offset + places[i]);
		assert_false(matches(&ram, &c, true));
		by_sample += !matches(&ram, &c, false);
		flip(&ram, ram.offset + places[i]);
	}
	/* 512 of 33280 pages: that it has all six is out of the question. */
	assert_true(by_sample < ARRAY_LEN(places));
	assert_true(matches(&ram, &c, true));
}

static void pieces_that_change_places_are_noticed(void **state)
{
	struct ram ram = make_ram("ram", 128 * MIB);
	struct canary c;
	struct err e = { 0 };

	(void)state;
	flip(&ram, ram.offset + 5);
	assert_ok(canary_take(&ram, CANARY_FULL, 1, &c, &e), e);
	flip(&ram, ram.offset + 5);
	flip(&ram, ram.offset + 64 * MIB + 5);
	assert_false(matches(&ram, &c, true));
}

static void what_lies_outside_does_not_count(void **state)
{
	struct ram ram = make_ram("ram", 6 * MIB);
	struct canary c;
	struct err e = { 0 };

	(void)state;
	assert_ok(canary_take(&ram, CANARY_FULL, 1, &c, &e), e);
	flip(&ram, ram.offset - 1);
	flip(&ram, ram.offset + ram.size);
	assert_true(matches(&ram, &c, true));
}

static void nothing_stays_mapped_or_open(void **state)
{
	struct ram ram = make_ram("mapped-ram", 70 * MIB);
	_cleanup_buf_ struct buf maps = { 0 };
	struct canary c;
	struct err e = { 0 };
	int before = dup(0), after;

	(void)state;
	close(before);
	assert_ok(canary_take(&ram, CANARY_FULL, 1, &c, &e), e);
	assert_true(matches(&ram, &c, true));
	flip(&ram, ram.offset);
	assert_false(matches(&ram, &c, true));
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
	assert_ok(io_read_file("/proc/self/maps", 1 << 20, &maps, &e), e);
	assert_null(strstr(maps.data, "mapped-ram"));
}

static void what_cannot_be_read_is_an_error(void **state)
{
	struct ram ram = make_ram("ram", 4 * MIB), bad;
	struct canary c, out;
	struct err e = { 0 };

	(void)state;
	assert_ok(canary_take(&ram, CANARY_SAMPLE, 1, &c, &e), e);
	bad = ram;
	bad.size += 8 * MIB;
	assert_int_equal(canary_take(&bad, CANARY_SAMPLE, 1, &out, &e), -1);
	assert_int_equal(out.mode, CANARY_NONE);
	assert_kind(e, ERR_MISMATCH);
	bad.size = UINT64_MAX - 2 * MIB + 1;
	assert_int_equal(canary_check(&bad, &c, false, &e), -1);
	assert_kind(e, ERR_MISMATCH);
	bad = ram;
	bad.offset += PAGE;
	bad.size -= 2 * MIB;
	assert_int_equal(canary_check(&bad, &c, false, &e), -1);
	assert_kind(e, ERR_MISMATCH);
	bad = ram;
	snprintf(bad.path, sizeof(bad.path), "%s", scratch_path("none"));
	assert_int_equal(canary_check(&bad, &c, false, &e), -1);
	assert_kind(e, ERR_IO);
	c.pages = 0;
	assert_int_equal(canary_check(&ram, &c, false, &e), -1);
	assert_kind(e, ERR_FORMAT);
	c.pages = ram.size / PAGE + 1;
	assert_int_equal(canary_check(&ram, &c, false, &e), -1);
	assert_kind(e, ERR_FORMAT);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(none_says_nothing),
		CASE(the_sample_is_spread),
		CASE(the_sample_covers_odd_sizes),
		CASE(the_seed_is_random),
		CASE(the_pages_are_random),
		CASE(many_vms_share_the_pages),
		CASE(a_full_one_sees_every_bit),
		CASE(pieces_that_change_places_are_noticed),
		CASE(what_lies_outside_does_not_count),
		CASE(nothing_stays_mapped_or_open),
		CASE(what_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
