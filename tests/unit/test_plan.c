/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "qmp_peer.h"
#include "plan.h"

#define TIMEOUT 5000
#define EVENT(name) SAY("{\"event\": \"" name "\", \"data\": {}}")

/**
 * struct vm - a VM under test
 * @post: descriptor into which the last step writes a byte, or -1
 * @resumes: RESUME events that seen() has noticed
 * @log: what the callbacks noticed, one letter each
 */
struct vm {
	struct qmp_peer peer;
	struct qmp qmp;
	struct plan plan;
	int post;
	int resumes;
	char log[32];
};

static void note(struct plan *p, const char *what)
{
	struct vm *vm = p->ctx;
	size_t n = strlen(vm->log);

	snprintf(vm->log + n, sizeof(vm->log) - n, "%s", what);
}

static enum plan_verdict begin_stop(struct plan *p, struct err *e)
{
	note(p, "s");
	return plan_send(p, "stop", -1, e, NULL);
}

static enum plan_verdict event_stop(struct plan *p, const char *name, yyjson_val *data, struct err *e)
{
	(void)data;
	(void)e;
	note(p, "e");
	return strcmp(name, "STOP") == 0 ? PLAN_NEXT : PLAN_WAIT;
}

static enum plan_verdict begin_status(struct plan *p, struct err *e)
{
	note(p, "q");
	return plan_send(p, "query-status", -1, e, NULL);
}

static enum plan_verdict reply_status(struct plan *p, yyjson_val *ret, struct err *e)
{
	const char *status = yyjson_get_str(yyjson_obj_get(ret, "status"));

	note(p, "r");
	if (status && strcmp(status, "paused") == 0)
		return PLAN_NEXT;
	return err_set(e, ERR_PROTOCOL, "status is %s", status ? status : "?");
}

static enum plan_verdict begin_local(struct plan *p, struct err *e)
{
	struct vm *vm = p->ctx;

	(void)e;
	note(p, "l");
	if (vm->post >= 0 && write(vm->post, "", 1) != 1)
		return PLAN_FAIL;
	return PLAN_NEXT;
}

static enum plan_verdict refused_ok(struct plan *p, const char *desc, struct err *e)
{
	(void)desc;
	(void)e;
	note(p, "n");
	return PLAN_NEXT;
}

static const struct plan_step simple[] = {
	{ "handshake", NULL, NULL, NULL, NULL },
	{ "stop", begin_stop, NULL, NULL, NULL },
	{ "status", begin_status, reply_status, NULL, NULL },
	{ "local", begin_local, NULL, NULL, NULL },
};

static enum plan_verdict wait_only(struct plan *p, yyjson_val *ret, struct err *e)
{
	(void)ret;
	(void)e;
	note(p, "w");
	return PLAN_WAIT;
}

/* Goes on at the event, before the answer to its own command. */
static const struct plan_step by_event[] = {
	{ "handshake", NULL, NULL, NULL, NULL },
	{ "stop", begin_stop, wait_only, event_stop, NULL },
	{ "status", begin_status, reply_status, NULL, NULL },
};

static const struct plan_step tolerant[] = {
	{ "handshake", NULL, NULL, NULL, NULL },
	{ "stop", begin_stop, NULL, NULL, refused_ok },
	{ "local", begin_local, NULL, NULL, NULL },
};

static void begin(struct vm *vm, const struct plan_step *steps, unsigned int nsteps,
		  const struct peer_op *ops, unsigned int nops)
{
	memset(vm, 0, sizeof(*vm));
	vm->post = -1;
	qmp_peer_start(&vm->peer, ops, nops);
	qmp_init(&vm->qmp, steal_fd(&vm->peer.fd));
	vm->plan.vm_name = "db1";
	vm->plan.qmp = &vm->qmp;
	vm->plan.pidfd = vm->peer.pidfd;
	vm->plan.timeout_ms = TIMEOUT;
	vm->plan.steps = steps;
	vm->plan.nsteps = nsteps;
	vm->plan.ctx = vm;
}
#define BEGIN(vm, steps, ...)                                              \
	do {                                                               \
		const struct peer_op ops_[] = { __VA_ARGS__ };             \
		begin(vm, steps, ARRAY_LEN(steps), ops_, ARRAY_LEN(ops_)); \
	} while (0)

static void end(struct vm *vm, int status)
{
	qmp_close(&vm->qmp);
	assert_int_equal(qmp_peer_end(&vm->peer), status);
}

static unsigned int run(struct vm *vm)
{
	struct plan *const plans[] = { &vm->plan };

	return plan_run(plans, 1);
}

