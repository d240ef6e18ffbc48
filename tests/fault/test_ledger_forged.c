/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Content with right checksums that must not be believed: written by somebody
 * without the ticket, by another version, or by a bug.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <sodium.h>

#include "ledger_fixture.h"

static struct fixture f;
static struct err e;

static int setup(void **state)
{
	struct extent_table t = { .slot = { { .name = "vm0", .size = 1 << 22 } } };

	(void)state;
	fixture_setup(&f);
	err_clear(&e);
	return fixture_seal(&f, 1, 0, "{\"first\":1}", &e) |
		fixture_seal(&f, 2, 1, "{\"second\":2}", &e) | ledger_extents_write(&f.l, &t, &e);
}

static int teardown(void **state)
{
	(void)state;
	fixture_teardown(&f);
	return 0;
}

/* Make both checksums of the slot at @at right again; @payload is where its
 * content begins. */
static void repair(uint64_t at, uint64_t payload)
{
	struct ledger_line *line = (struct ledger_line *)(f.mem + at);

	if (line->length <= FIXTURE_SIZE - at - payload)
		line->payload_xxh3 = hash_xxh3(f.mem + at + payload, line->length, 0);
	line->xxh3 = hash_xxh3(line, offsetof(struct ledger_line, xxh3), 0);
}

static enum err_kind read_manifest(void)
{
	_cleanup_buf_ struct buf json = { .data = NULL };
	uint8_t key[TICKET_KEY];

	err_clear(&e);
	fixture_key(1, key);
	if (ledger_manifest_read(&f.l, key, &json, NULL, NULL, &e) == 0)
		assert_string_equal(json.data, "{\"second\":2}");
	return e.kind;
}

/* The newest manifest is in slot B. */
#define MANIFEST_B (LEDGER_MANIFEST_OFFSET + LEDGER_MANIFEST_SLOT)

static void no_bit_of_a_manifest_can_be_forged(void **state)
{
	const uint64_t at = MANIFEST_B + LEDGER_PAGE;
	const size_t len = sizeof(struct ledger_manifest_media) + strlen("{\"second\":2}");
	size_t bit, byte;

	(void)state;
	for (bit = 0; bit < 8 * len; bit++) {
		byte = bit / 8;
		f.mem[at + byte] ^= 1 << bit % 8;
		repair(MANIFEST_B, LEDGER_PAGE);
		assert_int_equal(read_manifest(),
				 byte < 32	   ? ERR_CHECKSUM :
					 byte < 48 ? ERR_STALE :
					 byte < 64 ? ERR_MISMATCH :
						     ERR_CHECKSUM);
		f.mem[at + byte] ^= 1 << bit % 8;
	}
	repair(MANIFEST_B, LEDGER_PAGE);
	assert_int_equal(read_manifest(), ERR_NONE);
}

static void nor_its_generation_and_length(void **state)
{
	struct ledger_line *line = (struct ledger_line *)(f.mem + MANIFEST_B);
	const uint64_t length = line->length;

	(void)state;
	for (line->seq = 3; line->seq < 40; line->seq++) {
		repair(MANIFEST_B, LEDGER_PAGE);
		assert_int_equal(read_manifest(), ERR_CHECKSUM);
	}
	line->seq = 0;
	repair(MANIFEST_B, LEDGER_PAGE);
	assert_int_equal(read_manifest(), ERR_CHECKSUM);
	line->seq = 2;
	for (line->length = 0; line->length < 2 * length; line->length++) {
		repair(MANIFEST_B, LEDGER_PAGE);
		assert_int_equal(read_manifest(),
				 line->length < 64		? ERR_FORMAT :
					 line->length == length ? ERR_NONE :
								  ERR_CHECKSUM);
	}
	line->length = UINT64_MAX;
	repair(MANIFEST_B, LEDGER_PAGE);
	assert_int_equal(read_manifest(), ERR_CHECKSUM);
	line->length = LEDGER_MANIFEST_SLOT - LEDGER_PAGE + 1;
	repair(MANIFEST_B, LEDGER_PAGE);
	assert_int_equal(read_manifest(), ERR_CHECKSUM);
}

/* Whoever can write can bring the previous manifest back, but not its ticket. */
static void the_previous_manifest_is_stale(void **state)
{
	(void)state;
	memset(f.mem + MANIFEST_B, 0, LEDGER_LINE);
	assert_int_equal(read_manifest(), ERR_STALE);
}

