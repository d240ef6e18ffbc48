/* SPDX-License-Identifier: GPL-2.0-only */
/* What of pmem needs no real region; tests/boot/pmem-smoke has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "pmem_internal.h"
#include "ledger_fixture.h"
#include "scratch.h"

#define M (1ULL << 20)

static struct err err;

static void iomem_ranges(void **state)
{
	static const char text[] = "00000000-00000fff : Reserved\n"
				   "00100000-bffd9fff : System RAM\n"
				   "  01000000-01ffffff : Kernel code\n"
				   "100000000-13fffffff : Persistent Memory (legacy)\n"
				   "  100000000-13fffffff : namespace0.0\n"
				   "    100600000-13fffffff : dax0.0\n"
				   "140000000-17fffffff : Persistent Memory\n"
				   "  180000000-19fffffff : Persistent Memory (legacy)\n";
	struct pmem_range r[PMEM_RANGES_MAX];

	(void)state;
	assert_int_equal(pmem_iomem_parse(text, r, &err), 2);
	assert_int_equal(r[0].start, 0x100000000);
	assert_int_equal(r[0].size, 0x40000000);
	assert_int_equal(r[1].start, 0x180000000);
	assert_int_equal(r[1].size, 0x20000000);
	assert_int_equal(pmem_iomem_parse("", r, &err), 0);
	assert_int_equal(
		pmem_iomem_parse("rubbish\n-\n:\n200-100 : Persistent Memory (legacy)", r, &err), 0);
}

static void iomem_that_hides(void **state)
{
	struct pmem_range r[PMEM_RANGES_MAX];

	(void)state;
	assert_int_equal(
		pmem_iomem_parse("00000000-00000000 : Persistent Memory (legacy)\n", r, &err), -1);
	assert_kind(err, ERR_REFUSED);
}

static void iomem_with_too_many(void **state)
{
	struct pmem_range r[PMEM_RANGES_MAX];
	char text[4096] = "";

	(void)state;
	for (int i = 1; i <= PMEM_RANGES_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%x000-%xfff : Persistent Memory (legacy)\n", i, i);
	assert_int_equal(pmem_iomem_parse(text, r, &err), PMEM_RANGES_MAX);
	strcat(text, "ff000-fffff : Persistent Memory (legacy)\n");
	assert_int_equal(pmem_iomem_parse(text, r, &err), -1);
	assert_kind(err, ERR_REFUSED);
}

static void contents(void **state)
{
	static uint8_t head[PMEM_HEAD];

	(void)state;
	assert_null(pmem_content_name(head, sizeof(head)));
	memset(head, 0xa5, sizeof(head));
	assert_null(pmem_content_name(head, sizeof(head)));
	memcpy(head + 0x10040, "_BHRfS_M", 8);
	assert_non_null(strstr(pmem_content_name(head, sizeof(head)), "btrfs"));
	assert_null(pmem_content_name(head, 0x10047));
	memcpy(head + 0x438, "\x53\xef", 2);
	assert_non_null(strstr(pmem_content_name(head, sizeof(head)), "ext4"));
	memcpy(head + 4096, "NVDIMM_DAX_INFO", 16);
	assert_non_null(strstr(pmem_content_name(head, sizeof(head)), "devdax"));
	memset(head, 0, sizeof(head));
	memcpy(head, "XFSB", 4);
	assert_non_null(strstr(pmem_content_name(head, sizeof(head)), "XFS"));
}

/* What kernel 6.12 wrote for a region of 256 MiB at 1 GiB: the first 96 bytes,
 * and the sum at the end; all between them is zero. */
static const char real_head[] = "4e5644494d4d5f4441585f494e464f00"
				"9ce805da68814b509dd1bcfdfa75ff27"
				"00000000000000000000000000000000"
				"00000000010004000000600000000000"
				"00fa0000000000000200000000000000"
				"00000000000020000010000040000000";
static const char real_sum[] = "08fee4275afcccaf";

static void real_block(uint8_t block[PMEM_INFO_SIZE])
{
	memset(block, 0, PMEM_INFO_SIZE);
	assert_ok(io_unhex(real_head, block, 96, &err), err);
	assert_ok(io_unhex(real_sum, block + 4088, 8, &err), err);
}

static void info_block(void **state)
{
	static const uint8_t uuid[2] = { 0x9c, 0xe8 };
	uint8_t block[PMEM_INFO_SIZE] = { 0 };
	struct pmem_device dev = { 0 };

	(void)state;
	assert_int_equal(pmem_info_decode(block, &dev, &err), -1);
	assert_kind(err, ERR_ABSENT);
	real_block(block);
	assert_ok(pmem_info_decode(block, &dev, &err), err);
	assert_int_equal(dev.dataoff, 6 * M);
	assert_int_equal(dev.align, 2 * M);
	assert_int_equal(dev.page_struct_size, 64);
	assert_memory_equal(dev.namespace_uuid, uuid, 2);
}