static void assert_failed(const struct vm *vm, enum err_kind kind, const char *text)
{
	if (!vm->plan.failed || !vm->plan.finished || vm->plan.err.kind != kind ||
	    !strstr(vm->plan.err.msg, text))
		fail_msg("failed=%d %s \"%s\", not %s \"...%s...\"", vm->plan.failed,
			 err_kind_name(vm->plan.err.kind), vm->plan.err.msg, err_kind_name(kind),
			 text);
}

static void assert_done(const struct vm *vm)
{
	if (vm->plan.failed || !vm->plan.finished)
		fail_msg("not done: %s", vm->plan.err.msg);
	assert_int_equal(vm->plan.at, vm->plan.nsteps);
	assert_int_equal(vm->plan.err.kind, ERR_NONE);
}

static void test_simple(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, simple, HANDSHAKE, HEAR("\"stop\""), ANSWER("{}"), HEAR("\"query-status\""),
	      ANSWER("{\"status\": \"paused\"}"));
	assert_int_equal(run(&vm), 0);
	assert_done(&vm);
	assert_string_equal(vm.log, "sqrl");
	assert_int_equal(vm.plan.version, 70222);
	end(&vm, 0);
}

static void test_events_in_handshake(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, simple, SAY(GREETING), HEAR("qmp_capabilities"), EVENT("RESUME"), EVENT("STOP"),
	      ANSWER("{}"), HEAR("stop"), ANSWER("{}"), HEAR("query-status"),
	      ANSWER("{\"status\": \"paused\"}"));
	assert_int_equal(run(&vm), 0);
	assert_done(&vm);
	end(&vm, 0);
}

/* The answer to "stop" comes when the next step is waiting for its own. */
static void test_late_reply(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, by_event, HANDSHAKE, HEAR("stop"), EVENT("OTHER"), EVENT("STOP"),
	      ANSWER("{\"status\": \"late\"}"), HEAR("query-status"),
	      ANSWER("{\"status\": \"paused\"}"));
	assert_int_equal(run(&vm), 0);
	assert_done(&vm);
	assert_string_equal(vm.log, "seeqr");
	end(&vm, 0);
}

static void test_late_error(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, by_event, HANDSHAKE, HEAR("stop"), EVENT("STOP"), REFUSE("too late"), HANG);
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_REFUSED,
		      "step status: QEMU refused a command of an earlier step: too late");
	end(&vm, 0);
}

static void test_refused(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), REFUSE("no such thing"));
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_REFUSED, "step stop: QEMU refused: no such thing");
	assert_int_equal(vm.plan.at, 1);
	end(&vm, 0);

	BEGIN(&vm, tolerant, HANDSHAKE, HEAR("stop"), REFUSE("no such thing"));
	assert_int_equal(run(&vm), 0);
	assert_done(&vm);
	assert_string_equal(vm.log, "snl");
	end(&vm, 0);
}

static void test_callback_fails(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), ANSWER("{}"), HEAR("query-status"),
	      ANSWER("{\"status\": \"running\"}"));
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_PROTOCOL, "step status: status is running");
	end(&vm, 0);
}

static void test_garbage(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), SAY("oops"));
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_PROTOCOL, "step stop: QEMU sent a line");
	end(&vm, 0);
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), SAY(GREETING));
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_PROTOCOL, "step stop: QEMU sent an unexpected");
	end(&vm, 0);
	BEGIN(&vm, simple, SAY("{\"QMP\": {}}"), HANG);
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_PROTOCOL, "step handshake: no version");
	end(&vm, 0);
}

static void test_exit(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), EXIT(3));
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_EXITED, "step stop: QEMU exited with status 3");
	end(&vm, 3);
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), DIE(SIGKILL));
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_EXITED, "QEMU was killed by signal 9");
	end(&vm, 128 + SIGKILL);
}