static void a_manifest_of_another_ledger(void **state)
{
	struct fixture other;

	(void)state;
	fixture_setup(&other);
	assert_ok(fixture_seal(&other, 2, 1, "{\"second\":2}", &e), e);
	memcpy(f.mem + LEDGER_MANIFEST_OFFSET, other.mem + LEDGER_MANIFEST_OFFSET,
	       2 * LEDGER_MANIFEST_SLOT);
	fixture_teardown(&other);
	assert_int_equal(read_manifest(), ERR_MISMATCH);
}

static void two_slots_of_one_sequence(void **state)
{
	struct ledger_line *a = (struct ledger_line *)(f.mem + LEDGER_MANIFEST_OFFSET);
	uint64_t gen;

	(void)state;
	a->seq = 2;
	repair(LEDGER_MANIFEST_OFFSET, LEDGER_PAGE);
	assert_int_equal(read_manifest(), ERR_CHECKSUM);
	assert_int_equal(ledger_generation(&f.l, &gen, &e), -1);
	assert_kind(e, ERR_CHECKSUM);
}

/* Sealing anew ends the damage of a pair, whichever slots it is in. */
static void writing_heals(void **state)
{
	static uint8_t before[FIXTURE_SIZE];
	unsigned int which;

	(void)state;
	memcpy(before, f.mem, sizeof(before));
	for (which = 1; which < 4; which++) {
		memcpy(f.mem, before, sizeof(before));
		if (which & 1)
			f.mem[LEDGER_MANIFEST_OFFSET + 40] ^= 1;
		if (which & 2)
			f.mem[MANIFEST_B] ^= 1;
		assert_int_equal(read_manifest(), ERR_CHECKSUM);
		assert_ok(fixture_seal(&f, 3, 1, "{\"second\":2}", &e), e);
		assert_int_equal(read_manifest(), ERR_NONE);
	}
}

static void no_bit_of_a_blob_can_be_forged(void **state)
{
	uint8_t key[TICKET_KEY], *at = f.mem + LEDGER_BLOBS_OFFSET;
	struct blob_ref ref = { .offset = 0 };
	unsigned int bit;

	(void)state;
	fixture_key(1, key);
	assert_ok(ledger_blob_write(&f.l, "vm0", 2, key, "device state", 12, &ref, &e), e);
	for (bit = 0; bit < 8 * 12; bit++) {
		at[bit / 8] ^= 1 << bit % 8;
		ref.xxh3 = hash_xxh3(at, 12, 0);
		assert_int_equal(ledger_blob_read(&f.l, "vm0", 2, key, &ref, &e), -1);
		assert_kind(e, ERR_CHECKSUM);
		at[bit / 8] ^= 1 << bit % 8;
	}
}

/* The newest extent table is in slot B. */
#define EXTENTS_B (LEDGER_EXTENTS_OFFSET + LEDGER_EXTENTS_SLOT)

static enum err_kind read_extents(void)
{
	struct extent_table t;

	err_clear(&e);
	if (ledger_extents_read(&f.l, &t, &e) == 0)
		assert_ok(extent_table_check(&t, &f.l.geo, ERR_FORMAT, &e), e);
	return e.kind;
}

