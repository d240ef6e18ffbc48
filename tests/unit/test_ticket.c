/* SPDX-License-Identifier: GPL-2.0-only */
/* Tickets: encoding, files, the archive for the initrd. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ledger_fixture.h"
#include "ticket.h"

static char dir[] = "/tmp/holdover-ticket-XXXXXX";
static char path[64];
static struct ledger_geometry geo;

static int make_dir(void **state)
{
	(void)state;
	geo = fixture_geometry();
	memset(geo.ledger_uuid, 0x77, 16);
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/ticket", dir);
	return 0;
}

static int drop_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void the_ticket_is_of_the_geometry(void **state)
{
	struct ticket a, b;
	struct err e;

	(void)state;
	assert_ok(ticket_make(&a, &geo, 5, &e), e);
	assert_ok(ticket_make(&b, &geo, 5, &e), e);
	assert_int_equal(a.generation, 5);
	assert_true(a.region_start == geo.region_start && a.region_size == geo.region_size);
	assert_memory_equal(a.namespace_uuid, geo.namespace_uuid, 16);
	assert_memory_equal(a.ledger_uuid, geo.ledger_uuid, 16);
	assert_memory_not_equal(a.key, b.key, TICKET_KEY);
	assert_false(all_zero(a.key, TICKET_KEY));
	ticket_wipe(&a);
	assert_true(all_zero(&a, sizeof(a)));
}

static void the_id_is_a_hash_of_the_key(void **state)
{
	struct ticket t = { .generation = 1 };
	uint8_t id[16], again[16];
	unsigned int bit;

	(void)state;
	fixture_key(1, t.key);
	ticket_id(&t, id);
	t.generation = 2;
	ticket_id(&t, again);
	assert_memory_equal(id, again, 16);
	for (bit = 0; bit < 8 * TICKET_KEY; bit++) {
		t.key[bit / 8] ^= 1 << bit % 8;
		ticket_id(&t, again);
		assert_memory_not_equal(id, again, 16);
		t.key[bit / 8] ^= 1 << bit % 8;
	}
}

static void every_flipped_bit_is_refused(void **state)
{
	struct err e = { .kind = ERR_NONE };
	uint8_t data[TICKET_FILE_SIZE];
	struct ticket t, got = { .generation = 0 };
	unsigned int bit;

	(void)state;
	assert_ok(ticket_make(&t, &geo, 5, &e), e);
	ticket_encode(&t, data);
	assert_ok(ticket_decode(data, sizeof(data), &got, &e), e);
	assert_memory_equal(&got, &t, sizeof(t));
	for (bit = 0; bit < 8 * sizeof(data); bit++) {
		data[bit / 8] ^= 1 << bit % 8;
		assert_int_equal(ticket_decode(data, sizeof(data), &got, &e), -1);
		/* magic and major, then everything else */
		assert_kind(e, bit < 80 ? ERR_FORMAT : ERR_CHECKSUM);
		data[bit / 8] ^= 1 << bit % 8;
	}
}

static void every_other_length_is_refused(void **state)
{
	struct err e = { .kind = ERR_NONE };
	uint8_t data[TICKET_FILE_SIZE + 1] = { 0 };
	struct ticket t, got;
	size_t len;

	(void)state;
	assert_ok(ticket_make(&t, &geo, 5, &e), e);
	ticket_encode(&t, data);
	for (len = 0; len <= sizeof(data); len++) {
		_cleanup_free_ uint8_t *exact = malloc(len + !len);

		if (len == TICKET_FILE_SIZE)
			continue;
		memcpy(exact, data, len);
		assert_int_equal(ticket_decode(exact, len, &got, &e), -1);
		assert_kind(e, ERR_FORMAT);
	}
}

/* A ticket as version @minor would write it, with a reserved byte in use. */
static void encode_minor(const struct ticket *t, unsigned int minor, uint8_t *data)
{
	uint64_t sum;

	ticket_encode(t, data);
	data[10] = (uint8_t)minor;
	data[offsetof(struct ticket_media, reserved1)] = 1;
	sum = hash_xxh3(data, offsetof(struct ticket_media, xxh3), 0);
	memcpy(data + offsetof(struct ticket_media, xxh3), &sum, sizeof(sum));
}

static void a_higher_minor_may_use_reserved_bytes(void **state)
{
	struct err e = { .kind = ERR_NONE };
	uint8_t data[TICKET_FILE_SIZE];
	struct ticket t, got;

	(void)state;
	assert_ok(ticket_make(&t, &geo, 5, &e), e);
	encode_minor(&t, LEDGER_MINOR, data);
	assert_int_equal(ticket_decode(data, sizeof(data), &got, &e), -1);
	assert_kind(e, ERR_FORMAT);
	encode_minor(&t, LEDGER_MINOR + 1, data);
	assert_ok(ticket_decode(data, sizeof(data), &got, &e), e);
}