static void every_flipped_bit_of_the_info_block(void **state)
{
	uint8_t block[PMEM_INFO_SIZE];
	struct pmem_device dev;

	(void)state;
	real_block(block);
	for (unsigned int bit = 0; bit < PMEM_INFO_SIZE * 8; bit++) {
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (pmem_info_decode(block, &dev, &err) == 0)
			fail_msg("bit %u does not matter", bit);
		assert_int_equal(err.kind, bit < 16 * 8 ? ERR_ABSENT : ERR_CHECKSUM);
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_ok(pmem_info_decode(block, &dev, &err), err);
}

/* A file in place of the device, as long as the fixture's. */
static struct pmem_device file_device(void)
{
	struct ledger_geometry g = fixture_geometry();
	struct pmem_device dev = {
		.region_start = g.region_start,
		.region_size = g.region_size,
		.size = g.device_size,
		.align = g.align,
		.dataoff = g.dataoff,
	};
	int fd;

	memcpy(dev.namespace_uuid, g.namespace_uuid, sizeof(dev.namespace_uuid));
	snprintf(dev.path, sizeof(dev.path), "%s", scratch_path("device"));
	fd = open(dev.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)dev.size), 0);
	close(fd);
	return dev;
}

static void format(const struct pmem_device *dev)
{
	struct ledger_geometry g = fixture_geometry();
	uint8_t info[4096] = { 1 };
	struct pmem_map m;

	assert_ok(pmem_map_ledger(dev->path, dev->size, FIXTURE_SIZE, &m, &err), err);
	assert_true(m.is_file);
	assert_ok(ledger_format(&m.media, &g, info, &err), err);
	pmem_map_close(&m);
	assert_null(m.media.base);
	assert_int_equal(m.fd, -1);
}

static void ledger_in_a_file(void **state)
{
	struct pmem_device dev = file_device();
	struct pmem_map m;
	struct ledger l;

	(void)state;
	assert_int_equal(pmem_open_ledger(&dev, &m, &l, &err), -1);
	assert_kind(err, ERR_ABSENT);
	format(&dev);
	assert_ok(pmem_open_ledger(&dev, &m, &l, &err), err);
	assert_int_equal(m.media.size, FIXTURE_SIZE);
	assert_int_equal(l.geo.ledger_offset, dev.size - FIXTURE_SIZE);
	pmem_map_close(&m);
}

static void ledger_of_another_device(void **state)
{
	struct pmem_device dev = file_device(), other;
	struct pmem_map m;
	struct ledger l;

	(void)state;
	format(&dev);
	for (int i = 0; i < 5; i++) {
		other = dev;
		if (i == 0)
			other.region_start += 2 * M;
		else if (i == 1)
			other.region_size += 2 * M;
		else if (i == 2)
			other.namespace_uuid[15] ^= 1;
		else if (i == 3)
			other.dataoff += 2 * M;
		else
			other.align = 4 * M;
		if (pmem_open_ledger(&other, &m, &l, &err) == 0)
			fail_msg("difference %d is not seen", i);
		assert_kind(err, ERR_MISMATCH);
	}
	/* grown by 2 MiB, with the ledger moved to its end */
	assert_int_equal(truncate(dev.path, (off_t)(dev.size + 2 * M)), 0);
	other = dev;
	other.size += 2 * M;
	assert_int_equal(pmem_open_ledger(&other, &m, &l, &err), -1);
	assert_kind(err, ERR_ABSENT);
}

static void sizes_that_do_not_fit(void **state)
{
	struct pmem_device dev = file_device();
	struct pmem_map m;

	(void)state;
	assert_int_equal(pmem_map_ledger(dev.path, dev.size, 0, &m, &err), -1);
	assert_kind(err, ERR_MISMATCH);
	assert_int_equal(pmem_map_ledger(dev.path, dev.size, 3 * M, &m, &err), -1);
	assert_kind(err, ERR_MISMATCH);
	assert_int_equal(pmem_map_ledger(dev.path, dev.size, dev.size + 2 * M, &m, &err), -1);
	assert_kind(err, ERR_MISMATCH);
	assert_int_equal(pmem_map_ledger(dev.path, dev.size + 2 * M, 2 * M, &m, &err), -1);
	assert_kind(err, ERR_MISMATCH);
	assert_int_equal(pmem_map_ledger("/nonexistent", dev.size, 2 * M, &m, &err), -1);
	assert_kind(err, ERR_IO);
	assert_int_equal(pmem_map_ledger("/", dev.size, 2 * M, &m, &err), -1);
	assert_kind(err, ERR_IO);
}