/* The peer answers and is dead before we read: its last words count. */
static void test_last_words(void **state)
{
	struct vm vm;
	siginfo_t si;

	(void)state;
	BEGIN(&vm, by_event, SAY(GREETING), SAY("{\"return\": {}, \"id\": 1}"), EVENT("STOP"),
	      SAY("{\"return\": {}, \"id\": 2}"),
	      SAY("{\"return\": {\"status\": \"paused\"}, \"id\": 3}"));
	assert_int_equal(waitid(P_PIDFD, (id_t)vm.peer.pidfd, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(run(&vm), 0);
	assert_done(&vm);
	end(&vm, 0);

	BEGIN(&vm, by_event, HANDSHAKE, HEAR("stop"), EVENT("STOP"), EXIT(7));
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_EXITED, "step status: QEMU exited with status 7");
	assert_string_equal(vm.log, "seq");
	end(&vm, 7);
}

static void test_eof(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), SAY_RAW("{\"return\""), EXIT(0));
	vm.plan.pidfd = -1;
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_EXITED,
		      "step stop: QEMU closed its monitor in the middle of a line of 9 bytes");
	end(&vm, 0);
	BEGIN(&vm, simple, HANDSHAKE, EXIT(0));
	vm.plan.pidfd = -1;
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_EXITED, "QEMU closed its monitor");
	end(&vm, 0);
}

/* The monitor is closed, but the process stays. */
static void test_eof_alive(void **state)
{
	int64_t before = io_now_ms();
	struct vm vm;
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), SHUT, { PEER_WAIT, NULL, gate[0] });
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_EXITED, "step stop: QEMU closed its monitor");
	assert_true(io_now_ms() - before < TIMEOUT);
	assert_int_equal(write(gate[1], "", 1), 1);
	end(&vm, 0);
	close(gate[0]);
	close(gate[1]);
}

static void test_deadline(void **state)
{
	struct vm vm;

	(void)state;
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), HANG);
	vm.plan.timeout_ms = 700;
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_TIMEOUT, "step stop: not done within 700 ms");
	end(&vm, 0);
	BEGIN(&vm, simple, HANG);
	vm.plan.timeout_ms = 60;
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_TIMEOUT, "step handshake: QEMU sent no greeting");
	end(&vm, 0);
}

/* Events without end do not outlast the deadline either. */
static void test_deadline_under_events(void **state)
{
	struct peer_op ops[1003] = { SAY(GREETING), HEAR("qmp_capabilities"), ANSWER("{}") };
	struct vm vm;
	int i;

	(void)state;
	for (i = 3; i < 1002; i++)
		ops[i] = (struct peer_op)EVENT("NOISE");
	ops[1002] = (struct peer_op)HANG;
	begin(&vm, simple, ARRAY_LEN(simple), ops, ARRAY_LEN(ops));
	vm.plan.timeout_ms = 200;
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_TIMEOUT, "step stop");
	end(&vm, 0);
}

/* Every combination of a broken VM beside good ones. The slow one answers only
 * when the fast one is through: were one held up by the other, both would run
 * into the deadline. */
static void test_beside_each_other(void **state)
{
	struct vm slow, fast, dead, hung, rude;
	struct plan *const plans[] = { &slow.plan, &fast.plan, &dead.plan, &hung.plan, &rude.plan };
	int gate[2];

	(void)state;
	assert_int_equal(pipe(gate), 0);
	BEGIN(&slow, simple, { PEER_WAIT, NULL, gate[0] }, HANDSHAKE, HEAR("stop"), ANSWER("{}"),
	      HEAR("query-status"), ANSWER("{\"status\": \"paused\"}"));
	BEGIN(&fast, simple, HANDSHAKE, HEAR("stop"), ANSWER("{}"), HEAR("query-status"),
	      ANSWER("{\"status\": \"paused\"}"));
	fast.post = gate[1];
	BEGIN(&dead, simple, HANDSHAKE, EXIT(1));
	BEGIN(&hung, simple, HANDSHAKE, HANG);
	hung.plan.timeout_ms = 300;
	BEGIN(&rude, simple, FLOOD(QMP_LINE_MAX + 65536), HANG);
	assert_int_equal(plan_run(plans, 5), 3);
	assert_done(&slow);
	assert_done(&fast);
	assert_failed(&dead, ERR_EXITED, "step stop");
	assert_failed(&hung, ERR_TIMEOUT, "step stop");
	assert_failed(&rude, ERR_PROTOCOL, "step handshake: QEMU sent a line");
	end(&slow, 0);
	end(&fast, 0);
	end(&dead, 1);
	end(&hung, 0);
	end(&rude, 0);
	close(gate[0]);
	close(gate[1]);
}

static enum plan_verdict no_resume(struct plan *p, const char *name, yyjson_val *data, struct err *e)
{
	struct vm *vm = p->ctx;

	(void)data;
	if (strcmp(name, "RESUME") != 0)
		return PLAN_WAIT;
	vm->resumes++;
	return err_set(e, ERR_REFUSED, "somebody else resumed this VM");
}

static const struct plan_step check_again[] = {
	{ "status", begin_status, reply_status, event_stop, NULL },
};