static void a_wrong_extent_table(void **state)
{
	struct ledger_extent_media *x =
		(struct ledger_extent_media *)(f.mem + EXTENTS_B + LEDGER_PAGE);
	struct ledger_line *line = (struct ledger_line *)(f.mem + EXTENTS_B);
	const struct ledger_extent_media good = x[0];

	(void)state;
	assert_int_equal(read_extents(), ERR_NONE);
#define BAD(change) (change, repair(EXTENTS_B, LEDGER_PAGE), read_extents())
	assert_int_equal(BAD(x[0].size = 0), ERR_FORMAT);
	x[0] = good;
	assert_int_equal(BAD(x[0].offset = 0x100), ERR_FORMAT);
	x[0] = good;
	/* a bit that means nothing yet, a file where there is a device */
	assert_int_equal(BAD(x[0].offset |= 0x10), ERR_FORMAT);
	x[0] = good;
	assert_int_equal(BAD(x[0].offset |= LEDGER_EXTENT_IN_FILE), ERR_FORMAT);
	x[0] = good;
	/* another region's: of its size nothing is known here */
	assert_int_equal(BAD(x[0].offset |= 3), ERR_NONE);
	assert_int_equal(BAD(x[0].size = -(1ULL << 21)), ERR_NONE);
	assert_int_equal(BAD(x[0].offset |= 1ULL << 40), ERR_FORMAT);
	x[0] = good;
	assert_int_equal(BAD(x[0].offset = 0x100003), ERR_NONE);
	assert_int_equal(BAD(x[0].offset = 0x100103), ERR_FORMAT);
	x[0] = good;
	assert_int_equal(BAD(x[0].size = -(1ULL << 21)), ERR_FORMAT);
	x[0] = good;
	assert_int_equal(BAD(x[0].name[0] = '/'), ERR_FORMAT);
	x[0] = good;
	assert_int_equal(BAD(memset(x[0].name, 'a', sizeof(x[0].name))), ERR_FORMAT);
	x[0] = good;
	assert_int_equal(BAD(x[0].name[40] = 'a'), ERR_FORMAT);
	x[0] = good;
	assert_int_equal(BAD(x[63].size = 1), ERR_FORMAT);
	x[63].size = 0;
	assert_int_equal(BAD(line->length = 4095), ERR_FORMAT);
	line->length = 4096;
	repair(EXTENTS_B, LEDGER_PAGE);
	assert_int_equal(read_extents(), ERR_NONE);
#undef BAD
}

static void versions_of_a_slot(void **state)
{
	struct ledger_line *line = (struct ledger_line *)(f.mem + EXTENTS_B);

	(void)state;
	line->major = LEDGER_MAJOR + 1;
	repair(EXTENTS_B, LEDGER_PAGE);
	assert_int_equal(read_extents(), ERR_FORMAT);
	line->major = LEDGER_MAJOR;
	line->reserved1[3] = 1;
	repair(EXTENTS_B, LEDGER_PAGE);
	assert_int_equal(read_extents(), ERR_CHECKSUM);
	line->minor = LEDGER_MINOR + 1;
	repair(EXTENTS_B, LEDGER_PAGE);
	assert_int_equal(read_extents(), ERR_NONE);
}

static void states_of_a_newer_version(void **state)
{
	struct ledger_record_media *m = (struct ledger_record_media *)(f.mem + LEDGER_RECORDS_OFFSET);
	struct vm_record r = { .state = VM_SEALED };

	(void)state;
	assert_ok(ledger_record_write(&f.l, 0, &r, &e), e);
	m->state = VM_STATES;
	m->xxh3 = hash_xxh3(m, offsetof(struct ledger_record_media, xxh3), 1);
	assert_int_equal(ledger_record_read(&f.l, 0, &r, &e), -1);
	assert_kind(e, ERR_FORMAT);
	assert_int_equal(ledger_record_write(&f.l, 0, &r, &e), -1);
	assert_kind(e, ERR_FORMAT);
	m->state = VM_SEALED;
	m->seq = UINT64_MAX;
	m->xxh3 = hash_xxh3(m, offsetof(struct ledger_record_media, xxh3), 1);
	assert_ok(ledger_record_read(&f.l, 0, &r, &e), e);
	assert_int_equal(ledger_record_write(&f.l, 0, &r, &e), -1);
	assert_kind(e, ERR_CHECKSUM);
}

static void two_records_of_one_sequence(void **state)
{
	struct ledger_record_media *a = (struct ledger_record_media *)(f.mem + LEDGER_RECORDS_OFFSET);
	struct ledger_record_media *b =
		(struct ledger_record_media *)(f.mem + LEDGER_RECORDS_OFFSET + LEDGER_RECORDS_HALF);
	struct vm_record r = { .state = VM_SEALED };

	(void)state;
	assert_ok(ledger_record_write(&f.l, 0, &r, &e), e);
	*b = *a;
	b->state = VM_RUNNING;
	b->xxh3 = hash_xxh3(b, offsetof(struct ledger_record_media, xxh3), 2);
	assert_int_equal(ledger_record_read(&f.l, 0, &r, &e), -1);
	assert_kind(e, ERR_CHECKSUM);
	b->seq++;
	b->xxh3 = hash_xxh3(b, offsetof(struct ledger_record_media, xxh3), 2);
	assert_ok(ledger_record_read(&f.l, 0, &r, &e), e);
	assert_int_equal(r.state, VM_RUNNING);
}