static void zeroing(void **state)
{
	struct pmem_device dev = file_device();
	int fd = open(dev.path, O_RDWR | O_CLOEXEC);
	uint8_t *p;

	(void)state;
	p = mmap(NULL, dev.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	memset(p, 0xff, dev.size);
	assert_ok(pmem_zero(dev.path, 2 * M, 4 * M, &err), err);
	assert_int_equal(p[2 * M - 1], 0xff);
	for (uint64_t i = 2 * M; i < 6 * M; i++)
		if (p[i])
			fail_msg("byte %llu is left", (unsigned long long)i);
	assert_int_equal(p[6 * M], 0xff);
	assert_int_equal(pmem_zero(dev.path, dev.size - 2 * M, 4 * M, &err), -1);
	assert_kind(err, ERR_MISMATCH);
	munmap(p, dev.size);
	close(fd);
}

static void blank_or_not(void **state)
{
	struct pmem_device dev = file_device();
	const uint64_t used[] = { 0, 4095, dev.size - FIXTURE_SIZE, dev.size - 8192, dev.size - 1 };
	int fd = open(dev.path, O_RDWR | O_CLOEXEC);

	(void)state;
	assert_ok(pmem_check_blank(&dev, FIXTURE_SIZE, &err), err);
	for (size_t i = 0; i < ARRAY_LEN(used); i++) {
		assert_int_equal(pwrite(fd, "x", 1, (off_t)used[i]), 1);
		assert_int_equal(pmem_check_blank(&dev, FIXTURE_SIZE, &err), -1);
		assert_non_null(strstr(err.msg, "--force"));
		assert_kind(err, ERR_REFUSED);
		assert_int_equal(pwrite(fd, "", 1, (off_t)used[i]), 1);
	}
	/* RAM of a guest is nobody's business here */
	assert_int_equal(pwrite(fd, "x", 1, 2 * M), 1);
	assert_ok(pmem_check_blank(&dev, FIXTURE_SIZE, &err), err);
	assert_int_equal(pmem_check_blank(&dev, dev.size + 2 * M, &err), -1);
	assert_kind(err, ERR_MISMATCH);
	close(fd);
}

static void who_uses_it(void **state)
{
	struct pmem_device dev = file_device();
	int fd = open(dev.path, O_RDWR | O_CLOEXEC);
	char pid[32];
	void *p;

	(void)state;
	assert_ok(pmem_in_use(dev.path, &err), err);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(pmem_in_use(dev.path, &err), -1);
	snprintf(pid, sizeof(pid), "process %d (test_pmem", (int)getpid());
	assert_non_null(strstr(err.msg, pid));
	assert_kind(err, ERR_REFUSED);
	munmap(p, 4096);
	close(fd);
	assert_ok(pmem_in_use(dev.path, &err), err);
}

static void ledger_seen_through_the_raw_device(void **state)
{
	struct pmem_device dev = file_device();
	struct pmem_raw raw = { .fd = open(dev.path, O_RDWR | O_CLOEXEC), .size = dev.size };

	(void)state;
	/* its aligned end is the file's end, whatever the start */
	assert_int_equal(pmem_raw_ledger(&raw, 4ULL << 30, &err), 0);
	format(&dev);
	assert_int_equal(pmem_raw_ledger(&raw, 4ULL << 30, &err), 1);
	/* a region that does not end at a multiple of 2 MiB */
	raw.size += 4096;
	assert_int_equal(pmem_raw_ledger(&raw, 4ULL << 30, &err), 1);
	assert_int_equal(pmem_raw_ledger(&raw, (4ULL << 30) + M, &err), 0);
	raw.size = 4096;
	assert_int_equal(pmem_raw_ledger(&raw, 4ULL << 30, &err), 0);
	pmem_raw_close(&raw);
	assert_int_equal(raw.fd, -1);
}

static void no_such_module(void **state)
{
	static const char *const names[] = { "holdover_no_such_module" };

	(void)state;
	assert_int_equal(pmem_load_named_modules(names, 1, &err), -1);
	assert_non_null(strstr(err.msg, "holdover_no_such_module"));
	assert_kind(err, ERR_ABSENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(iomem_ranges),
		CASE(iomem_that_hides),
		CASE(iomem_with_too_many),
		CASE(contents),
		CASE(info_block),
		CASE(every_flipped_bit_of_the_info_block),
		CASE(ledger_in_a_file),
		CASE(ledger_of_another_device),
		CASE(sizes_that_do_not_fit),
		CASE(zeroing),
		CASE(blank_or_not),
		CASE(who_uses_it),
		CASE(ledger_seen_through_the_raw_device),
		CASE(no_such_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
