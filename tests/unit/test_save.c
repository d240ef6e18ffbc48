/* SPDX-License-Identifier: GPL-2.0-only */
/* The save and the way back, against a peer that plays QEMU 10.0. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "qmp_peer.h"
#include "save.h"

#define EVENT(name) SAY("{\"event\": \"" name "\"}")
#define MIGRATION(s) SAY("{\"event\": \"MIGRATION\", \"data\": {\"status\": \"" s "\"}}")
#define STATUS(s) HEAR("\"query-status\""), ANSWER("{\"status\": \"" s "\"}")
#define QUERY(answer) HEAR("\"query-migrate\""), ANSWER(answer)
#define CAPS(answer) HEAR("\"query-migrate-capabilities\""), ANSWER(answer)
#define IGNORE_SHARED "{\"capability\": \"x-ignore-shared\", \"state\": false}"
#define HELLO                                                                                    \
	SAY("{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 13, \"minor\": 0, \"major\": 10}}, " \
	    "\"capabilities\": []}}"),                                                           \
		HEAR("qmp_capabilities"), ANSWER("{}")
#define PARAMS                                                                                   \
	HEAR("\"query-migrate-parameters\""),                                                    \
		ANSWER("{\"max-bandwidth\": 4711, \"mode\": \"normal\"}"),                       \
		HEAR("\"arguments\":{\"max-bandwidth\":1099511627776,\"mode\":\"cpr-reboot\"}"), \
		ANSWER("{}")
#define SET_CAPS                                                                     \
	HEAR("[{\"capability\":\"x-ignore-shared\",\"state\":true},{\"capability\":" \
	     "\"events\",\"state\":true}]"),                                         \
		ANSWER("{}")
#define PASS_FD(n) HEAR_OUT("\"add-fd\"", n), ANSWER("{\"fdset-id\": 7, \"fd\": 12}")
#define PREPARE(n) \
	STATUS("running"), QUERY("{}"), CAPS("[" IGNORE_SHARED "]"), SET_CAPS, PARAMS, PASS_FD(n)
#define STOP HEAR("\"stop\""), EVENT("STOP"), ANSWER("{}")
#define MIGRATE HEAR("{\"uri\":\"file:/dev/fdset/7\"}"), MIGRATION("setup"), ANSWER("{}")
#define DROP HEAR("\"remove-fd\",\"arguments\":{\"fdset-id\":7}"), ANSWER("{}")

struct fixture {
	struct qmp_peer peer;
	struct qmp q;
	struct plan p;
	struct save s;
	char log[16];
	bool pausing_fails;
};

static struct fixture f;

static void note(const char *what)
{
	size_t n = strlen(f.log);

	snprintf(f.log + n, sizeof(f.log) - n, "%s", what);
}

static int on_pausing(struct save *s, struct err *e)
{
	note(s->was_running ? "r" : "p");
	return f.pausing_fails ? err_set(e, ERR_IO, "no note") : 0;
}

static void on_paused(struct save *s)
{
	(void)s;
	note("P");
}

static void on_saved(struct save *s)
{
	note(s->state_len ? "S" : "?");
}

static void begin(const struct peer_op *ops, unsigned int n)
{
	bool pausing_fails = f.pausing_fails;

	memset(&f, 0, sizeof(f));
	f.pausing_fails = pausing_fails;
	qmp_peer_start(&f.peer, ops, n);
	qmp_init(&f.q, steal_fd(&f.peer.fd));
	f.s.vm_name = "db1";
	f.s.pausing = on_pausing;
	f.s.paused = on_paused;
	f.s.saved = on_saved;
}

/* Runs the plan in f.p to its end, and the peer's script to its own. */
static void run(enum err_kind kind, const char *text)
{
	struct plan *plans[] = { &f.p };

	plan_run(plans, 1);
	qmp_close(&f.q);
	if (f.p.err.kind != kind || !strstr(f.p.err.msg, text))
		fail_msg("%s \"%s\", not %s \"...%s...\"", err_kind_name(f.p.err.kind), f.p.err.msg,
			 err_kind_name(kind), text);
	assert_int_equal(f.p.failed, kind != ERR_NONE);
	assert_int_equal(qmp_peer_end(&f.peer), 0);
}

