/* SPDX-License-Identifier: GPL-2.0-only */
/* State records in the ledger and in /run, and the overwriting of damaged ones.
 * /run is a tmpfs of the test's own. */
#include <endian.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger_fixture.h"
#include "qemu.h"
#include "runstate.h"

#define INDEX 3
#define NOTE HOLDOVER_RUN_DIR "/db1/record"

static struct fixture f;

static int own_run(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
		return -1;
	fixture_setup(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_teardown(&f);
	return umount2("/run", MNT_DETACH);
}

static struct vm_record record(enum vm_state state, unsigned int attempt)
{
	struct vm_record rec = { .state = state, .attempt = attempt, .generation = 7 };

	if (state == VM_FAILED)
		rec.reason = ERR_TIMEOUT;
	memset(rec.ticket_id, 0xaa, 16);
	memset(rec.boot_id, 0xbb, 16);
	return rec;
}

/* Between the members of a record there is nothing to compare. */
static void assert_same(const struct vm_record *a, const struct vm_record *b)
{
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->reason, b->reason);
	assert_int_equal(a->attempt, b->attempt);
	assert_int_equal(a->generation, b->generation);
	assert_memory_equal(a->ticket_id, b->ticket_id, 16);
	assert_memory_equal(a->boot_id, b->boot_id, 16);
}

static void put(struct vm_record rec)
{
	struct err e = { 0 };

	assert_ok(record_write(&f.l, INDEX, "db1", &rec, &e), e);
}

/* What another holder of the device can do. */
static void set_back(struct vm_record rec)
{
	struct err e = { 0 };

	assert_ok(ledger_record_write(&f.l, INDEX, &rec, &e), e);
}

static struct vm_record get(void)
{
	struct vm_record rec;
	struct err e = { 0 };

	assert_ok(record_read(&f.l, INDEX, "db1", &rec, &e), e);
	return rec;
}

static void what_goes_in_comes_out(void **state)
{
	(void)state;
	assert_int_equal(get().state, VM_NONE);
	for (unsigned int s = VM_SEALED; s < VM_STATES; s++) {
		struct vm_record rec = record((enum vm_state)s, s), got, media;
		struct err e = { 0 };

		put(rec);
		got = get();
		assert_same(&got, &rec);
		assert_ok(ledger_record_read(&f.l, INDEX, &media, &e), e);
		assert_same(&media, &rec);
	}
}

