/* SPDX-License-Identifier: GPL-2.0-only */
/* The load, commit and continue, against a peer that plays QEMU 10.0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load.h"
#include "qmp_peer.h"

#define EVENT(name) SAY("{\"event\": \"" name "\"}")
#define MIGRATION(s) SAY("{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" s "\"}}")
#define STATUS(s) HEAR("\"query-status\""), ANSWER("{\"status\": \"" s "\"}")
#define QUERY(answer) HEAR("\"query-migrate\""), ANSWER(answer)
#define HELLO                                                                                    \
	SAY("{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 13, \"minor\": 0, \"major\": 10}}, " \
	    "\"capabilities\": []}}"),                                                           \
		HEAR("qmp_capabilities"), ANSWER("{}")
#define PREPARE                                                                     \
	STATUS("inmigrate"),                                                        \
		HEAR("[{\"capability\":\"x-ignore-shared\",\"state\":true},"        \
		     "{\"capability\":\"events\",\"state\":true}]"),                \
		ANSWER("{}"), HEAR("{\"mode\":\"cpr-reboot\"}"), ANSWER("{}"),      \
		HEAR_FD("\"add-fd\"", 'D'), ANSWER("{\"fdset-id\": 3, \"fd\": 9}"), \
		HEAR("\"migrate-incoming\",\"arguments\":{\"uri\":\"file:/dev/fdset/3\"}")
#define LOADED                                                                                  \
	PREPARE, MIGRATION("setup"), ANSWER("{}"), MIGRATION("active"), MIGRATION("completed"), \
		QUERY("{\"status\": \"completed\"}"), STATUS("inmigrate"), STATUS("paused")
#define RESET                                                                       \
	HEAR("{\"capability\":\"x-ignore-shared\",\"state\":false}"), ANSWER("{}"), \
		HEAR("{\"mode\":\"normal\"}"), ANSWER("{}"),                        \
		HEAR("\"remove-fd\",\"arguments\":{\"fdset-id\":3}"), ANSWER("{}")
#define CONT HEAR("\"cont\"")
#define ANNOUNCE HEAR("\"announce-self\"")

/**
 * struct fixture - @fails: letter of the hook that fails
 */
struct fixture {
	struct qmp_peer peer;
	struct qmp q;
	struct plan p;
	struct load l;
	char log[16];
	char fails;
	bool paused_by_owner;
};

static struct fixture f;

static int hook(char letter, struct err *e)
{
	size_t n = strlen(f.log);

	snprintf(f.log + n, sizeof(f.log) - n, "%c", letter);
	return letter == f.fails ? err_set(e, ERR_IO, "hook %c", letter) : 0;
}

static int on_connected(struct load *l, struct err *e)
{
	(void)l;
	return hook('C', e);
}

static int on_loaded(struct load *l, struct err *e)
{
	(void)l;
	return hook('L', e);
}

static int on_commit(struct load *l, struct err *e)
{
	assert_false(l->committed);
	return hook('R', e);
}

static int on_running(struct load *l, struct err *e)
{
	assert_true(l->committed);
	return hook('G', e);
}

static void run(const struct peer_op *ops, unsigned int n, enum err_kind kind, const char *text)
{
	struct plan *plans[] = { &f.p };
	struct err e = { 0 };
	int fd = io_memfd("state", "Data", 4, &e);

	f.log[0] = '\0';
	qmp_peer_start(&f.peer, ops, n);
	qmp_init(&f.q, steal_fd(&f.peer.fd));
	f.l = (struct load){
		.vm_name = "db1",
		.state_fd = fd,
		.cpr_reboot = true,
		.run = !f.paused_by_owner,
		.connected = on_connected,
		.loaded = on_loaded,
		.commit = on_commit,
		.running = on_running,
	};
	load_plan(&f.p, &f.l, &f.q, f.peer.pidfd, 5000);
	plan_run(plans, 1);
	load_finish(&f.l);
	load_finish(&f.l);
	close(fd);
	qmp_close(&f.q);
	if (f.p.err.kind != kind || !strstr(f.p.err.msg, text))
		fail_msg("%s \"%s\", not %s \"...%s...\"", err_kind_name(f.p.err.kind), f.p.err.msg,
			 err_kind_name(kind), text);
	assert_int_equal(f.p.failed, kind != ERR_NONE);
	assert_int_equal(qmp_peer_end(&f.peer), 0);
}

#define LOAD(kind, text, ...)                                         \
	do {                                                          \
		const struct peer_op ops_[] = { HELLO, __VA_ARGS__ }; \
		run(ops_, ARRAY_LEN(ops_), kind, text);               \
	} while (0)

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	return 0;
}

static void test_whole(void **state)
{
	(void)state;
	LOAD(ERR_NONE, "", LOADED, CONT, EVENT("RESUME"), ANSWER("{}"), ANNOUNCE, ANSWER("{}"),
	     RESET);
	assert_string_equal(f.log, "CLRG");
	assert_true(f.l.committed && f.l.resumed && !f.l.never_ran);
}

/* What comes after RESUME cannot fail the plan. */
static void test_tail_refused(void **state)
{
	(void)state;
	LOAD(ERR_NONE, "", LOADED, CONT, ANSWER("{}"), EVENT("RESUME"), ANNOUNCE, REFUSE("a"),
	     HEAR("migrate-set-capabilities"), REFUSE("b"), HEAR("migrate-set-parameters"),
	     REFUSE("c"), HEAR("remove-fd"), REFUSE("d"));
	assert_true(f.l.resumed);
}

