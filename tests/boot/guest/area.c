/* SPDX-License-Identifier: GPL-2.0-only */
#include "area.h"

static uint64_t *area, area_stride, area_words;

/* splitmix64's finaliser: neighbouring ticks get unrelated seeds. */
uint64_t area_seed(uint64_t nonce, uint64_t tick)
{
	uint64_t z = nonce + (tick + 1) * AREA_STEP;

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void fill(unsigned int chunk, uint64_t v)
{
	uint64_t *p = area + chunk * area_stride;

	for (uint64_t i = 0; i < area_words; i++, v += AREA_STEP)
		p[i] = v;
}

void area_place(uint64_t *base, uint64_t stride, uint64_t words)
{
	area = base;
	area_stride = stride;
	area_words = words;
}

void area_init(uint64_t nonce)
{
	for (unsigned int c = 0; c < AREA_CHUNKS; c++)
		fill(c, area_seed(nonce, AREA_INITIAL | c));
}

void area_write(uint64_t nonce, uint64_t tick)
{
	fill((unsigned int)(tick % AREA_CHUNKS), area_seed(nonce, tick));
}

static uint64_t last_writer(uint64_t tick, unsigned int chunk)
{
	uint64_t back = (tick + AREA_CHUNKS - chunk) % AREA_CHUNKS;

	/* Tick 0 never ran: the counter starts at 1. */
	return tick > back ? tick - back : AREA_INITIAL | chunk;
}

/*
 * Fletcher's two sums over one chunk. The machine that runs this is emulated twice, so a word
 * costs one load and two additions; a changed, moved or exchanged word changes the sums.
 */
static void sums(const uint64_t *p, uint64_t *s1, uint64_t *s2)
{
	uint64_t a = 0, b = 0;

	for (uint64_t i = 0; i < area_words; i += 8) {
#define WORD(k)                  \
	do {                     \
		a += p[i + (k)]; \
		b += a;          \
	} while (0)
		WORD(0);
		WORD(1);
		WORD(2);
		WORD(3);
		WORD(4);
		WORD(5);
		WORD(6);
		WORD(7);
#undef WORD
	}
	*s1 = a;
	*s2 = b;
}

/* What sums() has to find, without looking: the words are an arithmetic progression. */
static void expected_sums(uint64_t v, uint64_t *s1, uint64_t *s2)
{
	const uint64_t n = area_words;

	*s1 = n * v + n * (n - 1) / 2 * AREA_STEP;
	*s2 = n * (n + 1) / 2 * v + (n - 1) * n * (n + 1) / 6 * AREA_STEP;
}

unsigned int area_verify(uint64_t nonce, uint64_t tick, uint64_t *sum, unsigned int *first)
{
	unsigned int bad = 0;

	*sum = 0;
	for (unsigned int c = 0; c < AREA_CHUNKS; c++) {
		uint64_t want1, want2, got1, got2;

		expected_sums(area_seed(nonce, last_writer(tick, c)), &want1, &want2);
		sums(area + c * area_stride, &got1, &got2);
		*sum = (*sum + got1) * AREA_STEP + got2;
		if ((got1 != want1 || got2 != want2) && !bad++)
			*first = c;
	}
	return bad;
}