#define SAVE(kind, text, ...)                                         \
	do {                                                          \
		const struct peer_op ops_[] = { HELLO, __VA_ARGS__ }; \
		begin(ops_, ARRAY_LEN(ops_));                         \
		save_plan(&f.p, &f.s, &f.q, f.peer.pidfd, 5000);      \
		run(kind, text);                                      \
	} while (0)

#define RESUME(running, kind, text, ...)                                       \
	do {                                                                   \
		const struct peer_op ops_[] = { HELLO, __VA_ARGS__ };          \
		begin(ops_, ARRAY_LEN(ops_));                                  \
		f.s.was_running = running;                                     \
		save_resume_plan(&f.p, &f.s, &f.q, f.peer.pidfd, 5000, false); \
		run(kind, text);                                               \
	} while (0)

static void test_whole(void **state)
{
	char data[8] = "";

	(void)state;
	SAVE(ERR_NONE, "", EVENT("RESUME"), PREPARE(5), STOP, MIGRATE, MIGRATION("active"),
	     MIGRATION("completed"), QUERY("{\"status\": \"completed\"}"), STATUS("finish-migrate"),
	     STATUS("finish-migrate"), STATUS("postmigrate"), DROP);
	assert_string_equal(f.log, "rPS");
	assert_true(f.s.was_running && f.s.cpr_reboot && f.s.stopped && !f.s.resumed);
	assert_int_equal(f.s.state_len, 5);
	assert_int_equal(pread(f.s.state_fd, data, sizeof(data), 0), 5);
	assert_string_equal(data, "sssss");
	save_finish(&f.s);
	save_finish(&f.s);
	assert_int_equal(f.s.state_fd, -1);
}

/* The event may come before the answer; refusing to drop the set is no harm. */
static void test_order(void **state)
{
	(void)state;
	SAVE(ERR_NONE, "", STATUS("running"), QUERY("{\"status\": \"none\"}"),
	     CAPS("[" IGNORE_SHARED "]"), SET_CAPS, PARAMS, PASS_FD(5), STOP, HEAR("\"migrate\""),
	     MIGRATION("completed"), ANSWER("{}"), QUERY("{\"status\": \"completed\"}"),
	     STATUS("postmigrate"), HEAR("remove-fd"), REFUSE("no such set"));
	save_finish(&f.s);
}

static void test_paused_and_postmigrate(void **state)
{
	(void)state;
	SAVE(ERR_NONE, "", STATUS("paused"), QUERY("{}"), CAPS("[" IGNORE_SHARED "]"), SET_CAPS,
	     PARAMS, PASS_FD(1), MIGRATE, MIGRATION("completed"),
	     QUERY("{\"status\": \"completed\"}"), STATUS("postmigrate"), DROP);
	assert_string_equal(f.log, "pPS");
	assert_true(!f.s.was_running && !f.s.stopped);
	save_finish(&f.s);
	SAVE(ERR_NONE, "", STATUS("postmigrate"), QUERY("{\"status\": \"completed\"}"),
	     CAPS("[" IGNORE_SHARED "]"), SET_CAPS, PARAMS, PASS_FD(1), HEAR("\"cont\""),
	     ANSWER("{}"), EVENT("RESUME"), STOP, MIGRATE, MIGRATION("completed"),
	     QUERY("{\"status\": \"completed\"}"), STATUS("postmigrate"), DROP);
	assert_string_equal(f.log, "pPS");
	assert_true(!f.s.was_running && f.s.stopped && !f.s.resumed);
	save_finish(&f.s);
}

static void test_operators_capabilities(void **state)
{
	(void)state;
	SAVE(ERR_REFUSED, "QEMU refused: enough", STATUS("running"), QUERY("{}"),
	     CAPS("[{\"capability\": \"multifd\", \"state\": true}, " IGNORE_SHARED
		  ", {\"capability\": \"xbzrle\", \"state\": false}"
		  ", {\"capability\": \"postcopy-ram\", \"state\": true}]"),
	     HEAR("[{\"capability\":\"multifd\",\"state\":false},{\"capability\":"
		  "\"postcopy-ram\",\"state\":false}]"),
	     ANSWER("{}"), HEAR("x-ignore-shared"), REFUSE("enough"));
	save_finish(&f.s);
}

