/* SPDX-License-Identifier: GPL-2.0-only */
#include "marks.h"

#include <time.h>
#include <x86intrin.h>

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t marks_now(void)
{
	/* rdtsc alone may run ahead of earlier instructions; rdtscp, which
	 * waits, is missing from some virtual CPUs. */
	_mm_lfence();
	return __rdtsc();
}

static void put(struct marks *m, struct phase_mark *mark)
{
	struct err ignored = { 0 };

	mark->generation = m->generation;
	mark->tsc_hz = m->tsc_hz;
	if (ledger_journal_add(m->ledger, mark, &ignored) < 0)
		return;
}

void marks_take_at(struct marks *m, enum phase phase, unsigned int vm, uint64_t tsc)
{
	struct phase_mark mark = {
		.phase = phase,
		.vm = vm,
		.tsc = tsc,
		.realtime_ns = clock_ns(CLOCK_REALTIME),
	};

	if (m->ledger)
		put(m, &mark);
	else if (m->npending < MARKS_PENDING)
		m->pending[m->npending++] = mark;
}

void marks_take(struct marks *m, enum phase phase, unsigned int vm)
{
	marks_take_at(m, phase, vm, marks_now());
}

void marks_attach(struct marks *m, struct ledger *ledger, uint64_t generation, uint64_t tsc_hz)
{
	m->ledger = ledger;
	m->generation = generation;
	m->tsc_hz = tsc_hz;
	for (unsigned int i = 0; i < m->npending; i++)
		put(m, &m->pending[i]);
	m->npending = 0;
}

void marks_rate_start(struct marks_rate *r)
{
	r->raw_ns = clock_ns(CLOCK_MONOTONIC_RAW);
	r->tsc = marks_now();
}

uint64_t marks_rate_hz(const struct marks_rate *r)
{
	uint64_t ns = clock_ns(CLOCK_MONOTONIC_RAW) - r->raw_ns;
	uint64_t ticks = marks_now() - r->tsc;

	if (ns < 1000000)
		return 0;
	return (uint64_t)((double)ticks * 1e9 / (double)ns);
}

double marks_ms(const struct phase_mark *a, const struct phase_mark *b, uint64_t tsc_hz)
{
	if (!tsc_hz)
		return 0;
	return (double)(int64_t)(b->tsc - a->tsc) * 1e3 / (double)tsc_hz;
}
