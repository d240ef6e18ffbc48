/* SPDX-License-Identifier: GPL-2.0-only */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "qmp_peer.h"
#include "qmp.h"

#define TIMEOUT 5000

static struct qmp_peer peer;
static struct qmp q;
static struct err e;

static void begin(const struct peer_op *ops, unsigned int n)
{
	err_clear(&e);
	qmp_peer_start(&peer, ops, n);
	qmp_init(&q, steal_fd(&peer.fd));
}
#define BEGIN(...)                                             \
	do {                                                   \
		const struct peer_op ops_[] = { __VA_ARGS__ }; \
		begin(ops_, ARRAY_LEN(ops_));                  \
	} while (0)

/* The peer must have heard and said all of its script. */
static void end(void)
{
	qmp_close(&q);
	assert_int_equal(qmp_peer_end(&peer), 0);
}

static void assert_err(enum err_kind kind, const char *text)
{
	if (e.kind != kind || !strstr(e.msg, text))
		fail_msg("error is %s \"%s\", not %s \"...%s...\"", err_kind_name(e.kind), e.msg,
			 err_kind_name(kind), text);
}

static void handshake_ok(void)
{
	unsigned int version = 0;

	if (qmp_handshake(&q, TIMEOUT, &version, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(version, 70222);
}

static void test_handshake(void **state)
{
	(void)state;
	BEGIN(HANDSHAKE, HANG);
	handshake_ok();
	end();
}

static void test_handshake_events_inside(void **state)
{
	(void)state;
	BEGIN(SAY(GREETING), HEAR("qmp_capabilities"),
	      SAY("{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, "
		  "\"event\": \"RESUME\"}"),
	      SAY("{\"event\": \"NIC_RX_FILTER_CHANGED\", \"data\": {\"path\": "
		  "\"/x\"}}"),
	      ANSWER("{}"), HEAR("query-status"), ANSWER("{\"status\": \"running\"}"));
	handshake_ok();
	assert_int_equal(qmp_call(&q, "query-status", -1, TIMEOUT, NULL, &e, NULL), 0);
	end();
}

static void test_handshake_bad(void **state)
{
	static const struct {
		struct peer_op op;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{ SAY("{\"QMP\": {}}"), ERR_PROTOCOL, "no version" },
		{ SAY("{\"QMP\": 7}"), ERR_PROTOCOL, "malformed greeting" },
		{ SAY("{\"QMP\": {\"version\": {\"qemu\": {\"major\": 8, "
		      "\"minor\": 100, \"micro\": 0}}}}"),
		  ERR_PROTOCOL, "no version" },
		{ SAY("QEMU 7.2.0 monitor - type 'help' for more information"), ERR_PROTOCOL,
		  "not JSON" },
		{ SAY_RAW("{\"QMP\": {\"ver"), ERR_EXITED, "in the middle of a line of 13 bytes" },
		{ EXIT(0), ERR_EXITED, "closed its monitor" },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&cases[i].op, 1);
		assert_int_equal(qmp_handshake(&q, TIMEOUT, NULL, &e), -1);
		assert_err(cases[i].kind, cases[i].text);
		end();
	}
}

static void test_timeout(void **state)
{
	(void)state;
	BEGIN(HANDSHAKE, HEAR("stop"), HANG);
	handshake_ok();
	assert_int_equal(qmp_call(&q, "stop", -1, 50, NULL, &e, NULL), -1);
	assert_err(ERR_TIMEOUT, "QMP command stop: ");
	end();
}

/* What the peer says instead of the answer to command 2. */
static void test_bad_answers(void **state)
{
	static const struct {
		const char *say;
		enum err_kind kind;
		const char *text;
	} cases[] = {
		{ "}\n", ERR_PROTOCOL, "not JSON" },
		{ "\n", ERR_PROTOCOL, "not JSON" },
		{ "\xff\n", ERR_PROTOCOL, "not JSON" },
		{ "{\"return\": {}, \"id\": 2} {}\n", ERR_PROTOCOL, "not JSON" },
		{ "[]\n", ERR_PROTOCOL, "not an object" },
		{ "3\n", ERR_PROTOCOL, "not an object" },
		{ "{}\n", ERR_PROTOCOL, "neither" },
		{ "{\"id\": 2}\n", ERR_PROTOCOL, "neither" },
		{ "{\"return\": {}}\n", ERR_PROTOCOL, "not asked (id 0)" },
		{ "{\"return\": {}, \"id\": \"2\"}\n", ERR_PROTOCOL, "not asked" },
		{ "{\"return\": {}, \"id\": -2}\n", ERR_PROTOCOL, "not asked" },
		{ "{\"return\": {}, \"id\": 2.0}\n", ERR_PROTOCOL, "not asked" },
		{ "{\"return\": {}, \"id\": 3}\n", ERR_PROTOCOL, "not asked (id 3)" },
		{ "{\"return\": {}, \"id\": 1}\n", ERR_PROTOCOL, "not asked (id 1)" },
		{ "{\"return\": {}, \"return\": {}, \"id\": 2}\n", ERR_PROTOCOL, "\"return\" twice" },
		{ "{\"return\": {}, \"id\": 2, \"id\": 2}\n", ERR_PROTOCOL, "\"id\" twice" },
		{ "{\"return\": {}, \"error\": {\"desc\": \"x\"}, \"id\": 2}\n", ERR_PROTOCOL,
		  "neither" },
		{ "{\"return\": {}, \"event\": \"STOP\", \"id\": 2}\n", ERR_PROTOCOL, "neither" },
		{ "{\"error\": {\"class\": \"GenericError\"}, \"id\": 2}\n", ERR_PROTOCOL,
		  "without a description" },
		{ "{\"error\": \"x\", \"id\": 2}\n", ERR_PROTOCOL, "without a description" },
		{ "{\"error\": {\"desc\": \"a\", \"desc\": \"b\"}, \"id\": 2}\n", ERR_PROTOCOL,
		  "\"desc\" twice" },
		{ "{\"error\": {\"desc\": \"a\\u0000b\"}, \"id\": 2}\n", ERR_PROTOCOL,
		  "without a description" },
		{ "{\"error\": {\"desc\": \"JSON parse error\"}}\n", ERR_PROTOCOL,
		  "JSON parse error" },
		{ "{\"event\": 1}\n", ERR_PROTOCOL, "malformed event" },
		{ "{\"event\": \"A\", \"data\": []}\n", ERR_PROTOCOL, "malformed event" },
		{ "{\"QMP\": {}}\n", ERR_PROTOCOL, "second greeting" },
		{ "{\"return\": {}, \"id\": 2", ERR_EXITED, "in the middle of a line of 22 bytes" },
		{ "", ERR_EXITED, "closed its monitor" },
		{ "{\"error\": {\"desc\": \"No 'd'\"}, \"id\": 2}\n", ERR_REFUSED,
		  "QMP command query-migrate: No 'd'" },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		BEGIN(HANDSHAKE, HEAR("query-migrate"), { PEER_SAY, cases[i].say, 0 });
		handshake_ok();
		assert_int_equal(qmp_call(&q, "query-migrate", -1, TIMEOUT, NULL, &e, NULL), -1);
		assert_err(cases[i].kind, cases[i].text);
		end();
	}
}

/* Byte by byte, then several messages in one write. */
static void test_pieces(void **state)
{
	_cleanup_qmp_msg_ struct qmp_msg m = { 0 };
	const char *text = "{\"return\": {\"a\": 5}, \"id\": 1}\r\n"
			   "{\"event\": \"STOP\"}\r\n{\"event\": \"A_NAME_THAT_IS_LONG";
	int sv[2], i, seen = 0;

	(void)state;
	err_clear(&e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	qmp_init(&q, sv[0]);
	assert_int_equal(qmp_send_text(&q, "x", -1, &e, NULL), 1);
	for (i = 0; text[i]; i++) {
		assert_int_equal(write(sv[1], text + i, 1), 1);
		assert_int_equal(qmp_fill(&q, &e), 0);
		assert_int_equal(qmp_fill(&q, &e), 2);
		while (qmp_next(&q, &m, &e) == 1) {
			assert_int_equal(text[i], '\n');
			seen++;
			qmp_msg_free(&m);
		}
	}
	assert_int_equal(seen, 2);
	text = "ER\"}\n{\"event\": \"A\"}\n{\"event\": \"B\"}\n";
	assert_int_equal(write(sv[1], text, strlen(text)), strlen(text));
	assert_int_equal(qmp_fill(&q, &e), 0);
	assert_int_equal(qmp_next(&q, &m, &e), 1);
	assert_string_equal(m.name, "A_NAME_THAT_IS_LONGER");
	qmp_msg_free(&m);
	assert_int_equal(qmp_next(&q, &m, &e), 1);
	assert_string_equal(m.name, "A");
	qmp_msg_free(&m);
	assert_int_equal(qmp_next(&q, &m, &e), 1);
	assert_string_equal(m.name, "B");
	assert_null(m.body);
	qmp_msg_free(&m);
	assert_int_equal(qmp_next(&q, &m, &e), 0);
	close(sv[1]);
	assert_int_equal(qmp_fill(&q, &e), 1);
	assert_int_equal(qmp_eof(&q, &e), -1);
	assert_string_equal(e.msg, "QEMU closed its monitor");
	qmp_close(&q);
}

static void test_reply_value(void **state)
{
	_cleanup_qmp_msg_ struct qmp_msg m = { 0 };

	(void)state;
	BEGIN(HANDSHAKE,
	      HEAR("{\"execute\":\"qom-get\",\"arguments\":{\"path\":\"/a "
		   "\\\"b\",\"property\":\"size\"},\"id\":2}"),
	      ANSWER("67108864"));
	handshake_ok();
	assert_int_equal(qmp_call(&q, "qom-get", -1, TIMEOUT, &m, &e,
				  "{\"path\": \"/a \\\"b\", \"property\": \"%s\"}", "size"),
			 0);
	assert_int_equal(yyjson_get_uint(m.body), 67108864);
	end();
}

/* The answer to a command that nobody waited for. */
static void test_earlier_reply(void **state)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };

	(void)state;
	BEGIN(HANDSHAKE, HEAR("\"a\""), ANSWER("1"), HEAR("\"b\""), ANSWER("2"));
	handshake_ok();
	assert_int_equal(qmp_send_text(&q, "a", -1, &e, NULL), 2);
	assert_int_equal(qmp_call(&q, "b", -1, TIMEOUT, &m, &e, NULL), 0);
	assert_int_equal(yyjson_get_uint(m.body), 2);
	end();
}