/* All of these leave the VM running: `stop` is not sent. */
static void test_refused_before_stop(void **state)
{
	(void)state;
	SAVE(ERR_REFUSED, "'guest-panicked'; only", STATUS("guest-panicked"), QUIET);
	SAVE(ERR_REFUSED, "'inmigrate'; only", STATUS("inmigrate"), QUIET);
	SAVE(ERR_REFUSED, "''; only", HEAR("query-status"), ANSWER("{}"), QUIET);
	SAVE(ERR_REFUSED, "step query-migrate: QEMU cannot save this VM: vfio-pci",
	     STATUS("running"), QUERY("{\"blocked-reasons\": [\"vfio-pci\", \"b\"]}"), QUIET);
	SAVE(ERR_REFUSED, "another migration of this VM is under way: 'active'", STATUS("running"),
	     QUERY("{\"status\": \"active\"}"), QUIET);
	SAVE(ERR_REFUSED, "x-ignore-shared, since 4.0", STATUS("running"), QUERY("{}"), CAPS("[]"),
	     QUIET);
	assert_false(f.s.stopped);
	SAVE(ERR_PROTOCOL, "step pass descriptor: QEMU names no descriptor set", STATUS("running"),
	     QUERY("{}"), CAPS("[" IGNORE_SHARED "]"), SET_CAPS, PARAMS, HEAR_OUT("add-fd", 0),
	     ANSWER("{\"fdset-id\": \"7\"}"), QUIET);
	save_finish(&f.s);
	assert_string_equal(f.log, "");
	f.pausing_fails = true;
	SAVE(ERR_IO, "step stop: no note", PREPARE(0), QUIET);
	f.pausing_fails = false;
	assert_false(f.s.stopped);
	assert_string_equal(f.log, "r");
	save_finish(&f.s);
}

static void test_migration_fails(void **state)
{
	(void)state;
	SAVE(ERR_REFUSED, "step migrate: QEMU refused: State blocked", PREPARE(0), STOP,
	     HEAR("\"migrate\""), MIGRATION("failed"), REFUSE("State blocked"));
	assert_true(f.s.stopped);
	assert_string_equal(f.log, "rP");
	save_finish(&f.s);
	SAVE(ERR_REFUSED, "migration failed: disk is full", PREPARE(0), STOP, MIGRATE,
	     MIGRATION("failed"),
	     QUERY("{\"status\": \"failed\", \"error-desc\": \"disk is full\"}"));
	save_finish(&f.s);
	SAVE(ERR_REFUSED, "migration is 'cancelled', not completed", PREPARE(0), STOP, MIGRATE,
	     MIGRATION("cancelled"), QUERY("{\"status\": \"cancelled\"}"));
	save_finish(&f.s);
	SAVE(ERR_REFUSED, "migration is 'none', not completed", PREPARE(0), STOP, MIGRATE,
	     MIGRATION("completed"), QUERY("{}"));
	save_finish(&f.s);
	SAVE(ERR_PROTOCOL, "'paused' after the save", PREPARE(3), STOP, MIGRATE,
	     MIGRATION("completed"), QUERY("{\"status\": \"completed\"}"), STATUS("paused"));
	save_finish(&f.s);
	SAVE(ERR_PROTOCOL, "saved an empty state", PREPARE(0), STOP, MIGRATE,
	     MIGRATION("completed"), QUERY("{\"status\": \"completed\"}"), STATUS("postmigrate"));
	assert_string_equal(f.log, "rP");
	save_finish(&f.s);
}

static void test_somebody_resumes(void **state)
{
	(void)state;
	SAVE(ERR_REFUSED, "somebody has continued the VM", PREPARE(3), STOP, MIGRATE,
	     EVENT("RESUME"), QUIET);
	assert_true(f.s.resumed);
	save_finish(&f.s);
}

