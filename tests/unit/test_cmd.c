/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=host_open,--wrap=host_drop_tickets,--wrap=restore_open,--wrap=restore_vms */
/* The verbs discard and resume, on a ledger in a buffer and a /run of the test's own. */
#include <getopt.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "host.h"
#include "ledger_fixture.h"
#include "qemu.h"
#include "restore.h"
#include "runstate.h"

static struct bench {
	struct fixture f;
	struct extent_table t;
	bool dropped, drop_fails;
	bool opened, never_ran, second_copy;
	char only[64];
} b;

int __wrap_host_open(struct host *h, const struct app *app, unsigned int need, struct err *e);
int __wrap_host_drop_tickets(const struct host *h, struct err *e);
int __wrap_restore_open(struct restore *r, struct err *e);
int __wrap_restore_vms(struct restore *r, struct restore_report *report, struct err *e);

/* What main.c has; the last error is kept. */
static char said[1200];

int cmd_fail(const struct err *e)
{
	snprintf(said, sizeof(said), "%s", e->msg);
	return e->kind == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

int cmd_usage(const struct cmd *cmd, const char *fmt, ...)
{
	(void)cmd;
	(void)fmt;
	return EXIT_USAGE;
}

void cmd_say(const char *fmt, ...)
{
	(void)fmt;
}

int __wrap_host_open(struct host *h, const struct app *app, unsigned int need, struct err *e)
{
	(void)app;
	(void)need;
	(void)e;
	h->ledger = b.f.l;
	return 0;
}

int __wrap_host_drop_tickets(const struct host *h, struct err *e)
{
	(void)h;
	b.dropped = true;
	return b.drop_fails ? err_set(e, ERR_CHECKSUM, "another record is damaged") : 0;
}

int __wrap_restore_open(struct restore *r, struct err *e)
{
	(void)e;
	b.opened = true;
	b.never_ran = r->never_ran;
	b.second_copy = r->second_copy;
	snprintf(b.only, sizeof(b.only), "%s", r->only ? r->only : "");
	return 0;
}

int __wrap_restore_vms(struct restore *r, struct restore_report *report, struct err *e)
{
	(void)r;
	(void)e;
	memset(report, 0, sizeof(*report));
	return 0;
}

static int own_run(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ?
		-1 :
		0;
}

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	memset(&b, 0, sizeof(b));
	if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
	    mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=755") < 0)
		return -1;
	fixture_setup(&b.f);
	if (extent_alloc(&b.t, &b.f.geo, "db0", 2 << 20, &e) != 0 ||
	    extent_alloc(&b.t, &b.f.geo, "db1", 2 << 20, &e) != 1)
		return -1;
	return ledger_extents_write(&b.f.l, &b.t, &e);
}

static int teardown(void **state)
{
	(void)state;
	fixture_teardown(&b.f);
	return umount2("/run", MNT_DETACH) || umount2("/var/lib", MNT_DETACH);
}

static int call(const struct cmd *c, const char *a, const char *a2, const char *a3)
{
	const struct app app = { 0 };
	char text[4][32] = { "" };
	char *argv[] = { text[0], text[1], text[2], text[3], NULL };
	const char *args[] = { c->name, a, a2, a3 };
	int argc = 0;

	for (; argc < 4 && args[argc]; argc++)
		snprintf(text[argc], sizeof(text[0]), "%s", args[argc]);
	argv[argc] = NULL;
	optind = 0;
	return c->run(&app, argc, argv);
}

static void put(enum vm_state state)
{
	struct vm_record rec = { .state = state, .generation = 7 };
	struct err e = { 0 };

	assert_ok(ledger_record_write(&b.f.l, 1, &rec, &e), e);
}

static enum vm_state get(void)
{
	struct vm_record rec;
	struct err e = { 0 };

	assert_ok(ledger_record_read(&b.f.l, 1, &rec, &e), e);
	return rec.state;
}

static void damage(void)
{
	put(VM_SEALED);
	put(VM_CLAIMED);
	for (unsigned int half = 0; half < 2; half++)
		b.f.mem[LEDGER_RECORDS_OFFSET + half * LEDGER_RECORDS_HALF + LEDGER_LINE + 20] ^= 1;
}

static bool damaged(void)
{
	struct vm_record rec;
	struct err e = { 0 };

	return ledger_record_read(&b.f.l, 1, &rec, &e) < 0 && e.kind == ERR_CHECKSUM;
}

static void discard_gives_up_what_waits(void **state)
{
	(void)state;
	put(VM_FAILED);
	assert_int_equal(call(&cmd_discard, "db1", NULL, NULL), EXIT_DONE);
	assert_int_equal(get(), VM_CONSUMED);
	assert_int_equal(access(HOLDOVER_RUN_DIR "/db1/record", F_OK), 0);
	assert_true(b.dropped);
	assert_int_equal(call(&cmd_discard, "db1", NULL, NULL), EXIT_NOTHING);
	assert_int_equal(call(&cmd_discard, "db2", NULL, NULL), EXIT_FAILED);
}