/* A newer minor may have room for more extents; this build does not. */
static void a_longer_extent_table(void **state)
{
	static uint8_t big[LEDGER_PAGE + LEDGER_LINE];
	struct ledger l = f.l;
	struct slot_pair pair;
	struct extent_table t;

	(void)state;
	l.area[LEDGER_EXTENTS] = (struct ledger_area){ LEDGER_BLOBS_OFFSET, 0x8000 };
	memset(f.mem + LEDGER_BLOBS_OFFSET, 0, 0x8000);
	pair_of(&l, LEDGER_EXTENTS, &pair);
	assert_ok(pair_write(&l, &pair, 0, big, sizeof(big), &e), e);
	assert_int_equal(ledger_extents_read(&l, &t, &e), -1);
	assert_kind(e, ERR_FORMAT);
}

static void put_le64(uint8_t **at, uint64_t n)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		*(*at)++ = (uint8_t)(n >> 8 * i);
}

static void put_bytes(uint8_t **at, const void *data, size_t len)
{
	memcpy(*at, data, len);
	*at += len;
}

/* The hashes of ledger_format.h, done by its words instead of by the code. */
static void the_hashes_are_those_of_the_format(void **state)
{
	static const char id_domain[32] = "holdover ticket id", blob_domain[32] = "holdover blob",
			  manifest_domain[32] = "holdover manifest", name[48] = "vm0";
	const uint8_t *media = f.mem + MANIFEST_B + LEDGER_PAGE;
	struct blob_ref ref = { .offset = 0 };
	uint8_t key[TICKET_KEY], id[16], mac[32], text[256], *at = text;

	(void)state;
	fixture_key(1, key);
	put_bytes(&at, id_domain, 32);
	put_bytes(&at, key, 32);
	crypto_generichash(id, 16, text, (size_t)(at - text), NULL, 0);
	assert_memory_equal(id, media + 32, 16);
	at = text;
	put_bytes(&at, manifest_domain, 32);
	put_bytes(&at, f.geo.ledger_uuid, 16);
	put_le64(&at, 2);
	put_bytes(&at, id, 16);
	put_le64(&at, 12);
	put_bytes(&at, "{\"second\":2}", 12);
	crypto_generichash(mac, 32, text, (size_t)(at - text), key, 32);
	assert_memory_equal(mac, media, 32);
	assert_ok(ledger_blob_write(&f.l, "vm0", 7, key, "state", 5, &ref, &e), e);
	at = text;
	put_bytes(&at, blob_domain, 32);
	put_bytes(&at, name, 48);
	put_le64(&at, 7);
	put_le64(&at, 5);
	put_bytes(&at, "state", 5);
	crypto_generichash(mac, 32, text, (size_t)(at - text), key, 32);
	assert_memory_equal(mac, ref.mac, 32);
}

static void reopen_and_read_everything(void)
{
	struct world w;

	err_clear(&e);
	if (world_read(&f, 1, &w, &e) < 0)
		assert_true(e.kind != ERR_NONE && e.msg[0]);
}

/* Change both superblocks to @v at @offset of their payload and open. */
static enum err_kind open_with(size_t offset, uint64_t v, size_t len)
{
	const uint64_t at = FIXTURE_SIZE - LEDGER_TAIL;
	struct ledger l;
	unsigned int i;
	uint64_t old;

	memcpy(&old, f.mem + at + LEDGER_LINE + offset, sizeof(old));
	for (i = 0; i < 2; i++) {
		memcpy(f.mem + at + i * LEDGER_PAGE + LEDGER_LINE + offset, &v, len);
		repair(at + i * LEDGER_PAGE, LEDGER_LINE);
	}
	err_clear(&e);
	if (ledger_open(&l, &f.media, &e) == 0)
		reopen_and_read_everything();
	for (i = 0; i < 2; i++) {
		memcpy(f.mem + at + i * LEDGER_PAGE + LEDGER_LINE + offset, &old, sizeof(old));
		repair(at + i * LEDGER_PAGE, LEDGER_LINE);
	}
	return e.kind;
}

/* Opening holds every area inside of the mapping, whatever the superblock says:
 * the sanitizers would notice. */