/* Nothing is waited for that has to be said only when all goes well. */
static void test_dies(void **state)
{
	(void)state;
	SAVE(ERR_EXITED, "step migrate: QEMU exited with status 0", PREPARE(3), STOP, MIGRATE);
	assert_true(f.s.stopped);
	save_finish(&f.s);
}

#define RESET                                                                           \
	HEAR("{\"capability\":\"x-ignore-shared\",\"state\":false}"), ANSWER("{}"),     \
		HEAR("\"migrate-set-parameters\",\"arguments\":{\"mode\":\"normal\"}"), \
		ANSWER("{}")

static void test_resume(void **state)
{
	(void)state;
	RESUME(true, ERR_NONE, "", QUERY("{\"status\": \"completed\"}"), STATUS("postmigrate"),
	       HEAR("\"cont\""), EVENT("RESUME"), ANSWER("{}"), RESET);
	assert_true(f.s.resumed);
	/* answer first, refusals at the end */
	RESUME(true, ERR_NONE, "", QUERY("{}"), STATUS("finish-migrate"), STATUS("paused"),
	       HEAR("\"cont\""), ANSWER("{}"), EVENT("RESUME"), HEAR("migrate-set-capabilities"),
	       REFUSE("no"), HEAR("migrate-set-parameters"), REFUSE("no"));
	assert_true(f.s.resumed);
}

static void test_resume_not_needed(void **state)
{
	(void)state;
	RESUME(true, ERR_NONE, "", QUERY("{}"), STATUS("running"), RESET);
	assert_true(f.s.resumed);
	RESUME(false, ERR_NONE, "", QUERY("{}"), STATUS("postmigrate"), RESET);
	assert_false(f.s.resumed);
}

static void test_resume_cancels(void **state)
{
	(void)state;
	RESUME(true, ERR_NONE, "", QUERY("{\"status\": \"active\"}"), HEAR("\"migrate_cancel\""),
	       ANSWER("{}"), MIGRATION("cancelling"), EVENT("STOP"), SILENT(20),
	       MIGRATION("cancelled"), STATUS("paused"), HEAR("\"cont\""), EVENT("STOP"),
	       SILENT(20), EVENT("RESUME"), ANSWER("{}"), RESET);
}

static void test_resume_fails(void **state)
{
	(void)state;
	RESUME(true, ERR_REFUSED, "step cont: QEMU refused: Failed to get write lock", QUERY("{}"),
	       STATUS("postmigrate"), HEAR("\"cont\""), REFUSE("Failed to get write lock"));
	assert_false(f.s.resumed);
}

static void test_check(void **state)
{
	static const struct {
		struct peer_op ops[6];
		enum err_kind kind;
		const char *text;
		bool resumed;
	} cases[] = {
		{ { STATUS("postmigrate"), QUIET }, ERR_NONE, "", false },
		{ { STATUS("running"), QUIET }, ERR_REFUSED, "'running', no longer", false },
		{ { EVENT("RESUME"), HANG, HANG }, ERR_REFUSED, "somebody has continued", true },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		begin(cases[i].ops, 3);
		f.s.held = true;
		save_check_plan(&f.p, &f.s, &f.q, f.peer.pidfd, 5000);
		run(cases[i].kind, cases[i].text);
		assert_int_equal(f.s.resumed, cases[i].resumed);
	}
}

/* Descriptor 0 is somebody else's. */
static void test_finish_of_nothing(void **state)
{
	struct save s = { 0 };

	(void)state;
	save_finish(&s);
	assert_true(fcntl(0, F_GETFD) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_paused_and_postmigrate),
		cmocka_unit_test(test_operators_capabilities),
		cmocka_unit_test(test_refused_before_stop),
		cmocka_unit_test(test_migration_fails),
		cmocka_unit_test(test_somebody_resumes),
		cmocka_unit_test(test_dies),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_resume_not_needed),
		cmocka_unit_test(test_resume_cancels),
		cmocka_unit_test(test_resume_fails),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_finish_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
