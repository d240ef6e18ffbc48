/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Patches over a good ledger, then everything is read and written. The first byte says whether the
 * checksums are made right again afterwards, which is what somebody without the ticket can do.
 */
#include "fuzz.h"
#include "ledger_impl.h"

#define SIZE LEDGER_SIZE_MIN
#define PAYLOAD "{\"generation\":2}"

static uint8_t mem[SIZE], good[SIZE], key[TICKET_KEY] = { 7 };
static struct blob_ref ref;

static int store(void *ctx, void *dst, const void *src, size_t len, struct err *e)
{
	(void)ctx;
	(void)e;
	if ((uint8_t *)dst < mem || (uint8_t *)dst + len > mem + SIZE)
		abort();
	memcpy(dst, src, len);
	return 0;
}

static const struct ledger_media media = { .base = mem, .size = SIZE, .store = store };

static void make_good(void)
{
	struct ledger_geometry geo = { .region_size = 68 << 20,
				       .dataoff = 4 << 20,
				       .align = 2 << 20,
				       .device_size = 64 << 20,
				       .ledger_offset = 62 << 20,
				       .ledger_size = SIZE };
	struct extent_table t = { .slot = { { .name = "a", .size = 2 << 20 } } };
	struct phase_mark mark = { .phase = PHASE_SAVED, .generation = 2 };
	struct vm_record r = { .state = VM_SEALED, .generation = 2 };
	static uint8_t info[4096];
	struct ledger l;
	uint8_t id[16];
	struct err e;

	ledger_key_id(key, id);
	if (ledger_format(&media, &geo, info, &e) < 0 || ledger_open(&l, &media, &e) < 0 ||
	    ledger_extents_write(&l, &t, &e) < 0 || ledger_record_write(&l, 0, &r, &e) < 0 ||
	    ledger_record_write(&l, 0, &r, &e) < 0 || ledger_journal_add(&l, &mark, &e) < 0 ||
	    ledger_manifest_write(&l, 1, key, id, "{}", 2, &e) < 0 ||
	    ledger_manifest_write(&l, 2, key, id, PAYLOAD, strlen(PAYLOAD), &e) < 0 ||
	    ledger_blob_write(&l, "a", 2, key, "state", 5, &ref, &e) < 0)
		abort();
	memcpy(good, mem, SIZE);
}

static const struct place {
	uint32_t line, payload;
} places[] = {
	{ LEDGER_INFO_OFFSET, LEDGER_PAGE },
	{ LEDGER_EXTENTS_OFFSET, LEDGER_PAGE },
	{ LEDGER_EXTENTS_OFFSET + LEDGER_EXTENTS_SLOT, LEDGER_PAGE },
	{ LEDGER_MANIFEST_OFFSET, LEDGER_PAGE },
	{ LEDGER_MANIFEST_OFFSET + LEDGER_MANIFEST_SLOT, LEDGER_PAGE },
	{ SIZE - 2 * LEDGER_PAGE, LEDGER_LINE },
	{ SIZE - LEDGER_PAGE, LEDGER_LINE },
	{ LEDGER_RECORDS_OFFSET, 0 },
	{ LEDGER_RECORDS_OFFSET + LEDGER_RECORDS_HALF, 0 },
	{ LEDGER_JOURNAL_OFFSET, 0 },
	{ LEDGER_BLOBS_OFFSET, 0 },
};

static void repair_lines(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(places) && places[i].payload; i++) {
		struct ledger_line *line = (struct ledger_line *)(mem + places[i].line);
		uint64_t room = SIZE - places[i].line - places[i].payload;

		if (line->length <= room)
			line->payload_xxh3 =
				hash_xxh3(mem + places[i].line + places[i].payload, line->length, 0);
		line->xxh3 = hash_xxh3(line, offsetof(struct ledger_line, xxh3), 0);
	}
	for (i = 0; i < 2; i++) {
		struct ledger_record_media *m =
			(struct ledger_record_media *)(mem + LEDGER_RECORDS_OFFSET +
						       i * LEDGER_RECORDS_HALF);

		m->xxh3 = hash_xxh3(m, offsetof(struct ledger_record_media, xxh3), i + 1);
	}
}

