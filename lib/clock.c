/* SPDX-License-Identifier: GPL-2.0-only */
#include "clock.h"

#include <cpuid.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io.h"
#include "marks.h"

#define SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

/* An emulator's counter is not invariant, so a build for tests may be told that
 * it is: what is tested then is all but this. */
static bool invariant(void)
{
	unsigned int a, b, c, d;

#ifdef HOLDOVER_FAULTS
	if (getenv("HOLDOVER_TSC_INVARIANT"))
		return true;
#endif
	return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & 1 << 8);
}

struct clock_pair clock_now(void)
{
	struct clock_pair now = { .tsc = marks_now() };
	struct err ignored = { 0 };
	char source[32] = "";
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	now.realtime_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	/* tsc-early: the same counter, its frequency not yet measured finely. */
	if (io_read_line(SOURCE, source, sizeof(source), &ignored) == 0)
		now.trusted = (!strcmp(source, "tsc") || !strcmp(source, "tsc-early")) && invariant();
	return now;
}

int clock_by_tsc(const struct clock_pair *before, uint64_t tsc_hz, const struct clock_pair *now,
		 uint64_t *realtime_ns, struct err *e)
{
	uint64_t by_tsc, apart;

	if (!before->realtime_ns || !tsc_hz)
		return err_set(e, ERR_REFUSED, "the stage has not noted the time");
	if (!before->trusted || !now->trusted)
		return err_set(e, ERR_REFUSED,
			       "the %s kernel does not keep its time by an invariant time stamp counter",
			       before->trusted ? "new" : "old");
	if (now->tsc < before->tsc)
		return err_set(e, ERR_REFUSED, "the time stamp counter was reset");
	by_tsc = before->realtime_ns +
		(uint64_t)((long double)(now->tsc - before->tsc) * 1e9L / (long double)tsc_hz);
	apart = by_tsc > now->realtime_ns ? by_tsc - now->realtime_ns : now->realtime_ns - by_tsc;
	if (apart > CLOCK_TRUST_NS)
		return err_set(e, ERR_REFUSED,
			       "the time stamp counter and the RTC are %" PRIu64 " ms apart",
			       apart / 1000000);
	*realtime_ns = by_tsc;
	return 0;
}

int clock_set(const struct clock_pair *before, uint64_t tsc_hz, int64_t *by_ns, struct err *e)
{
	struct clock_pair now = clock_now();
	struct timespec ts;
	uint64_t ns;

	if (clock_by_tsc(before, tsc_hz, &now, &ns, e) < 0)
		return -1;
	ts.tv_sec = (time_t)(ns / 1000000000u);
	ts.tv_nsec = (long)(ns % 1000000000u);
	if (clock_settime(CLOCK_REALTIME, &ts) < 0)
		return err_sys(e, errno, "setting the clock");
	*by_ns = (int64_t)(ns - now.realtime_ns);
	return 0;
}