/* RESUME by somebody else, between two plans on one connection. */
static void test_seen(void **state)
{
	struct vm vm;
	int gate[2];
	char c;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	BEGIN(&vm, simple, HANDSHAKE, HEAR("stop"), ANSWER("{}"), HEAR("query-status"),
	      ANSWER("{\"status\": \"paused\"}"), EVENT("STOP"), HEAR("query-status"),
	      ANSWER("{\"status\": \"paused\"}"), EVENT("RESUME"), { PEER_POST, NULL, gate[1] },
	      HEAR("query-status"), ANSWER("{\"status\": \"paused\"}"), HANG);
	vm.plan.seen = no_resume;
	assert_int_equal(run(&vm), 0);
	vm.plan.steps = check_again;
	vm.plan.nsteps = ARRAY_LEN(check_again);
	vm.log[0] = '\0';
	assert_int_equal(run(&vm), 0);
	assert_done(&vm);
	assert_int_equal(read(gate[0], &c, 1), 1);
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_REFUSED, "step status: somebody else resumed");
	assert_int_equal(vm.resumes, 1);
	/* what is noticed once does not stick */
	assert_int_equal(run(&vm), 0);
	assert_done(&vm);
	end(&vm, 0);
	close(gate[0]);
	close(gate[1]);
}

static const struct plan_step stop_by_event[] = {
	{ "stop", begin_stop, wait_only, event_stop, NULL },
};

/* An event from before must not pass for the one that a step asks for. */
static void test_stale_event(void **state)
{
	struct vm vm;
	int gate[2], go[2];
	char c;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	assert_int_equal(pipe(go), 0);
	BEGIN(&vm, tolerant, HANDSHAKE, HEAR("stop"), ANSWER("{}"), { PEER_WAIT, NULL, go[0] },
	      EVENT("STOP"), { PEER_POST, NULL, gate[1] }, HEAR("stop"), ANSWER("{}"), HANG);
	assert_int_equal(run(&vm), 0);
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(read(gate[0], &c, 1), 1);
	close(go[0]);
	close(go[1]);
	vm.log[0] = '\0';
	vm.plan.steps = stop_by_event;
	vm.plan.nsteps = 1;
	vm.plan.timeout_ms = 200;
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_TIMEOUT, "step stop");
	assert_string_equal(vm.log, "sw");
	end(&vm, 0);
	close(gate[0]);
	close(gate[1]);
}

/* Each at its own time, whatever the order. */
static void test_deadlines(void **state)
{
	struct vm late, soon;
	struct plan *const plans[] = { &late.plan, &soon.plan };

	(void)state;
	BEGIN(&late, simple, HANDSHAKE, HANG);
	BEGIN(&soon, simple, HANDSHAKE, HANG);
	late.plan.timeout_ms = 1500;
	soon.plan.timeout_ms = 100;
	assert_int_equal(plan_run(plans, 2), 2);
	assert_in_range(soon.plan.took_ms, 100, 1000);
	assert_in_range(late.plan.took_ms, 1500, TIMEOUT);
	end(&late, 0);
	end(&soon, 0);
}

/* More than one turn reads, and QEMU is dead before we look. */
static void test_long_last_words(void **state)
{
	static char words[350000];
	struct vm vm;
	siginfo_t si;
	int n;

	(void)state;
	n = snprintf(words, sizeof(words), "{\"event\": \"NOISE\", \"data\": {\"p\": \"");
	memset(words + n, 'p', sizeof(words) - (size_t)n - 1);
	memcpy(words + sizeof(words) - 6, "\"}}\r\n", 6);
	BEGIN(&vm, by_event, SAY(GREETING), SAY("{\"return\": {}, \"id\": 1}"),
	      { PEER_SAY, words, 0 }, EVENT("STOP"), EXIT(7));
	assert_int_equal(waitid(P_PIDFD, (id_t)vm.peer.pidfd, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(run(&vm), 1);
	assert_failed(&vm, ERR_EXITED, "step status: QEMU exited with status 7");
	assert_string_equal(vm.log, "seeq");
	end(&vm, 7);
}

static void test_none(void **state)
{
	(void)state;
	assert_int_equal(plan_run(NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_events_in_handshake),
		cmocka_unit_test(test_late_reply),
		cmocka_unit_test(test_late_error),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_callback_fails),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_eof),
		cmocka_unit_test(test_eof_alive),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_deadline_under_events),
		cmocka_unit_test(test_beside_each_other),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_stale_event),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_long_last_words),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
