/* SPDX-License-Identifier: GPL-2.0-only */
/* The ledger in good health: what is written is what is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <endian.h>
#include <fcntl.h>

#include "ledger_fixture.h"

static int setup(void **state)
{
	static struct fixture f;

	fixture_setup(&f);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	fixture_teardown(*state);
	return 0;
}

static void geometry_survives(void **state)
{
	struct fixture *f = *state;
	struct ledger_geometry want = f->geo, got;
	uint8_t info[4096];
	struct err e;

	assert_ok(ledger_tail_read(f->mem + FIXTURE_SIZE - LEDGER_TAIL, &got, &e), e);
	assert_memory_equal(&got, &want, sizeof(got));
	assert_memory_equal(&f->l.geo, &want, sizeof(want));
	assert_int_equal(want.blob_offset, LEDGER_BLOBS_OFFSET);
	assert_int_equal(want.blob_offset + want.blob_size, FIXTURE_SIZE - LEDGER_TAIL);
	assert_int_equal(want.ledger_uuid[6] >> 4, 4);
	assert_ok(ledger_info_block(&f->l, info, &e), e);
	assert_memory_equal(info, f->info, sizeof(info));
}

static void a_new_ledger_is_empty(void **state)
{
	struct fixture *f = *state;
	struct err e = { .kind = ERR_NONE };
	struct extent_table t;
	struct phase_mark mark;
	struct vm_record r;
	struct buf json;
	uint64_t gen = 7;
	unsigned int i;

	assert_ok(ledger_extents_read(&f->l, &t, &e), e);
	assert_true(all_zero(&t, sizeof(t)));
	assert_ok(ledger_generation(&f->l, &gen, &e), e);
	assert_int_equal(gen, 0);
	assert_int_equal(ledger_manifest_read(&f->l, NULL, &json, NULL, NULL, &e), -1);
	assert_kind(e, ERR_ABSENT);
	for (i = 0; i < VM_MAX; i++) {
		memset(&r, 0xff, sizeof(r));
		assert_ok(ledger_record_read(&f->l, i, &r, &e), e);
		assert_int_equal(r.state, VM_NONE);
		assert_int_equal(r.generation, 0);
	}
	assert_int_equal(ledger_journal_read(&f->l, 0, &mark, 1), 0);
}

static void format_refuses(void **state, struct ledger_geometry g, enum err_kind kind)
{
	struct fixture *f = *state;
	struct err e = { .kind = ERR_NONE };

	f->stores = 0;
	assert_int_equal(ledger_format(&f->media, &g, f->info, &e), -1);
	assert_kind(e, kind);
	assert_int_equal(f->stores, 0);
}

static void format_refuses_a_wrong_geometry(void **state)
{
	struct ledger_geometry g;

#define WITH(change) (g = fixture_geometry(), change, g)
	format_refuses(state, WITH(g.align = 0), ERR_REFUSED);
	format_refuses(state, WITH(g.align = 3 << 20), ERR_REFUSED);
	format_refuses(state, WITH(g.align = 2048), ERR_REFUSED);
	format_refuses(state, WITH(g.align = 4 << 20), ERR_REFUSED);
	format_refuses(state, WITH(g.ledger_size = 1 << 20), ERR_REFUSED);
	format_refuses(state,
		       WITH((g.align = 4096, g.ledger_size = 1 << 20,
			     g.ledger_offset = g.device_size - g.ledger_size)),
		       ERR_REFUSED);
	format_refuses(state, WITH(g.ledger_size += 4096), ERR_REFUSED);
	format_refuses(state,
		       WITH((g.ledger_size += 4096, g.device_size += 4096, g.region_size += 4096)),
		       ERR_REFUSED);
	format_refuses(state,
		       WITH((g.device_size = 2 << 20, g.ledger_size = 4 << 20,
			     g.ledger_offset = -(2ULL << 20))),
		       ERR_REFUSED);
	format_refuses(state, WITH(g.ledger_offset -= g.align), ERR_REFUSED);
	format_refuses(state, WITH(g.device_size = 1 << 20), ERR_REFUSED);
	format_refuses(state, WITH(g.region_size = g.device_size - 1), ERR_REFUSED);
	format_refuses(state, WITH(g.dataoff += 1), ERR_REFUSED);
	format_refuses(state, WITH(g.dataoff = UINT64_MAX), ERR_REFUSED);
	format_refuses(state, WITH(g.region_start = UINT64_MAX), ERR_REFUSED);
	format_refuses(state, WITH((g.ledger_size *= 2, g.ledger_offset -= g.ledger_size / 2)),
		       ERR_MISMATCH);
#undef WITH
}

static void open_checks_the_mapping(void **state)
{
	struct fixture *f = *state;
	struct err e = { .kind = ERR_NONE };
	struct ledger_media m = f->media;
	struct ledger l;

	m.size = LEDGER_TAIL;
	assert_int_equal(ledger_open(&l, &m, &e), -1);
	assert_kind(e, ERR_MISMATCH);
	/* The tail of a mapping that begins too early is the ledger's own. */
	m.size = 2 * FIXTURE_SIZE;
	m.base = aligned_alloc(LEDGER_PAGE, m.size);
	assert_non_null(m.base);
	memset(m.base, 0, FIXTURE_SIZE);
	memcpy(m.base + FIXTURE_SIZE, f->mem, FIXTURE_SIZE);
	assert_int_equal(ledger_open(&l, &m, &e), -1);
	assert_kind(e, ERR_MISMATCH);
	memset(m.base, 0x11, m.size);
	assert_int_equal(ledger_open(&l, &m, &e), -1);
	assert_kind(e, ERR_ABSENT);
	free(m.base);
}