static void the_note_is_for_root(void **state)
{
	struct stat st;

	(void)state;
	put(record(VM_CLAIMED, 1));
	assert_int_equal(stat(NOTE, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(HOLDOVER_RUN_DIR "/db1", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(HOLDOVER_RUN_DIR, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

/* Set back from any state to any earlier one: the note's state holds. */
static void a_record_set_back_is_not_believed(void **state)
{
	static const enum vm_state order[] = { VM_NONE,	    VM_SEALED,	VM_CLAIMED, VM_FAILED,
					       VM_RELEASED, VM_ABORTED, VM_RUNNING, VM_CONSUMED };

	(void)state;
	for (size_t now = 1; now < ARRAY_LEN(order); now++) {
		for (size_t back = 1; back < now; back++) {
			put(record(order[now], 1));
			set_back(record(order[back], 0));
			assert_int_equal(get().state, order[now]);
			assert_int_equal(get().attempt, 1);
		}
	}
}

static void a_later_state_in_the_ledger_wins(void **state)
{
	(void)state;
	put(record(VM_CLAIMED, 1));
	set_back(record(VM_CONSUMED, 1));
	assert_int_equal(get().state, VM_CONSUMED);
	put(record(VM_SEALED, 0));
	set_back(record(VM_RELEASED, 1));
	assert_int_equal(get().state, VM_RELEASED);
}

/* Forged on purpose, with more attempts than the truth has. */
static void more_attempts_do_not_outweigh_having_run(void **state)
{
	(void)state;
	put(record(VM_RUNNING, 1));
	set_back(record(VM_CLAIMED, 60000));
	assert_int_equal(get().state, VM_RUNNING);
	put(record(VM_RELEASED, 1));
	set_back(record(VM_FAILED, 2));
	assert_int_equal(get().state, VM_RELEASED);
}

static void attempts_cannot_be_set_back(void **state)
{
	(void)state;
	put(record(VM_CLAIMED, 3));
	set_back(record(VM_CLAIMED, 0));
	assert_int_equal(get().attempt, 3);
}

static void taking_released_back_is_possible(void **state)
{
	(void)state;
	put(record(VM_RELEASED, 1));
	put(record(VM_FAILED, 1));
	assert_int_equal(get().state, VM_FAILED);
}

static void a_note_of_another_jump_does_not_count(void **state)
{
	struct vm_record rec = record(VM_RUNNING, 1);

	(void)state;
	put(rec);
	rec = record(VM_SEALED, 0);
	rec.generation++;
	set_back(rec);
	assert_int_equal(get().state, VM_SEALED);
	assert_int_equal(get().attempt, 0);
	rec.generation--;
	rec.ticket_id[15] ^= 1;
	set_back(rec);
	assert_int_equal(get().state, VM_SEALED);
}

static void a_bad_note_is_an_error(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"{\"state\":\"SEALED\"}",
		"{\"state\":\"SEALED\",\"reason\":99,\"attempt\":0,\"generation\":7,"
		"\"ticket_id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		"\"boot_id\":\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"}",
		"{\"state\":\"GONE\",\"reason\":0,\"attempt\":0,\"generation\":7,"
		"\"ticket_id\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		"\"boot_id\":\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"}",
	};
	struct vm_record rec;
	struct err e = { 0 };

	(void)state;
	put(record(VM_SEALED, 0));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_ok(io_write_file(NOTE, bad[i], strlen(bad[i]), 0600, &e), e);
		if (record_read(&f.l, INDEX, "db1", &rec, &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(e.msg, NOTE));
		assert_kind(e, ERR_FORMAT);
	}
}

static void names_do_not_leave_the_folder(void **state)
{
	struct vm_record rec = record(VM_SEALED, 0);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(record_write(&f.l, INDEX, "../x", &rec, &e), -1);
	assert_int_not_equal(access("/run/x", F_OK), 0);
	assert_kind(e, ERR_USAGE);
}

static void a_note_that_cannot_be_written_is_an_error(void **state)
{
	struct vm_record rec = record(VM_RELEASED, 1);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(mount(NULL, "/run", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(record_write(&f.l, INDEX, "db1", &rec, &e), -1);
	assert_kind(e, ERR_IO);
}

/* ---- overwriting --------------------------------------------------------- */

static uint8_t *half(unsigned int n)
{
	return f.mem + LEDGER_RECORDS_OFFSET + n * LEDGER_RECORDS_HALF + INDEX * LEDGER_LINE;
}

/* Two states written, then @a or @b or both damaged. */
static void damage(bool a, bool b)
{
	fixture_arm(&f, STOP_NEVER, 0, 0);
	memset(half(0), 0, LEDGER_LINE);
	memset(half(1), 0, LEDGER_LINE);
	set_back(record(VM_SEALED, 0));
	set_back(record(VM_CLAIMED, 1));
	half(0)[20] ^= a;
	half(1)[20] ^= b;
}

static void damaged_records_are_overwritten(void **state)
{
	struct vm_record rec = record(VM_CONSUMED, 0), got;
	struct err e = { 0 };

	(void)state;
	for (unsigned int which = 1; which < 4; which++) {
		damage(which & 1, which & 2);
		assert_int_equal(ledger_record_read(&f.l, INDEX, &got, &e), -1);
		assert_non_null(strstr(e.msg, "discard --force"));
		assert_kind(e, ERR_CHECKSUM);
		assert_int_equal(ledger_record_write(&f.l, INDEX, &rec, &e), -1);
		assert_kind(e, ERR_CHECKSUM);
		assert_ok(ledger_record_overwrite(&f.l, INDEX, &rec, &e), e);
		assert_ok(ledger_record_read(&f.l, INDEX, &got, &e), e);
		assert_same(&got, &rec);
		/* and it is a record like any other from then on */
		set_back(record(VM_SEALED, 0));
		set_back(record(VM_CLAIMED, 4));
		assert_int_equal(get().attempt, 4);
	}
}

/* As no crash leaves them: forged. */
static void forge_sequence(unsigned int n, uint64_t seq)
{
	struct ledger_record_media m;

	memcpy(&m, half(n), sizeof(m));
	m.seq = htole64(seq);
	m.xxh3 = htole64(hash_xxh3(&m, offsetof(struct ledger_record_media, xxh3), 2 * INDEX + n + 1));
	memcpy(half(n), &m, sizeof(m));
}

static void forged_sequences_are_overwritten(void **state)
{
	struct vm_record rec = record(VM_CONSUMED, 0), got;
	struct err e = { 0 };

	(void)state;
	damage(false, false);
	forge_sequence(1, 1);
	assert_int_equal(ledger_record_read(&f.l, INDEX, &got, &e), -1);
	assert_kind(e, ERR_CHECKSUM);
	assert_ok(ledger_record_overwrite(&f.l, INDEX, &rec, &e), e);
	assert_ok(ledger_record_read(&f.l, INDEX, &got, &e), e);
	assert_int_equal(got.state, VM_CONSUMED);
	for (unsigned int n = 0; n < 2; n++) {
		damage(false, false);
		forge_sequence(n, UINT64_MAX);
		assert_int_equal(ledger_record_write(&f.l, INDEX, &rec, &e), -1);
		assert_kind(e, ERR_CHECKSUM);
		assert_ok(ledger_record_overwrite(&f.l, INDEX, &rec, &e), e);
		assert_ok(ledger_record_read(&f.l, INDEX, &got, &e), e);
		assert_int_equal(got.state, VM_CONSUMED);
	}
}

/* Stopped at any store, after any number of its words: the record cannot be
 * read, or it is the new one. Never SEALED or CLAIMED. */
static void a_crash_never_brings_the_old_one_back(void **state)
{
	struct vm_record rec = record(VM_CONSUMED, 0), got;
	unsigned int unreadable = 0, done = 0;
	struct err e = { 0 };

	(void)state;
	for (unsigned int which = 1; which < 4; which++) {
		for (unsigned int at = 0; at < 3; at++) {
			for (unsigned int words = 0; words < 256; words++) {
				damage(which & 1, which & 2);
				fixture_arm(&f, STOP_DROP, at, 0);
				f.words = words;
				if (ledger_record_overwrite(&f.l, INDEX, &rec, &e) < 0)
					err_clear(&e);
				if (ledger_record_read(&f.l, INDEX, &got, &e) < 0) {
					assert_kind(e, ERR_CHECKSUM);
					unreadable++;
					continue;
				}
				assert_int_equal(got.state, VM_CONSUMED);
				done++;
			}
		}
	}
	assert_true(unreadable > 0 && done > 0);
}

/* One store that is lost while the later ones arrive. */
static void a_lost_store_never_brings_the_old_one_back(void **state)
{
	struct vm_record rec = record(VM_CONSUMED, 0), got;
	struct err e = { 0 };

	(void)state;
	for (unsigned int which = 1; which < 4; which++) {
		for (unsigned int at = 0; at < 3; at++) {
			int r;

			damage(which & 1, which & 2);
			fixture_arm(&f, STOP_SKIP, at, 0);
			r = ledger_record_overwrite(&f.l, INDEX, &rec, &e);
			err_clear(&e);
			if (ledger_record_read(&f.l, INDEX, &got, &e) == 0) {
				assert_int_equal(r, 0);
				assert_int_equal(got.state, VM_CONSUMED);
			}
			err_clear(&e);
		}
	}
	/* A itself is lost: said, not only found later. */
	damage(false, true);
	fixture_arm(&f, STOP_SKIP, 0, 0);
	assert_int_equal(ledger_record_overwrite(&f.l, INDEX, &rec, &e), -1);
	assert_kind(e, ERR_CHECKSUM);
}

static void a_readable_record_is_written_in_turn(void **state)
{
	struct vm_record rec = record(VM_CONSUMED, 0), got;
	struct err e = { 0 };

	(void)state;
	damage(false, false);
	fixture_arm(&f, STOP_DROP, 1, 0);
	/* reading back notices the lost store */
	assert_int_equal(ledger_record_overwrite(&f.l, INDEX, &rec, &e), -1);
	err_clear(&e);
	assert_ok(ledger_record_read(&f.l, INDEX, &got, &e), e);
	assert_int_equal(got.state, VM_CLAIMED);
}

static void a_newer_version_keeps_its_record(void **state)
{
	struct vm_record rec = record(VM_CONSUMED, 0);
	uint8_t before[LEDGER_LINE];
	struct err e = { 0 };

	(void)state;
	damage(true, false);
	half(1)[3]++;
	memcpy(before, half(1), LEDGER_LINE);
	assert_int_equal(ledger_record_overwrite(&f.l, INDEX, &rec, &e), -1);
	assert_kind(e, ERR_FORMAT);
	assert_memory_equal(half(1), before, LEDGER_LINE);
	assert_int_equal(ledger_record_overwrite(&f.l, VM_MAX, &rec, &e), -1);
	assert_kind(e, ERR_USAGE);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_goes_in_comes_out),
		CASE(the_note_is_for_root),
		CASE(a_record_set_back_is_not_believed),
		CASE(a_later_state_in_the_ledger_wins),
		CASE(more_attempts_do_not_outweigh_having_run),
		CASE(attempts_cannot_be_set_back),
		CASE(taking_released_back_is_possible),
		CASE(a_note_of_another_jump_does_not_count),
		CASE(a_bad_note_is_an_error),
		CASE(names_do_not_leave_the_folder),
		CASE(a_note_that_cannot_be_written_is_an_error),
		CASE(damaged_records_are_overwritten),
		CASE(forged_sequences_are_overwritten),
		CASE(a_crash_never_brings_the_old_one_back),
		CASE(a_lost_store_never_brings_the_old_one_back),
		CASE(a_readable_record_is_written_in_turn),
		CASE(a_newer_version_keeps_its_record),
	};

	return cmocka_run_group_tests(tests, own_run, NULL);
}