static void test_args_checked(void **state)
{
	(void)state;
	BEGIN(HANDSHAKE, HANG);
	handshake_ok();
	assert_int_equal(qmp_send_text(&q, "x", -1, &e, "{\"a\": %s}", "\"b"), 0);
	assert_err(ERR_PROTOCOL, "not a JSON object: {\"a\": \"b}");
	assert_int_equal(qmp_send_text(&q, "x", -1, &e, "[]"), 0);
	assert_err(ERR_PROTOCOL, "not a JSON object");
	assert_false(qmp_wants_write(&q));
	end();
}

static void test_line_limit(void **state)
{
	(void)state;
	BEGIN(FLOOD(QMP_LINE_MAX + (1 << 20)), HANG);
	assert_int_equal(qmp_handshake(&q, TIMEOUT, NULL, &e), -1);
	assert_err(ERR_PROTOCOL, "more than 4194304 bytes");
	assert_true(q.in_cap <= 3 * QMP_LINE_MAX);
	end();
}

static void test_long_line_fits(void **state)
{
	_cleanup_free_ char *big = malloc(QMP_LINE_MAX + 1);
	_cleanup_qmp_msg_ struct qmp_msg m = { 0 };

	(void)state;
	memset(big, ' ', QMP_LINE_MAX);
	big[QMP_LINE_MAX] = '\0';
	memcpy(big, "{\"return\": 9, \"id\": 2", 21);
	big[QMP_LINE_MAX - 1] = '}';
	BEGIN(HANDSHAKE, HEAR("x"), { PEER_SAY, big, 0 }, SAY_RAW("\n"));
	handshake_ok();
	assert_int_equal(qmp_call(&q, "x", -1, TIMEOUT, &m, &e, NULL), 0);
	assert_int_equal(yyjson_get_uint(m.body), 9);
	end();
}