static void no_superblock_leads_outside(void **state)
{
	static const uint64_t values[] = { 0,
					   1,
					   4096,
					   4097,
					   8192,
					   1 << 20,
					   FIXTURE_SIZE,
					   FIXTURE_SIZE - 4096,
					   1 << 22,
					   UINT32_MAX,
					   1ULL << 63,
					   UINT64_MAX,
					   -4096ULL,
					   -(1ULL << 20) };
	const struct ledger_sb *sb =
		(const struct ledger_sb *)(f.mem + FIXTURE_SIZE - LEDGER_TAIL + LEDGER_LINE);
	uint64_t old;
	size_t at, i;

	(void)state;
	for (at = offsetof(struct ledger_sb, region_start); at < offsetof(struct ledger_sb, vms);
	     at += 8)
		for (i = 0; i < ARRAY_LEN(values); i++) {
			memcpy(&old, (const uint8_t *)sb + at, 8);
			open_with(at, values[i], 8);
			open_with(at, old + values[i], 8);
			open_with(at, old - values[i], 8);
		}
	assert_int_equal(open_with(offsetof(struct ledger_sb, vms), VM_MAX - 1, 4), ERR_FORMAT);
	assert_int_equal(open_with(offsetof(struct ledger_sb, reserved), 1, 1), ERR_FORMAT);
	assert_int_equal(open_with(offsetof(struct ledger_sb, align), 0, 8), ERR_FORMAT);
	for (i = 0; i < LEDGER_AREAS; i++) {
		at = offsetof(struct ledger_sb, area) + 16 * i;
		assert_int_equal(open_with(at, FIXTURE_SIZE, 8), ERR_FORMAT);
		assert_int_equal(open_with(at, UINT64_MAX - 4095, 8), ERR_FORMAT);
		assert_int_equal(open_with(at, 1, 8), ERR_FORMAT);
		assert_int_equal(open_with(at + 8, FIXTURE_SIZE, 8), ERR_FORMAT);
		assert_int_equal(open_with(at + 8, UINT64_MAX - 8191, 8), ERR_FORMAT);
		assert_int_equal(open_with(at + 8, 0, 8), ERR_FORMAT);
	}
	assert_int_equal(open_with(0, 0, 0), ERR_NONE);
}

/* Give area @id another place in both superblocks and open. */
static enum err_kind open_with_area(unsigned int id, uint64_t offset, uint64_t size)
{
	const uint64_t at = FIXTURE_SIZE - LEDGER_TAIL;
	struct ledger_area_media *area[2], old;
	struct ledger l;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		area[i] =
			&((struct ledger_sb *)(f.mem + at + i * LEDGER_PAGE + LEDGER_LINE))->area[id];
		old = *area[i];
		area[i]->offset = offset;
		area[i]->size = size;
		repair(at + i * LEDGER_PAGE, LEDGER_LINE);
	}
	err_clear(&e);
	if (ledger_open(&l, &f.media, &e) == 0)
		reopen_and_read_everything();
	for (i = 0; i < 2; i++) {
		*area[i] = old;
		repair(at + i * LEDGER_PAGE, LEDGER_LINE);
	}
	return e.kind;
}

static void areas_lie_apart_and_aligned(void **state)
{
	const uint64_t size = f.geo.blob_size;

	(void)state;
	assert_int_equal(open_with_area(LEDGER_BLOBS, LEDGER_BLOBS_OFFSET, size), ERR_NONE);
	assert_int_equal(open_with_area(LEDGER_BLOBS, LEDGER_BLOBS_OFFSET + 8192, size - 8192),
			 ERR_NONE);
	assert_int_equal(open_with_area(LEDGER_BLOBS, LEDGER_BLOBS_OFFSET - 4096, size), ERR_FORMAT);
	assert_int_equal(open_with_area(LEDGER_BLOBS, LEDGER_BLOBS_OFFSET + 64, size - 8192),
			 ERR_FORMAT);
	assert_int_equal(open_with_area(LEDGER_BLOBS, LEDGER_BLOBS_OFFSET, size - 4096), ERR_FORMAT);
	assert_int_equal(open_with_area(LEDGER_BLOBS, LEDGER_BLOBS_OFFSET, size + 8192), ERR_FORMAT);
	assert_int_equal(open_with_area(LEDGER_RECORDS, LEDGER_RECORDS_OFFSET, 0), ERR_FORMAT);
}

static void a_superblock_of_another_size(void **state)
{
	const uint64_t at = FIXTURE_SIZE - LEDGER_TAIL;
	struct ledger_sb *sb = (struct ledger_sb *)(f.mem + at + LEDGER_LINE);
	struct ledger l;

	(void)state;
	sb->ledger_size *= 2;
	sb->ledger_offset -= FIXTURE_SIZE;
	repair(at, LEDGER_LINE);
	memset(f.mem + at + LEDGER_PAGE, 0, LEDGER_LINE);
	assert_int_equal(ledger_open(&l, &f.media, &e), -1);
	assert_kind(e, ERR_MISMATCH);
}