static void files(void **state)
{
	struct err e = { .kind = ERR_NONE };
	struct ticket t, got;
	struct stat st;

	(void)state;
	assert_int_equal(ticket_load(path, &got, &e), -1);
	assert_kind(e, ERR_ABSENT);
	assert_ok(ticket_shred(path, &e), e);
	assert_ok(ticket_make(&t, &geo, 5, &e), e);
	assert_ok(ticket_save(path, &t, &e), e);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, TICKET_FILE_SIZE);
	if (geteuid() != 0) {
		assert_int_equal(ticket_load(path, &got, &e), -1);
		assert_kind(e, ERR_REFUSED);
		return;
	}
	assert_ok(ticket_load(path, &got, &e), e);
	assert_memory_equal(&got, &t, sizeof(t));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(ticket_load(path, &got, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(chmod(path, 0400), 0);
	assert_ok(ticket_load(path, &got, &e), e);
	assert_int_equal(chown(path, 1, 0), 0);
	assert_int_equal(ticket_load(path, &got, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(truncate(path, TICKET_FILE_SIZE + 1), 0);
	assert_int_equal(ticket_load(path, &got, &e), -1);
	assert_non_null(strstr(e.msg, path));
	assert_kind(e, ERR_FORMAT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(ticket_load(path, &got, &e), -1);
	assert_kind(e, ERR_REFUSED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/shadow", path), 0);
	assert_int_equal(ticket_load(path, &got, &e), -1);
	assert_kind(e, ERR_IO);
	assert_int_equal(unlink(path), 0);
}

static void half_shredded_is_absent(void **state)
{
	static const char zero[TICKET_FILE_SIZE];
	struct err e = { .kind = ERR_NONE };
	struct ticket got;

	(void)state;
	assert_ok(io_write_file(path, zero, sizeof(zero), 0600, &e), e);
	assert_int_equal(ticket_load(path, &got, &e), -1);
	assert_kind(e, ERR_ABSENT);
	/* but not what was never whole */
	assert_ok(io_write_file(path, zero, 0, 0600, &e), e);
	assert_int_equal(ticket_load(path, &got, &e), -1);
	assert_kind(e, ERR_FORMAT);
	assert_int_equal(unlink(path), 0);
}

static void shredding_leaves_no_key(void **state)
{
	struct err e = { .kind = ERR_NONE };
	uint8_t data[TICKET_FILE_SIZE];
	_cleanup_close_ int fd = -1;
	struct ticket t;

	(void)state;
	assert_ok(ticket_make(&t, &geo, 5, &e), e);
	assert_ok(ticket_save(path, &t, &e), e);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_ok(ticket_shred(path, &e), e);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(pread(fd, data, sizeof(data), 0), sizeof(data));
	assert_true(all_zero(data, sizeof(data)));
}

/* Run the system's cpio over @archive and leave what it unpacks in dir. */
static int unpack(const struct buf *archive)
{
	char command[128];
	FILE *f;

	snprintf(command, sizeof(command), "cd %s && cpio -i --quiet -m", dir);
	f = popen(command, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(archive->data, 1, archive->len, f), archive->len);
	return pclose(f);
}

static void the_archive_is_one_that_cpio_reads(void **state)
{
	struct err e = { .kind = ERR_NONE };
	_cleanup_buf_ struct buf archive = { .data = NULL };
	char unpacked[128];
	struct ticket t, got;
	struct stat st;

	(void)state;
	assert_ok(ticket_make(&t, &geo, 5, &e), e);
	assert_ok(ticket_cpio(&t, &archive, &e), e);
	assert_int_equal(archive.len % 512, 0);
	assert_memory_equal(archive.data, "070701", 6);
	assert_int_equal(unpack(&archive), 0);
	snprintf(unpacked, sizeof(unpacked), "%s/holdover.ticket", dir);
	assert_int_equal(stat(unpacked, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0400);
	assert_int_equal(st.st_size, TICKET_FILE_SIZE);
	assert_ok(ticket_decode((uint8_t *)archive.data + 128, TICKET_FILE_SIZE, &got, &e), e);
	if (geteuid() == 0) {
		assert_ok(ticket_load(unpacked, &got, &e), e);
		assert_memory_equal(&got, &t, sizeof(t));
	}
	assert_int_equal(unlink(unpacked), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ticket_is_of_the_geometry),
		cmocka_unit_test(the_id_is_a_hash_of_the_key),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(every_other_length_is_refused),
		cmocka_unit_test(a_higher_minor_may_use_reserved_bytes),
		cmocka_unit_test(files),
		cmocka_unit_test(half_shredded_is_absent),
		cmocka_unit_test(shredding_leaves_no_key),
		cmocka_unit_test(the_archive_is_one_that_cpio_reads),
	};

	return cmocka_run_group_tests_name("ticket", tests, make_dir, drop_dir);
}