static int file_with(char c)
{
	return io_memfd("test", &c, 1, &e);
}

static void test_fd(void **state)
{
	_cleanup_close_ int fd = file_with('A');

	(void)state;
	BEGIN(HANDSHAKE, HEAR_FD("\"getfd\"", 'A'), ANSWER("{}"), HEAR("stop"), ANSWER("{}"));
	handshake_ok();
	assert_int_equal(qmp_call(&q, "getfd", fd, TIMEOUT, NULL, &e, "{\"fdname\": \"s\"}"), 0);
	assert_int_equal(qmp_call(&q, "stop", -1, TIMEOUT, NULL, &e, NULL), 0);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	end();
}

/* Commands that have to wait because the peer reads nothing: each keeps its
 * own duplicate, and each goes with its own descriptor. */
static void test_fd_queued(void **state)
{
	static char pad[60000];
	int gate[2], a, b;
	char name[16];
	int i;

	(void)state;
	memset(pad, 'p', sizeof(pad) - 1);
	assert_int_equal(pipe(gate), 0);
	struct peer_op ops[32] = { { PEER_WAIT, NULL, gate[0] } };
	unsigned int n = 1;

	for (i = 0; i < 8; i++)
		ops[n++] = (struct peer_op)HEAR("pppp");
	ops[n++] = (struct peer_op)HEAR_FD("\"a\"", 'A');
	ops[n++] = (struct peer_op)HEAR_FD("\"b\"", 'B');
	ops[n++] = (struct peer_op)HEAR("last");
	ops[n++] = (struct peer_op)ANSWER("{}");
	begin(ops, n);
	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "pad%d", i);
		assert_true(qmp_send_text(&q, name, -1, &e, "{\"p\": \"%s\"}", pad) > 0);
	}
	a = file_with('A');
	b = file_with('B');
	assert_true(qmp_send_text(&q, "a", a, &e, NULL) > 0);
	assert_true(qmp_send_text(&q, "b", b, &e, NULL) > 0);
	assert_true(qmp_wants_write(&q));
	close(a);
	close(b);
	assert_int_equal(write(gate[1], "", 1), 1);
	assert_int_equal(qmp_call(&q, "last", -1, TIMEOUT, NULL, &e, NULL), 0);
	assert_false(qmp_wants_write(&q));
	close(gate[0]);
	close(gate[1]);
	end();
}

