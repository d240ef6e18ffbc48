/* SPDX-License-Identifier: GPL-2.0-only */
/* The time of day across a jump: by the counter, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "clock.h"

#define SECOND UINT64_C(1000000000)
#define HZ UINT64_C(2994374000)
#define THEN (UINT64_C(1795559934) * SECOND + 123456789)

static const struct clock_pair before = { .tsc = 5 * HZ, .realtime_ns = THEN, .trusted = true };

/* Twenty seconds later by the counter; the RTC has cut off its fraction. */
static struct clock_pair after(void)
{
	return (struct clock_pair){
		.tsc = 25 * HZ,
		.realtime_ns = (THEN / SECOND + 20) * SECOND,
		.trusted = true,
	};
}

static void test_finer_than_the_rtc(void **state)
{
	struct clock_pair now = after();
	struct err e = { 0 };
	uint64_t ns;

	(void)state;
	assert_int_equal(clock_by_tsc(&before, HZ, &now, &ns, &e), 0);
	assert_in_range(ns, THEN + 20 * SECOND - 10, THEN + 20 * SECOND + 10);
}

static void refused(const struct clock_pair *b, uint64_t hz, const struct clock_pair *now,
		    const char *text)
{
	struct err e = { 0 };
	uint64_t ns;

	assert_int_equal(clock_by_tsc(b, hz, now, &ns, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	if (!strstr(e.msg, text))
		fail_msg("%s", e.msg);
}

static void test_refused(void **state)
{
	struct clock_pair b = before, now = after();

	(void)state;
	b.trusted = false;
	refused(&b, HZ, &now, "the old kernel");
	now.trusted = false;
	refused(&before, HZ, &now, "the new kernel");
	now = after();
	now.tsc = before.tsc - 1;
	refused(&before, HZ, &now, "was reset");
	now = after();
	refused(&before, 0, &now, "not noted");
	b = before;
	b.realtime_ns = 0;
	refused(&b, HZ, &now, "not noted");
}

/* Two seconds, in either direction, and not a nanosecond more. */
static void test_apart(void **state)
{
	struct clock_pair now = after();
	struct err e = { 0 };
	uint64_t by, ns;

	(void)state;
	assert_int_equal(clock_by_tsc(&before, HZ, &now, &by, &e), 0);
	now.realtime_ns = by - CLOCK_TRUST_NS;
	assert_int_equal(clock_by_tsc(&before, HZ, &now, &ns, &e), 0);
	now.realtime_ns = by - CLOCK_TRUST_NS - 1;
	refused(&before, HZ, &now, "2000 ms apart");
	now.realtime_ns = by + CLOCK_TRUST_NS;
	assert_int_equal(clock_by_tsc(&before, HZ, &now, &ns, &e), 0);
	now.realtime_ns = by + CLOCK_TRUST_NS + 1;
	refused(&before, HZ, &now, "2000 ms apart");
}

/* Months of counting must not overflow. */
static void test_long(void **state)
{
	struct clock_pair now = { .tsc = before.tsc + HZ * 3600 * 24 * 365, .trusted = true };
	struct err e = { 0 };
	uint64_t ns;

	(void)state;
	now.realtime_ns = THEN + SECOND * 3600 * 24 * 365;
	assert_int_equal(clock_by_tsc(&before, HZ, &now, &ns, &e), 0);
	assert_in_range(ns, now.realtime_ns - 1000, now.realtime_ns + 1000);
}

static void test_now(void **state)
{
	struct clock_pair a = clock_now(), b = clock_now();

	(void)state;
	assert_true(a.tsc < b.tsc);
	assert_true(a.realtime_ns > SECOND && b.realtime_ns - a.realtime_ns < 10 * SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finer_than_the_rtc),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