/* Set back by another holder of the device: still given up. */
static void what_was_given_up_stays_so(void **state)
{
	(void)state;
	put(VM_SEALED);
	assert_int_equal(call(&cmd_discard, "db1", NULL, NULL), EXIT_DONE);
	put(VM_SEALED);
	assert_int_equal(call(&cmd_discard, "db1", NULL, NULL), EXIT_NOTHING);
}

static void a_damaged_record_needs_force(void **state)
{
	struct vm_record rec;
	struct err e = { 0 };

	(void)state;
	damage();
	assert_int_equal(call(&cmd_discard, "db1", NULL, NULL), EXIT_FAILED);
	assert_non_null(strstr(said, "--force"));
	assert_true(damaged());
	assert_int_equal(call(&cmd_discard, "db0", "--force", NULL), EXIT_NOTHING);
	assert_true(damaged());
	assert_int_equal(call(&cmd_discard, "--force", "db1", NULL), EXIT_DONE);
	assert_int_equal(get(), VM_CONSUMED);
	assert_ok(record_read(&b.f.l, 1, "db1", &rec, &e), e);
	assert_int_equal(rec.state, VM_CONSUMED);
}

/* So that a later resume of the others does not call it another jump's. */
static void the_new_record_is_of_the_manifests_jump(void **state)
{
	uint8_t key[TICKET_KEY], id[16];
	struct vm_record rec;
	struct err e = { 0 };

	(void)state;
	assert_ok(fixture_seal(&b.f, 7, 1, "{}", &e), e);
	damage();
	assert_int_equal(call(&cmd_discard, "--force", "db1", NULL), EXIT_DONE);
	assert_ok(ledger_record_read(&b.f.l, 1, &rec, &e), e);
	fixture_key(1, key);
	ledger_key_id(key, id);
	assert_int_equal(rec.generation, 7);
	assert_memory_equal(rec.ticket_id, id, 16);
}

static void force_takes_one_name(void **state)
{
	(void)state;
	damage();
	assert_int_equal(call(&cmd_discard, "--force", NULL, NULL), EXIT_USAGE);
	assert_int_equal(call(&cmd_discard, "--force", "db1", "db0"), EXIT_USAGE);
	assert_int_equal(call(&cmd_discard, "--with", "db1", NULL), EXIT_USAGE);
	assert_int_equal(call(&cmd_discard, NULL, NULL, NULL), EXIT_USAGE);
	assert_true(damaged());
}

static void tickets_that_stay_are_no_failure(void **state)
{
	(void)state;
	put(VM_FAILED);
	b.drop_fails = true;
	assert_int_equal(call(&cmd_discard, "db1", NULL, NULL), EXIT_DONE);
	assert_int_equal(get(), VM_CONSUMED);
}

/* ---- resume -------------------------------------------------------------- */

static void put_ticket(const char *path)
{
	struct ticket t = { .generation = 7 };
	struct err e = { 0 };

	assert_ok(io_mkdir_p(HOLDOVER_RUN_DIR, 0700, &e), e);
	assert_ok(io_mkdir_p(HOLDOVER_LIB_DIR, 0700, &e), e);
	assert_ok(ticket_save(path, &t, &e), e);
}

static void the_engine_knows_the_tickets_way(void **state)
{
	(void)state;
	assert_int_equal(call(&cmd_resume, NULL, NULL, NULL), EXIT_NOTHING);
	assert_false(b.opened);
	put_ticket(HOLDOVER_TICKET_COPY);
	call(&cmd_resume, NULL, NULL, NULL);
	assert_true(b.opened);
	assert_true(b.second_copy);
	put_ticket(HOLDOVER_TICKET_COPY);
	put_ticket(HOLDOVER_RUN_DIR "/ticket");
	call(&cmd_resume, "--boot", NULL, NULL);
	assert_false(b.second_copy);
}

static void never_ran_is_about_one_vm(void **state)
{
	(void)state;
	put_ticket(HOLDOVER_RUN_DIR "/ticket");
	assert_int_equal(call(&cmd_resume, "--never-ran", NULL, NULL), EXIT_USAGE);
	assert_int_equal(call(&cmd_resume, "--never-ran", "db0", "db1"), EXIT_USAGE);
	assert_int_equal(call(&cmd_resume, "--boot", "--never-ran", "db1"), EXIT_USAGE);
	assert_false(b.opened);
	call(&cmd_resume, "--never-ran", "db1", NULL);
	assert_true(b.opened);
	assert_true(b.never_ran);
	assert_string_equal(b.only, "db1");
	put_ticket(HOLDOVER_RUN_DIR "/ticket");
	call(&cmd_resume, "db1", NULL, NULL);
	assert_false(b.never_ran);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(discard_gives_up_what_waits),
		CASE(what_was_given_up_stays_so),
		CASE(a_damaged_record_needs_force),
		CASE(the_new_record_is_of_the_manifests_jump),
		CASE(force_takes_one_name),
		CASE(tickets_that_stay_are_no_failure),
		CASE(the_engine_knows_the_tickets_way),
		CASE(never_ran_is_about_one_vm),
	};

	return cmocka_run_group_tests(tests, own_run, NULL);
}