static void extents_survive(void **state)
{
	struct fixture *f = *state;
	struct extent_table t, got;
	unsigned int round;
	struct err e;

	memset(&t, 0, sizeof(t));
	for (round = 0; round < 5; round++) {
		t.slot[round].offset = round * (4ULL << 20);
		t.slot[round].size = 2ULL << 20;
		snprintf(t.slot[round].name, sizeof(t.slot[round].name), "vm%u", round);
		assert_ok(ledger_extents_write(&f->l, &t, &e), e);
		assert_ok(ledger_extents_read(&f->l, &got, &e), e);
		assert_memory_equal(&got, &t, sizeof(t));
	}
	memset(t.slot[3].name, 'n', VM_NAME_MAX);
	assert_ok(ledger_extents_write(&f->l, &t, &e), e);
	assert_ok(ledger_extents_read(&f->l, &got, &e), e);
	assert_int_equal(extent_find(&got, t.slot[3].name), 3);
	assert_int_equal(extent_find(&got, "vm1"), 1);
	assert_int_equal(extent_find(&got, "vm9"), -1);
	assert_int_equal(extent_find(&got, ""), -1);
}

static void extents_refused(struct fixture *f, const struct extent_table *t)
{
	struct err e = { .kind = ERR_NONE };

	f->stores = 0;
	assert_int_equal(ledger_extents_write(&f->l, t, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(f->stores, 0);
}

static void wrong_extents_are_refused(void **state)
{
	struct fixture *f = *state;
	const struct extent_table
		good = { .slot = {
				 [2] = { .name = "a", .offset = 4 << 20, .size = 8 << 20 },
				 [5] = { .name = "b", .offset = 12 << 20, .size = 2 << 20 },
			 } };
	struct extent_table t;
	struct err e;

#define BAD(change) (t = good, change, extents_refused(f, &t))
	BAD(t.slot[5].offset = 10 << 20);
	BAD(t.slot[5].offset = 4 << 20);
	BAD(strcpy(t.slot[5].name, "a"));
	BAD(strcpy(t.slot[5].name, "b/c"));
	BAD(memset(t.slot[5].name, 'x', sizeof(t.slot[5].name)));
	BAD(t.slot[5].name[0] = '\0');
	BAD(t.slot[5].size = 0);
	BAD(t.slot[5].size = (2 << 20) + 4096);
	BAD(t.slot[5].offset += 4096);
	BAD(t.slot[5].offset = FIXTURE_DEVICE - FIXTURE_SIZE);
	BAD(t.slot[5].size = FIXTURE_DEVICE);
	BAD(t.slot[5].size = -(2ULL << 20));
	BAD(t.slot[9].size = 1);
#undef BAD
	assert_ok(ledger_extents_write(&f->l, &good, &e), e);
}

static void extents_are_allocated_first_fit(void **state)
{
	struct fixture *f = *state;
	const struct ledger_geometry *g = &f->geo;
	struct err e = { .kind = ERR_NONE };
	struct extent_table t = { .slot = { { .name = "" } } };
	char name[8];
	int i;

	assert_int_equal(extent_alloc(&t, g, "a", 10 << 20, &e), 0);
	assert_int_equal(extent_alloc(&t, g, "b", (2 << 20) + 1, &e), 1);
	assert_int_equal(extent_alloc(&t, g, "c", 2 << 20, &e), 2);
	assert_int_equal(t.slot[0].offset, 0);
	assert_int_equal(t.slot[1].offset, 10 << 20);
	assert_int_equal(t.slot[1].size, 4 << 20);
	assert_int_equal(t.slot[2].offset, 14 << 20);
	/* a hole in the middle is used before the end is */
	memset(&t.slot[1], 0, sizeof(t.slot[1]));
	assert_int_equal(extent_alloc(&t, g, "d", 6 << 20, &e), 1);
	assert_int_equal(t.slot[1].offset, 16 << 20);
	assert_int_equal(extent_alloc(&t, g, "e", 4 << 20, &e), 3);
	assert_int_equal(t.slot[3].offset, 10 << 20);
	assert_int_equal(extent_alloc(&t, g, "a", 2 << 20, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(extent_alloc(&t, g, "a/b", 2 << 20, &e), -1);
	assert_kind(e, ERR_USAGE);
	/* 62 MiB for VMs, 22 of them taken */
	assert_int_equal(extent_alloc(&t, g, "f", (40 << 20) + 1, &e), -1);
	assert_non_null(strstr(e.msg, "40M"));
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(extent_alloc(&t, g, "f", 0, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(extent_alloc(&t, g, "f", UINT64_MAX, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(extent_alloc(&t, g, "f", 40 << 20, &e), 4);
	assert_int_equal(extent_alloc(&t, g, "g", 1, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_ok(extent_table_check(&t, g, ERR_REFUSED, &e), e);
	memset(&t, 0, sizeof(t));
	for (i = 0; i < VM_MAX; i++)
		snprintf(t.slot[i].name, sizeof(t.slot[i].name), "full%d", i);
	snprintf(name, sizeof(name), "h");
	assert_int_equal(extent_alloc(&t, g, name, 1, &e), -1);
	assert_kind(e, ERR_REFUSED);
}

static void records_survive(void **state)
{
	struct fixture *f = *state;
	struct err e = { .kind = ERR_NONE };
	struct vm_record r, got;
	unsigned int i, round;

	for (round = 0; round < 3; round++)
		for (i = 0; i < VM_MAX; i += 21) {
			memset(&r, 0, sizeof(r));
			r.state = VM_SEALED + round;
			r.reason = ERR_TIMEOUT;
			r.attempt = 65535 - round;
			r.generation = 1ULL << (60 + round);
			memset(r.ticket_id, (int)(i + 1), 16);
			memset(r.boot_id, (int)(i + 2), 16);
			assert_ok(ledger_record_write(&f->l, i, &r, &e), e);
			assert_ok(ledger_record_read(&f->l, i, &got, &e), e);
			assert_memory_equal(&got, &r, sizeof(r));
		}
	assert_ok(ledger_record_read(&f->l, 1, &got, &e), e);
	assert_int_equal(got.state, VM_NONE);
	assert_ok(ledger_record_read(&f->l, 42, &got, &e), e);
	assert_int_equal(got.ticket_id[0], 43);

	assert_int_equal(ledger_record_read(&f->l, VM_MAX, &got, &e), -1);
	assert_kind(e, ERR_USAGE);
	assert_int_equal(ledger_record_write(&f->l, VM_MAX, &r, &e), -1);
	assert_kind(e, ERR_USAGE);
	r.attempt = 65536;
	assert_int_equal(ledger_record_write(&f->l, 0, &r, &e), -1);
	assert_kind(e, ERR_USAGE);
	r.attempt = 0;
	r.state = VM_STATES;
	assert_int_equal(ledger_record_write(&f->l, 0, &r, &e), -1);
	assert_kind(e, ERR_USAGE);
	assert_string_equal(vm_state_name(VM_RELEASED), "RELEASED");
	assert_string_equal(vm_state_name(VM_STATES), "?");
}

static void manifests_survive(void **state)
{
	struct fixture *f = *state;
	struct err e = { .kind = ERR_NONE };
	uint8_t key[TICKET_KEY], id[16], got_id[16];
	uint64_t gen;
	unsigned int i;
	char text[64];

	for (i = 1; i <= 4; i++) {
		_cleanup_buf_ struct buf json = { .data = NULL };

		snprintf(text, sizeof(text), "{\"generation\":%u}", i * 10);
		assert_ok(fixture_seal(f, i * 10, i, text, &e), e);
		fixture_key(i, key);
		ledger_key_id(key, id);
		assert_ok(ledger_manifest_read(&f->l, key, &json, &gen, got_id, &e), e);
		assert_int_equal(gen, i * 10);
		assert_int_equal(json.len, strlen(text));
		assert_string_equal(json.data, text);
		assert_memory_equal(id, got_id, 16);
		assert_ok(ledger_generation(&f->l, &gen, &e), e);
		assert_int_equal(gen, i * 10);
	}
	{
		_cleanup_buf_ struct buf json = { .data = NULL };

		assert_ok(ledger_manifest_read(&f->l, NULL, &json, NULL, NULL, &e), e);
		assert_string_equal(json.data, text);
	}
	fixture_key(3, key);
	{
		struct buf json;

		assert_int_equal(ledger_manifest_read(&f->l, key, &json, NULL, NULL, &e), -1);
		assert_kind(e, ERR_STALE);
	}
	/* never twice, never back */
	f->stores = 0;
	assert_int_equal(fixture_seal(f, 40, 5, text, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(fixture_seal(f, 39, 5, text, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(fixture_seal(f, 0, 5, text, &e), -1);
	assert_kind(e, ERR_USAGE);
	assert_int_equal(ledger_manifest_write(&f->l, 41, key, id, text, 2, &e), -1);
	assert_kind(e, ERR_USAGE);
	assert_int_equal(f->stores, 0);
}

static void the_largest_manifest_fits(void **state)
{
	struct fixture *f = *state;
	const size_t room = LEDGER_MANIFEST_SLOT - LEDGER_PAGE - 64;
	_cleanup_free_ char *text = malloc(room + 2);
	struct err e = { .kind = ERR_NONE };
	_cleanup_buf_ struct buf json = { .data = NULL };

	assert_non_null(text);
	memset(text, 'j', room + 1);
	text[room + 1] = '\0';
	assert_int_equal(fixture_seal(f, 1, 1, text, &e), -1);
	assert_kind(e, ERR_REFUSED);
	text[room] = '\0';
	assert_ok(fixture_seal(f, 1, 1, text, &e), e);
	assert_ok(fixture_seal(f, 2, 1, text, &e), e);
	assert_ok(ledger_manifest_read(&f->l, NULL, &json, NULL, NULL, &e), e);
	assert_int_equal(json.len, room);
	assert_memory_equal(json.data, text, room);
}

static void blobs_survive(void **state)
{
	struct fixture *f = *state;
	struct err e = { .kind = ERR_NONE };
	const uint64_t room = f->geo.blob_size;
	struct blob_ref ref[2] = { { .offset = 0 }, { .offset = 4099 } }, bad;
	uint8_t key[TICKET_KEY], *data = malloc(room), *got = malloc(room);
	unsigned int i;
	int fd;

	assert_true(data && got);
	for (i = 0; i < room; i++)
		data[i] = (uint8_t)(i * 13 + i / 251);
	fixture_key(1, key);
	assert_ok(ledger_blob_write(&f->l, "a", 3, key, data, 4099, &ref[0], &e), e);
	assert_ok(ledger_blob_write(&f->l, "b", 3, key, data, room - 4099, &ref[1], &e), e);
	for (i = 0; i < 2; i++) {
		fd = ledger_blob_read(&f->l, i ? "b" : "a", 3, key, &ref[i], &e);
		assert_true(fd >= 0);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
		assert_int_equal(lseek(fd, 0, SEEK_END), ref[i].length);
		assert_int_equal(pread(fd, got, room, 0), ref[i].length);
		assert_memory_equal(got, data, ref[i].length);
		assert_int_equal(pwrite(fd, "x", 1, 0), -1);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
	}
	/* another VM's, another jump's, another ticket's */
	assert_int_equal(ledger_blob_read(&f->l, "b", 3, key, &ref[0], &e), -1);
	assert_kind(e, ERR_CHECKSUM);
	assert_int_equal(ledger_blob_read(&f->l, "a", 4, key, &ref[0], &e), -1);
	assert_kind(e, ERR_CHECKSUM);
	fixture_key(2, key);
	assert_int_equal(ledger_blob_read(&f->l, "a", 3, key, &ref[0], &e), -1);
	assert_kind(e, ERR_CHECKSUM);
	fixture_key(1, key);
#define BAD(change) (bad = ref[0], change, ledger_blob_read(&f->l, "a", 3, key, &bad, &e))
	assert_int_equal(BAD(bad.length -= 1), -1);
	assert_kind(e, ERR_CHECKSUM);
	assert_int_equal(BAD(bad.offset += 1), -1);
	assert_kind(e, ERR_CHECKSUM);
	assert_int_equal(BAD(bad.xxh3 ^= 1), -1);
	assert_kind(e, ERR_CHECKSUM);
	assert_int_equal(BAD(bad.mac[31] ^= 1), -1);
	assert_kind(e, ERR_CHECKSUM);
	assert_int_equal(BAD(bad.length = 0), -1);
	assert_kind(e, ERR_FORMAT);
	assert_int_equal(BAD(bad.length = room + 1), -1);
	assert_kind(e, ERR_FORMAT);
	assert_int_equal(BAD(bad.offset = UINT64_MAX), -1);
	assert_kind(e, ERR_FORMAT);
#undef BAD
	free(data);
	free(got);
}

static void blobs_without_room_are_refused(void **state)
{
	struct fixture *f = *state;
	struct err e = { .kind = ERR_NONE };
	struct blob_ref ref = { .offset = f->geo.blob_size - 4 };
	uint8_t key[TICKET_KEY];
	char long_name[VM_NAME_MAX + 2];

	fixture_key(1, key);
	f->stores = 0;
	assert_int_equal(ledger_blob_write(&f->l, "a", 1, key, "12345", 5, &ref, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(ledger_blob_write(&f->l, "a", 1, key, "", 0, &ref, &e), -1);
	assert_kind(e, ERR_REFUSED);
	ref.offset = UINT64_MAX;
	assert_int_equal(ledger_blob_write(&f->l, "a", 1, key, "1", 1, &ref, &e), -1);
	assert_kind(e, ERR_REFUSED);
	ref.offset = 0;
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(ledger_blob_write(&f->l, long_name, 1, key, "1", 1, &ref, &e), -1);
	assert_kind(e, ERR_USAGE);
	assert_int_equal(f->stores, 0);
	ref.offset = f->geo.blob_size - 4;
	assert_ok(ledger_blob_write(&f->l, "a", 1, key, "1234", 4, &ref, &e), e);
}

static void the_journal_keeps_the_order_of_time(void **state)
{
	struct fixture *f = *state;
	struct phase_mark mark = { .phase = PHASE_PAUSED, .vm = PHASE_HOST }, got[8];
	struct err e = { .kind = ERR_NONE };
	static const unsigned int tsc[] = { 500, 100, 300, 200, 400 };
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(tsc); i++) {
		mark.generation = tsc[i] == 300 ? 8 : 9;
		mark.tsc = tsc[i];
		mark.tsc_hz = 1000 + tsc[i];
		mark.realtime_ns = 2000 + tsc[i];
		mark.vm = tsc[i] == 100 ? 63 : PHASE_HOST;
		assert_ok(ledger_journal_add(&f->l, &mark, &e), e);
	}
	assert_int_equal(ledger_journal_read(&f->l, 9, got, 8), 4);
	assert_int_equal(got[0].tsc, 100);
	assert_int_equal(got[0].vm, 63);
	assert_int_equal(got[0].phase, PHASE_PAUSED);
	assert_int_equal(got[0].tsc_hz, 1100);
	assert_int_equal(got[0].realtime_ns, 2100);
	assert_int_equal(got[0].generation, 9);
	assert_int_equal(got[1].tsc, 200);
	assert_int_equal(got[2].tsc, 400);
	assert_int_equal(got[3].tsc, 500);
	assert_int_equal(got[3].vm, PHASE_HOST);
	memset(got, 0, sizeof(got));
	assert_int_equal(ledger_journal_read(&f->l, 9, got, 2), 2);
	assert_int_equal(got[1].tsc, 200);
	assert_int_equal(got[2].tsc, 0);
	assert_int_equal(ledger_journal_read(&f->l, 9, got, 0), 0);
	assert_int_equal(ledger_journal_read(&f->l, 7, got, 8), 0);

	mark.phase = PHASE_NONE;
	assert_int_equal(ledger_journal_add(&f->l, &mark, &e), -1);
	assert_kind(e, ERR_USAGE);
	mark.phase = PHASES;
	assert_int_equal(ledger_journal_add(&f->l, &mark, &e), -1);
	assert_kind(e, ERR_USAGE);
	mark.phase = PHASE_PAUSED;
	mark.vm = VM_MAX;
	assert_int_equal(ledger_journal_add(&f->l, &mark, &e), -1);
	assert_kind(e, ERR_USAGE);
	assert_string_equal(phase_name(PHASE_AGENT_DONE), "agent-done");
	assert_string_equal(phase_name(PHASES), "?");
	for (i = 0; i < PHASES; i++)
		assert_non_null(phase_name(i));
}

static void the_journal_forgets_the_oldest(void **state)
{
	struct fixture *f = *state;
	struct phase_mark mark = { .phase = PHASE_SAVED, .generation = 1 };
	static struct phase_mark got[2000];
	struct err e;
	unsigned int i;

	for (i = 1; i <= 1030; i++) {
		mark.tsc = i;
		assert_ok(ledger_journal_add(&f->l, &mark, &e), e);
	}
	assert_int_equal(ledger_journal_read(&f->l, 1, got, 2000), 1024);
	assert_int_equal(got[0].tsc, 7);
	assert_int_equal(got[1023].tsc, 1030);
}

static void nothing_leaves_the_mapping(void **state)
{
	struct fixture *f = *state;
	struct err e = { .kind = ERR_NONE };
	static uint8_t big[LEDGER_EXTENTS_SLOT];
	struct slot_pair pair;
	struct cursor c = { .at = big, .left = 8 };
	uint8_t b[16];

	assert_int_equal(media_copy(&f->media, FIXTURE_SIZE - 15, b, 16, &e), -1);
	assert_kind(e, ERR_FORMAT);
	assert_int_equal(media_copy(&f->media, UINT64_MAX - 7, b, 16, &e), -1);
	assert_kind(e, ERR_FORMAT);
	f->stores = 0;
	assert_int_equal(media_store(&f->media, FIXTURE_SIZE, b, 1, &e), -1);
	assert_kind(e, ERR_FORMAT);
	assert_int_equal(media_verify(&f->media, FIXTURE_SIZE - 15, b, 16, "b", &e), -1);
	assert_kind(e, ERR_FORMAT);
	pair_of(&f->l, LEDGER_EXTENTS, &pair);
	assert_int_equal(pair_write(&f->l, &pair, 0, big, pair.room + 1, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(f->stores, 0);
	assert_ok(media_copy(&f->media, FIXTURE_SIZE - 16, b, 16, &e), e);
	assert_int_equal(cursor_take(&c, b, 9, "it", &e), -1);
	assert_kind(e, ERR_FORMAT);
	assert_ok(cursor_take(&c, b, 8, "it", &e), e);
	assert_int_equal(c.left, 0);
}

static void formatting_again_forgets_everything(void **state)
{
	struct fixture *f = *state;
	struct vm_record r = { .state = VM_SEALED, .generation = 1 };
	struct phase_mark mark = { .phase = PHASE_SAVED, .generation = 1 };
	struct err e = { .kind = ERR_NONE };
	uint8_t old[16];

	memcpy(old, f->geo.ledger_uuid, 16);
	assert_ok(ledger_record_write(&f->l, 0, &r, &e), e);
	assert_ok(ledger_journal_add(&f->l, &mark, &e), e);
	assert_ok(fixture_seal(f, 1, 1, "{}", &e), e);
	assert_ok(ledger_format(&f->media, &f->geo, f->info, &e), e);
	assert_ok(ledger_open(&f->l, &f->media, &e), e);
	assert_memory_not_equal(old, f->l.geo.ledger_uuid, 16);
	a_new_ledger_is_empty(state);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(geometry_survives),
		T(a_new_ledger_is_empty),
		T(format_refuses_a_wrong_geometry),
		T(open_checks_the_mapping),
		T(extents_survive),
		T(wrong_extents_are_refused),
		T(extents_are_allocated_first_fit),
		T(records_survive),
		T(manifests_survive),
		T(the_largest_manifest_fits),
		T(blobs_survive),
		T(blobs_without_room_are_refused),
		T(the_journal_keeps_the_order_of_time),
		T(the_journal_forgets_the_oldest),
		T(nothing_leaves_the_mapping),
		T(formatting_again_forgets_everything),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
