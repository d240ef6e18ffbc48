/* SPDX-License-Identifier: GPL-2.0-only */
/* Two kinds of stores, several regions: what can be told without a kernel's pmem. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"
#include "store.h"

#define MIB (1ULL << 20)

static void file_systems_are_known_by_their_bytes(void **state)
{
	uint8_t head[DAXFS_HEAD] = { 0 };
	struct daxfs fs;

	(void)state;
	daxfs_identify(head, &fs);
	assert_int_equal(fs.type, DAXFS_NONE);
	head[0x438] = 0x53;
	head[0x439] = 0xef;
	memset(head + 0x468, 0xe4, 16);
	daxfs_identify(head, &fs);
	assert_int_equal(fs.type, DAXFS_EXT4);
	assert_int_equal(fs.uuid[15], 0xe4);
	assert_false(fs.ours);
	memcpy(head + 0x478, "holdover", 8);
	daxfs_identify(head, &fs);
	assert_true(fs.ours);
	memcpy(head + 0x478, "holdovers", 9);
	daxfs_identify(head, &fs);
	assert_false(fs.ours);
	memset(head, 0, sizeof(head));
	memcpy(head, "XFSB", 4);
	memset(head + 32, 0xf5, 16);
	memcpy(head + 108, "holdover", 8);
	daxfs_identify(head, &fs);
	assert_int_equal(fs.type, DAXFS_XFS);
	assert_int_equal(fs.uuid[0], 0xf5);
	assert_true(fs.ours);
}

static void ram_is_a_part_of_a_device_or_a_file(void **state)
{
	struct store dev = { .dev = { .path = "/dev/dax0.0", .align = 1 << 30 } };
	struct store files = { .dev = { .path = "/dev/pmem0", .align = 2 * MIB, .mode = PMEM_FSDAX },
			       .fs = { .dir = "/run/holdover/dax/0x100000000" } };
	struct extent x = { .name = "db1", .offset = 4 * MIB, .size = 8 * MIB };
	struct err e = { 0 };
	struct ram ram;

	(void)state;
	assert_int_equal(store_ram(&dev, &x, &ram, &e), 0);
	assert_string_equal(ram.path, "/dev/dax0.0");
	assert_int_equal(ram.offset, 4 * MIB);
	assert_int_equal(ram.align, 1 << 30);
	assert_int_equal(store_ram(&files, &x, &ram, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	x.in_file = true;
	x.offset = 0;
	assert_int_equal(store_ram(&files, &x, &ram, &e), 0);
	assert_string_equal(ram.path, "/run/holdover/dax/0x100000000/db1.ram");
	/* Not the file of a VM db1.1, which would be another one's RAM. */
	x.part = 1;
	assert_int_equal(store_ram(&files, &x, &ram, &e), 0);
	assert_string_equal(ram.path, "/run/holdover/dax/0x100000000/db1+1.ram");
	assert_int_equal(store_ram(&dev, &x, &ram, &e), -1);
}

/* RAM through the page cache would be lost in the jump: no file of an ordinary
 * file system is taken for a ledger or for RAM. */
static void an_ordinary_file_system_is_refused(void **state)
{
	struct store s = { .dev = { .path = "/dev/null", .align = 2 * MIB, .mode = PMEM_FSDAX } };
	struct ram ram = { .size = 2 * MIB };
	struct err e = { 0 };

	(void)state;
	snprintf(ram.path, sizeof(ram.path), "%s", scratch_path("db1.ram"));
	assert_int_equal(store_reserve(&s, &ram, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.msg, "page cache"));
}

static void regions_have_extents_of_their_own(void **state)
{
	struct ledger_geometry first = { .align = 2 * MIB, .ledger_offset = 16 * MIB };
	struct ledger_geometry second = first, files = first;
	static struct extent_table t;
	struct err e = { 0 };
	int a, b, c, d;

	(void)state;
	second.region = 1;
	files.region = 2;
	files.in_file = true;
	files.ledger_offset = 0;
	files.region_size = 64 * MIB;
	a = extent_alloc(&t, &first, "a", 16 * MIB, &e);
	b = extent_alloc(&t, &second, "b", 16 * MIB, &e);
	c = extent_alloc(&t, &files, "c", 16 * MIB, &e);
	d = extent_alloc(&t, &files, "d", 32 * MIB, &e);
	assert_true(a >= 0 && b >= 0 && c >= 0 && d >= 0);
	assert_int_equal(t.slot[b].offset, 0);
	assert_int_equal(t.slot[b].region, 1);
	assert_true(t.slot[d].in_file);
	assert_int_equal(extent_alloc(&t, &second, "e", 2 * MIB, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_int_equal(extent_table_check(&t, &first, ERR_FORMAT, &e), 0);
	assert_int_equal(extent_fits(&t.slot[b], &second, ERR_FORMAT, &e), 0);
	t.slot[b].offset = 2 * MIB;
	assert_int_equal(extent_fits(&t.slot[b], &second, ERR_FORMAT, &e), -1);
	assert_int_equal(extent_fits(&t.slot[c], &second, ERR_FORMAT, &e), -1);
	assert_non_null(strstr(e.msg, "is a file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_systems_are_known_by_their_bytes),
		cmocka_unit_test(ram_is_a_part_of_a_device_or_a_file),
		cmocka_unit_test_setup_teardown(an_ordinary_file_system_is_refused, scratch_setup,
						scratch_teardown),
		cmocka_unit_test(regions_have_extents_of_their_own),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