static int open_fds(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* qmp_close() gives back the duplicates of what was never written. */
static void test_close_drops_queue(void **state)
{
	static char pad[60000];
	int sv[2], fd, before, i;

	(void)state;
	memset(pad, 'p', sizeof(pad) - 1);
	before = open_fds();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	fd = file_with('A');
	qmp_init(&q, sv[0]);
	for (i = 0; i < 20; i++)
		assert_true(qmp_send_text(&q, "x", fd, &e, "{\"p\": \"%s\"}", pad) > 0);
	assert_true(qmp_wants_write(&q));
	assert_true(open_fds() > before + 3);
	close(sv[1]);
	qmp_close(&q);
	close(fd);
	assert_int_equal(open_fds(), before);
	assert_int_equal(q.fd, -1);
}

/* A peer that is gone while we write: no SIGPIPE, and its last words count. */
static void test_write_to_the_dead(void **state)
{
	_cleanup_qmp_msg_ struct qmp_msg m = { 0 };
	const char *last = "{\"event\": \"SHUTDOWN\", \"data\": {}}\n";
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(write(sv[1], last, strlen(last)), strlen(last));
	close(sv[1]);
	qmp_init(&q, sv[0]);
	assert_true(qmp_send_text(&q, "stop", -1, &e, NULL) > 0);
	assert_false(qmp_wants_write(&q));
	assert_int_equal(qmp_fill(&q, &e), 0);
	assert_int_equal(qmp_next(&q, &m, &e), 1);
	assert_string_equal(m.name, "SHUTDOWN");
	assert_int_equal(qmp_fill(&q, &e), 1);
	qmp_close(&q);
}

static void test_connect(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/holdover-qmp-XXXXXX", path[200];
	int l, i, fd, full[64], n = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	assert_int_equal(qmp_connect(path, &e), -1);
	assert_err(ERR_ABSENT, path);
	l = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(sun.sun_path, path, strlen(path));
	assert_int_equal(bind(l, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(qmp_connect(path, &e), -1);
	assert_err(ERR_EXITED, "nobody listens");
	assert_int_equal(listen(l, 1), 0);
	fd = qmp_connect(path, &e);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	for (i = 0; i < 64 && (full[n] = qmp_connect(path, &e)) >= 0; i++)
		n++;
	assert_err(ERR_REFUSED, "too many clients");
	while (n)
		close(full[--n]);
	close(fd);
	close(l);
	unlink(path);
	rmdir(dir);
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(qmp_connect(path, &e), -1);
	assert_err(ERR_USAGE, "at most 107 bytes");
	assert_int_equal(qmp_connect("qmp.sock", &e), -1);
	assert_err(ERR_USAGE, "absolute");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_handshake_events_inside),
		cmocka_unit_test(test_handshake_bad),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_reply_value),
		cmocka_unit_test(test_earlier_reply),
		cmocka_unit_test(test_args_checked),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_long_line_fits),
		cmocka_unit_test(test_fd),
		cmocka_unit_test(test_fd_queued),
		cmocka_unit_test(test_close_drops_queue),
		cmocka_unit_test(test_write_to_the_dead),
		cmocka_unit_test(test_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
