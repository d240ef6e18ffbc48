/* SPDX-License-Identifier: GPL-2.0-only */
#include "canary.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ledger_impl.h"

#define PAGE 4096ULL
/* What a dax device's mappings must be multiples of. */
#define MAP_ALIGN (2ULL << 20)
/* Part of the definition of struct canary's @whole. */
#define PIECE (64ULL << 20)
/* What is mapped at a time: a dax device of 1G pages takes nothing smaller. */
#define WINDOW (1ULL << 30)
#define THREADS_MAX 8

/* SplitMix64's finalizer: spreads consecutive numbers over all 64 bits. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* Part @i of @n: [i * total / n, (i + 1) * total / n), without overflow. */
static uint64_t part_start(uint64_t total, uint64_t i, uint64_t n)
{
	return total / n * i + total % n * i / n;
}

/* Number of the sample's page @i within the extent; ascending in @i. */
static uint64_t page_of(const struct ram *ram, const struct canary *c, uint64_t i)
{
	uint64_t total = ram->size / PAGE;
	uint64_t from = part_start(total, i, c->pages);
	uint64_t to = part_start(total, i + 1, c->pages);

	return from + mix(c->seed + i) % (to - from);
}

/* A file that is too short would end the reader by SIGBUS. */
static int open_ram(const struct ram *ram, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (!ram->size || ram->size % MAP_ALIGN || ram->offset % MAP_ALIGN)
		return err_set(e, ERR_MISMATCH, "RAM at %" PRIu64 "+%" PRIu64 " is not aligned to 2M",
			       ram->offset, ram->size);
	fd = open(ram->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "RAM: %s", ram->path);
	if (S_ISREG(st.st_mode) &&
	    (ram->offset > (uint64_t)st.st_size || ram->size > (uint64_t)st.st_size - ram->offset))
		return err_set(e, ERR_MISMATCH, "RAM: %s is too short", ram->path);
	return steal_fd(&fd);
}

static uint64_t piece_len(const struct ram *ram, uint64_t piece)
{
	uint64_t left = ram->size - piece * PIECE;

	return left < PIECE ? left : PIECE;
}

/**
 * struct window - a part of the RAM, mapped
 * @start: in the extent, bytes
 */
struct window {
	uint8_t *base;
	uint64_t start, len;
};

/* The window around @at: -1 with errno. */
static int map_window(const struct ram *ram, int fd, uint64_t at, struct window *w)
{
	w->start = at / WINDOW * WINDOW;
	w->len = ram->size - w->start < WINDOW ? ram->size - w->start : WINDOW;
	w->base = mmap(NULL, w->len, PROT_READ, MAP_SHARED, fd, (off_t)(ram->offset + w->start));
	return w->base == MAP_FAILED ? -1 : 0;
}

static int hash_sample(const struct ram *ram, int fd, const struct canary *c, uint64_t *out,
		       struct err *e)
{
	uint64_t i = 0, h = c->seed;

	while (i < c->pages) {
		struct window w;

		if (map_window(ram, fd, page_of(ram, c, i) * PAGE, &w) < 0)
			return err_sys(e, errno, "RAM: mapping %s", ram->path);
		for (; i < c->pages; i++) {
			uint64_t at = page_of(ram, c, i) * PAGE - w.start;

			if (at >= w.len)
				break;
			h = hash_xxh3(w.base + at, PAGE, h);
		}
		munmap(w.base, w.len);
	}
	*out = h;
	return 0;
}

/**
 * struct readers - threads that hash pieces
 * @hash: of @n pieces, each filled in by whoever takes it
 * @next: piece that nobody has taken yet
 * @errnum: of a mapping that failed, or 0
 */
struct readers {
	const struct ram *ram;
	int fd;
	uint64_t *hash;
	uint64_t n;
	_Atomic uint64_t next;
	_Atomic int errnum;
};

static void *read_pieces(void *arg)
{
	struct readers *r = arg;
	uint64_t i;

	while (!atomic_load(&r->errnum) && (i = atomic_fetch_add(&r->next, 1)) < r->n) {
		struct window w;

		if (map_window(r->ram, r->fd, i * PIECE, &w) < 0) {
			atomic_store(&r->errnum, errno);
			break;
		}
		r->hash[i] =
			htole64(hash_xxh3(w.base + (i * PIECE - w.start), piece_len(r->ram, i), 0));
		munmap(w.base, w.len);
	}
	return NULL;
}

static unsigned int processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned int)n;
}

static int hash_whole(const struct ram *ram, int fd, uint64_t seed, uint64_t *out, struct err *e)
{
	struct readers r = { .ram = ram, .fd = fd, .n = (ram->size + PIECE - 1) / PIECE };
	_cleanup_free_ uint64_t *hash = calloc(r.n, sizeof(*hash));
	unsigned int want = processors(), have = 0;
	pthread_t thread[THREADS_MAX];

	if (!hash)
		return err_sys(e, ENOMEM, "RAM");
	r.hash = hash;
	/* This thread reads too; those that cannot be had are not needed. */
	while (have + 1 < want && have + 1 < r.n &&
	       pthread_create(&thread[have], NULL, read_pieces, &r) == 0)
		have++;
	read_pieces(&r);
	while (have)
		pthread_join(thread[--have], NULL);
	if (r.errnum)
		return err_sys(e, r.errnum, "RAM: mapping %s", ram->path);
	*out = hash_xxh3(hash, r.n * sizeof(*hash), seed);
	return 0;
}

int canary_take(const struct ram *ram, enum canary_mode mode, unsigned int vms, struct canary *out,
		struct err *e)
{
	struct canary c = { .mode = mode };
	_cleanup_close_ int fd = -1;

	memset(out, 0, sizeof(*out));
	if (mode == CANARY_NONE)
		return 0;
	if (sodium_init() < 0)
		return err_set(e, ERR_IO, "RAM: the system gives no random numbers for a sample");
	randombytes_buf(&c.seed, sizeof(c.seed));
	c.pages = vms < CANARY_PAGES ? CANARY_PAGES / (vms ? vms : 1) : 1;
	fd = open_ram(ram, e);
	if (fd < 0 || hash_sample(ram, fd, &c, &c.sample, e) < 0)
		return -1;
	if (mode == CANARY_FULL && hash_whole(ram, fd, c.seed, &c.whole, e) < 0)
		return -1;
	*out = c;
	return 0;
}

int canary_check(const struct ram *ram, const struct canary *c, bool whole, struct err *e)
{
	uint64_t sample, all = c->whole;
	_cleanup_close_ int fd = -1;

	if (c->mode == CANARY_NONE)
		return 0;
	if (!c->pages || c->pages > ram->size / PAGE)
		return err_set(e, ERR_FORMAT, "RAM: a sample of %" PRIu64 " pages is impossible",
			       c->pages);
	fd = open_ram(ram, e);
	if (fd < 0 || hash_sample(ram, fd, c, &sample, e) < 0)
		return -1;
	/* What the sample has found need not be looked for any more. */
	if (sample == c->sample && whole && c->mode == CANARY_FULL &&
	    hash_whole(ram, fd, c->seed, &all, e) < 0)
		return -1;
	if (sample == c->sample && all == c->whole)
		return 0;
	return err_set(e, ERR_MISMATCH, "its RAM was changed since it was saved");
}