static void the_newer_superblock_counts(void **state)
{
	const uint64_t at = FIXTURE_SIZE - LEDGER_TAIL;
	struct ledger_line *b = (struct ledger_line *)(f.mem + at + LEDGER_PAGE);
	struct ledger_sb *sb = (struct ledger_sb *)(f.mem + at + LEDGER_PAGE + LEDGER_LINE);
	struct ledger l;

	(void)state;
	sb->page_struct_size = 80;
	b->seq = 2;
	b->minor = 7;
	sb->reserved[0] = 1;
	repair(at + LEDGER_PAGE, LEDGER_LINE);
	assert_ok(ledger_open(&l, &f.media, &e), e);
	assert_int_equal(l.geo.page_struct_size, 80);
	assert_int_equal(l.minor, 7);
	/* a longer payload is a newer minor's privilege */
	b->length += 8;
	repair(at + LEDGER_PAGE, LEDGER_LINE);
	assert_ok(ledger_open(&l, &f.media, &e), e);
	sb->reserved[0] = 0;
	b->minor = 0;
	repair(at + LEDGER_PAGE, LEDGER_LINE);
	assert_int_equal(ledger_open(&l, &f.media, &e), -1);
	assert_kind(e, ERR_FORMAT);
	b->length = sizeof(*sb) - 1;
	repair(at + LEDGER_PAGE, LEDGER_LINE);
	assert_int_equal(ledger_open(&l, &f.media, &e), -1);
	assert_kind(e, ERR_FORMAT);
}

static uint32_t draw(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Garbage over parts of a good ledger, with and without right checksums. */
static void garbage(void **state)
{
	static const uint32_t lines[] = { LEDGER_INFO_OFFSET, LEDGER_EXTENTS_OFFSET, EXTENTS_B,
					  LEDGER_MANIFEST_OFFSET, MANIFEST_B };
	static uint8_t before[FIXTURE_SIZE];
	uint32_t seed = 5, at, len, i, round;

	(void)state;
	memcpy(before, f.mem, sizeof(before));
	for (round = 0; round < 600; round++) {
		at = draw(&seed) % (LEDGER_BLOBS_OFFSET - 4096);
		if (round % 2)
			at = lines[draw(&seed) % ARRAY_LEN(lines)] + draw(&seed) % 5000;
		len = 1 + draw(&seed) % (round % 3 ? 16 : 4096);
		for (i = 0; i < len; i++)
			f.mem[at + i] = (uint8_t)draw(&seed);
		if (round % 4 < 2)
			repair(lines[draw(&seed) % ARRAY_LEN(lines)], LEDGER_PAGE);
		reopen_and_read_everything();
		if (round % 8 == 7)
			memcpy(f.mem, before, FIXTURE_SIZE);
	}
	for (i = 0; i < FIXTURE_SIZE; i++)
		f.mem[i] = (uint8_t)draw(&seed);
	reopen_and_read_everything();
	assert_kind(e, ERR_ABSENT);
	memset(f.mem, 0, FIXTURE_SIZE);
	reopen_and_read_everything();
	assert_kind(e, ERR_ABSENT);
	memset(f.mem, 0xff, FIXTURE_SIZE);
	reopen_and_read_everything();
	assert_kind(e, ERR_ABSENT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(no_bit_of_a_manifest_can_be_forged),
		T(nor_its_generation_and_length),
		T(the_previous_manifest_is_stale),
		T(a_manifest_of_another_ledger),
		T(two_slots_of_one_sequence),
		T(writing_heals),
		T(no_bit_of_a_blob_can_be_forged),
		T(a_wrong_extent_table),
		T(versions_of_a_slot),
		T(two_records_of_one_sequence),
		T(a_longer_extent_table),
		T(the_hashes_are_those_of_the_format),
		T(states_of_a_newer_version),
		T(no_superblock_leads_outside),
		T(areas_lie_apart_and_aligned),
		T(a_superblock_of_another_size),
		T(the_newer_superblock_counts),
		T(garbage),
	};

	return cmocka_run_group_tests_name("ledger_forged", tests, NULL, NULL);
}
