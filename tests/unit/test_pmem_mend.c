/* SPDX-License-Identifier: GPL-2.0-only */
/* When an info block may be written back. What follows from it is shown by tests/fault/walk and by real kernels in tests/boot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "pmem_internal.h"
#include "ledger_fixture.h"

#define M (1ULL << 20)

static struct err err;
static struct pmem_mend m;
static uint8_t *const block = m.head + PMEM_INFO_OFFSET;

static void put(uint8_t *p, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void seal(uint8_t b[PMEM_INFO_SIZE])
{
	put(b + PMEM_INFO_SIZE - 8, pmem_info_checksum(b), 8);
}

/* A region that needs mending: one bit of the block is wrong. */
static int damaged(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	m.start = m.geo.region_start = 4096 * M;
	m.size = m.geo.region_size = 1024 * M;
	m.geo.dataoff = 18 * M;
	m.geo.align = 2 * M;
	m.geo.page_struct_size = 64;
	m.geo.device_size = 1006 * M;
	memset(m.geo.namespace_uuid, 7, 16);
	memcpy(m.copy, "NVDIMM_DAX_INFO", 16);
	memset(m.copy + 16, 7, 16);
	put(m.copy + 56, 18 * M, 8);
	put(m.copy + 84, 2 * M, 4);
	put(m.copy + 92, 64, 2);
	seal(m.copy);
	memcpy(block, m.copy, PMEM_INFO_SIZE);
	block[100] ^= 1;
	err_clear(&err);
	return 0;
}

static void refused(const char *text)
{
	assert_int_equal(pmem_mend_check(&m, &err), -1);
	if (!strstr(err.msg, text))
		fail_msg("'%s' is not about %s", err.msg, text);
	assert_kind(err, ERR_REFUSED);
}

static void each_bit(void **state)
{
	(void)state;
	/* Of the signature as well: no kernel takes another block for it. */
	for (unsigned int bit = 0; bit < 8 * PMEM_INFO_SIZE; bit++) {
		memcpy(block, m.copy, PMEM_INFO_SIZE);
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (pmem_mend_check(&m, &err) != 1)
			fail_msg("bit %u: %s", bit, err.msg);
	}
	memset(block, 0, PMEM_INFO_SIZE);
	assert_int_equal(pmem_mend_check(&m, &err), 1);
	memset(block, 0xff, PMEM_INFO_SIZE);
	assert_int_equal(pmem_mend_check(&m, &err), 1);
}

static void intact(void **state)
{
	(void)state;
	memcpy(block, m.copy, PMEM_INFO_SIZE);
	assert_int_equal(pmem_mend_check(&m, &err), 0);
}

static void other_region(void **state)
{
	(void)state;
	m.start += M;
	refused("written for a region");
	m.start -= M;
	m.size -= M;
	refused("written for a region");
}

static void bad_copy(void **state)
{
	(void)state;
	m.copy[200] ^= 1;
	refused("checksum");
	memset(m.copy, 0, sizeof(m.copy));
	refused("no devdax or fsdax info block");
}

/* A copy that is right in itself, but of another namespace than the ledger's. */
static void foreign_copy(void **state)
{
	static const unsigned int fields[] = { 16, 56, 84, 92 };

	for (unsigned int i = 0; i < ARRAY_LEN(fields); i++) {
		damaged(state);
		m.copy[fields[i]] ^= 2;
		seal(m.copy);
		refused("another namespace than the ledger");
	}
}

static void other_content(void **state)
{
	static const struct {
		unsigned int at;
		const char *magic, *name;
	} content[] = {
		{ 0x438, "\x53\xef", "ext4" },
		{ 0, "XFSB", "XFS" },
		{ 512, "EFI PART", "GPT" },
		{ 4096, "NVDIMM_PFN_INFO", "fsdax" },
		{ 4096, "BTT_ARENA_INFO", "sector-mode" },
		{ 4086, "SWAPSPACE2", "swap" },
	};

	for (unsigned int i = 0; i < ARRAY_LEN(content); i++) {
		damaged(state);
		memset(block, 0, PMEM_INFO_SIZE);
		memcpy(m.head + content[i].at, content[i].magic, strlen(content[i].magic));
		refused(content[i].name);
	}
}

static void other_namespace(void **state)
{
	(void)state;
	memcpy(block, m.copy, PMEM_INFO_SIZE);
	memset(block + 16, 8, 16);
	seal(block);
	refused("another devdax namespace");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_bit, damaged),
		cmocka_unit_test_setup(intact, damaged),
		cmocka_unit_test_setup(other_region, damaged),
		cmocka_unit_test_setup(bad_copy, damaged),
		cmocka_unit_test_setup(foreign_copy, damaged),
		cmocka_unit_test_setup(other_content, damaged),
		cmocka_unit_test_setup(other_namespace, damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
