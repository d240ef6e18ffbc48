/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=pmem_iomem_ranges,--wrap=region_open */
/* The regions beside the ledger's own: which number is which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host.h"

#define GIB (1ULL << 30)

/* Numbers that the regions at 2G, 3G, ... are stamped with. */
static const unsigned int *stamped;
static int regions;

int __wrap_pmem_iomem_ranges(struct pmem_range out[PMEM_RANGES_MAX], struct err *e);
int __wrap_region_open(struct region *r, uint64_t start, uint64_t size, const uint8_t *namespace_uuid,
		       const uint8_t *fs_uuid, const uint8_t host_uuid[16], struct err *e);

int __wrap_pmem_iomem_ranges(struct pmem_range out[PMEM_RANGES_MAX], struct err *e)
{
	(void)e;
	for (int i = 0; i <= regions; i++)
		out[i] = (struct pmem_range){ (uint64_t)(i + 1) * GIB, GIB };
	return regions + 1;
}

int __wrap_region_open(struct region *r, uint64_t start, uint64_t size, const uint8_t *namespace_uuid,
		       const uint8_t *fs_uuid, const uint8_t host_uuid[16], struct err *e)
{
	(void)namespace_uuid, (void)fs_uuid, (void)host_uuid, (void)e;
	*r = (struct region){ .map.fd = -1, .tried = true };
	r->store.dev.region_start = start;
	r->store.dev.region_size = size;
	r->stamp.geo.region = stamped[start / GIB - 2];
	return 0;
}

/* What main.c has. */
void cmd_say(const char *fmt, ...)
{
	(void)fmt;
}

static struct host begin(const unsigned int *numbers, int n)
{
	struct host h = HOST_INIT;

	stamped = numbers;
	regions = n;
	h.store.dev.region_start = GIB;
	return h;
}

static void found_by_their_stamps(void **state)
{
	struct host h = begin((const unsigned int[]){ 3, 1 }, 2);
	const struct store *s;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(host_store(&h, 3, &s, NULL, &e), 0);
	assert_int_equal(s->dev.region_start, 2 * GIB);
	assert_int_equal(host_store(&h, 1, &s, NULL, &e), 0);
	assert_int_equal(s->dev.region_start, 3 * GIB);
	assert_int_equal(host_store(&h, 2, &s, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_int_equal(host_region_number(&h, 3 * GIB, GIB, &e), 1);
	host_close(&h);
}

/* Which of the two holds a VM's RAM nobody can tell: not the second time either. */
static void two_of_one_number(void **state)
{
	struct host h = begin((const unsigned int[]){ 2, 1, 1 }, 3);
	const struct store *s;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct err e = { 0 };

		assert_int_equal(host_store(&h, 1, &s, NULL, &e), -1);
		assert_int_equal(e.kind, ERR_MISMATCH);
		assert_non_null(strstr(e.msg, "number 1"));
	}
	host_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_by_their_stamps),
		cmocka_unit_test(two_of_one_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