static void test_paused_by_owner(void **state)
{
	(void)state;
	f.paused_by_owner = true;
	LOAD(ERR_NONE, "", LOADED, RESET, QUIET);
	assert_string_equal(f.log, "CLRG");
	assert_true(f.l.committed && !f.l.resumed);
}

/* A hook that fails before `cont` keeps it from being sent. */
static void test_hooks_fail(void **state)
{
	(void)state;
	f.fails = 'C';
	LOAD(ERR_IO, "step query-status: hook C", QUIET);
	assert_string_equal(f.log, "C");
	f.fails = 'L';
	LOAD(ERR_IO, "step state after load: hook L", LOADED, QUIET);
	assert_string_equal(f.log, "CL");
	f.fails = 'R';
	LOAD(ERR_IO, "step commit: hook R", LOADED, QUIET);
	assert_string_equal(f.log, "CLR");
	assert_false(f.l.committed);
	f.fails = 'G';
	LOAD(ERR_IO, "step cont: hook G", LOADED, CONT, EVENT("RESUME"), QUIET);
	assert_true(f.l.committed && f.l.resumed);
}

static void test_before_load(void **state)
{
	(void)state;
	LOAD(ERR_PROTOCOL, "'prelaunch' instead of waiting", STATUS("prelaunch"), QUIET);
	LOAD(ERR_REFUSED, "step set capabilities: QEMU refused: what is that", STATUS("inmigrate"),
	     HEAR("x-ignore-shared"), REFUSE("what is that"), QUIET);
	LOAD(ERR_REFUSED, "step set mode: QEMU refused: no mode", STATUS("inmigrate"),
	     HEAR("x-ignore-shared"), ANSWER("{}"), HEAR("cpr-reboot"), REFUSE("no mode"), QUIET);
	assert_false(f.l.committed);
}

static void test_load_fails(void **state)
{
	(void)state;
	LOAD(ERR_REFUSED, "step migrate-incoming: QEMU refused: bad uri", PREPARE,
	     REFUSE("bad uri"), QUIET);
	LOAD(ERR_REFUSED, "step migrate-incoming: QEMU refused: no such", PREPARE,
	     MIGRATION("failed"), REFUSE("no such"), HANG);
	LOAD(ERR_REFUSED, "migration failed: wrong machine", PREPARE, ANSWER("{}"),
	     MIGRATION("failed"),
	     QUERY("{\"status\": \"failed\", \"error-desc\": \"wrong machine\"}"), QUIET);
	LOAD(ERR_REFUSED, "'none', not completed", PREPARE, ANSWER("{}"), MIGRATION("completed"),
	     QUERY("{}"), QUIET);
	LOAD(ERR_PROTOCOL, "'running' after loading", PREPARE, ANSWER("{}"), MIGRATION("completed"),
	     QUERY("{\"status\": \"completed\"}"), STATUS("running"), QUIET);
	LOAD(ERR_EXITED, "step migrate-incoming: QEMU exited with status 0", PREPARE, ANSWER("{}"),
	     MIGRATION("active"));
	assert_string_equal(f.log, "C");
	assert_false(f.l.committed);
}

static void test_cont_refused(void **state)
{
	(void)state;
	LOAD(ERR_REFUSED, "step cont: QEMU refused: no lock", LOADED, CONT, REFUSE("no lock"),
	     STATUS("paused"), QUIET);
	assert_true(f.l.committed && !f.l.resumed && f.l.never_ran);
	LOAD(ERR_REFUSED, "step cont: QEMU refused: no lock", LOADED, CONT, REFUSE("no lock"),
	     STATUS("running"), QUIET);
	assert_true(f.l.committed && !f.l.never_ran);
	LOAD(ERR_REFUSED, "step cont: QEMU refused: no lock", LOADED, CONT, EVENT("STOP"),
	     REFUSE("no lock"), HEAR("query-status"), REFUSE("no"), QUIET);
	assert_true(f.l.committed && !f.l.never_ran);
	LOAD(ERR_EXITED, "step cont: QEMU exited", LOADED, CONT);
	assert_true(f.l.committed && !f.l.resumed && !f.l.never_ran);
}

/* It has run: what is on record must say so, or it would be resumed again. */
static void test_somebody_resumes(void **state)
{
	(void)state;
	LOAD(ERR_REFUSED, "somebody else has continued the VM", PREPARE, ANSWER("{}"),
	     EVENT("RESUME"), QUIET);
	assert_string_equal(f.log, "CRG");
	assert_true(f.l.committed && f.l.resumed);
	f.fails = 'R';
	LOAD(ERR_IO, "hook R", PREPARE, ANSWER("{}"), EVENT("RESUME"), QUIET);
	assert_true(!f.l.committed && f.l.resumed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_whole, setup),
		cmocka_unit_test_setup(test_tail_refused, setup),
		cmocka_unit_test_setup(test_paused_by_owner, setup),
		cmocka_unit_test_setup(test_hooks_fail, setup),
		cmocka_unit_test_setup(test_before_load, setup),
		cmocka_unit_test_setup(test_load_fails, setup),
		cmocka_unit_test_setup(test_cont_refused, setup),
		cmocka_unit_test_setup(test_somebody_resumes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