/* Patches: place, offset (2 bytes), length, bytes. */
static void patch(const uint8_t *data, size_t size)
{
	size_t at, len;

	while (size >= 4) {
		at = places[data[0] % ARRAY_LEN(places)].line;
		at += (data[1] | (size_t)data[2] << 8) % (2 * LEDGER_PAGE);
		len = data[3];
		data += 4;
		size -= 4;
		if (len > size)
			len = size;
		if (at > SIZE - 255)
			at = SIZE - 255;
		memcpy(mem + at, data, len);
		data += len;
		size -= len;
	}
}

static void read_manifest(const struct ledger *l)
{
	struct buf json _cleanup_buf_ = { 0 };
	uint64_t generation = 0;
	struct err e = { 0 };
	int rc = ledger_manifest_read(l, key, &json, &generation, NULL, &e);

	fuzz_check(rc, &e);
	/* Only what was sealed is ever believed. */
	if (!rc && !(generation == 2 && !strcmp(json.data, PAYLOAD)) &&
	    !(generation == 1 && !strcmp(json.data, "{}")))
		abort();
}

static void read_blob(const struct ledger *l)
{
	struct err e = { 0 };
	char text[6] = "";
	int fd = ledger_blob_read(l, "a", 2, key, &ref, &e);

	fuzz_check(fd, &e);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text)) != 5 || memcmp(text, "state", 5))
		abort();
	close(fd);
}

static void read_everything(const struct ledger *l)
{
	struct phase_mark marks[8];
	struct extent_table t;
	struct vm_record r;
	uint8_t info[4096];
	struct err e = { 0 };
	unsigned int i;
	int rc;

	rc = ledger_info_block(l, info, &e);
	fuzz_check(rc, &e);
	err_clear(&e);
	rc = ledger_extents_read(l, &t, &e);
	fuzz_check(rc, &e);
	if (!rc && extent_table_check(&t, &l->geo, ERR_FORMAT, &e) < 0)
		abort();
	err_clear(&e);
	for (i = 0; i < VM_MAX; i += VM_MAX - 1) {
		rc = ledger_record_read(l, i, &r, &e);
		fuzz_check(rc, &e);
		if (!rc && (r.state >= VM_STATES || r.reason >= ERR_KINDS))
			abort();
		err_clear(&e);
	}
	if (ledger_journal_read(l, 2, marks, ARRAY_LEN(marks)) > ARRAY_LEN(marks))
		abort();
	read_manifest(l);
	read_blob(l);
}

/* What was written over the ruins reads back, or writing it is refused. */
static void write_everything(struct ledger *l)
{
	struct phase_mark mark = { .phase = PHASE_LOADED, .generation = 3 };
	struct vm_record r = { .state = VM_FAILED, .reason = ERR_TIMEOUT }, got;
	struct extent_table t = { .slot = { { .name = "" } } }, now;
	struct err e = { 0 };
	int rc;

	rc = ledger_record_write(l, 0, &r, &e);
	fuzz_check(rc, &e);
	if (!rc && (ledger_record_read(l, 0, &got, &e) < 0 || got.state != VM_FAILED))
		abort();
	err_clear(&e);
	rc = ledger_extents_write(l, &t, &e);
	fuzz_check(rc, &e);
	if (!rc && (ledger_extents_read(l, &now, &e) < 0 || memcmp(&now, &t, sizeof(t))))
		abort();
	err_clear(&e);
	fuzz_check(ledger_journal_add(l, &mark, &e), &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { 0 };
	struct ledger l;
	int rc;

	if (!size)
		return 0;
	if (!good[SIZE - LEDGER_PAGE])
		make_good();
	memcpy(mem, good, SIZE);
	patch(data + 1, size - 1);
	if (data[0] & 1)
		repair_lines();
	rc = ledger_open(&l, &media, &e);
	fuzz_check(rc, &e);
	if (rc < 0)
		return 0;
	read_everything(&l);
	write_everything(&l);
	return 0;
}
