/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest agents that answer, that say something else, that say nothing, and the
 * channel of a real QEMU behind which nobody listens. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest_agent.h"
#include "io.h"
#include "real_qemu.h"

#define NOW UINT64_C(1795559934123456789)

/**
 * struct agent - a guest agent on a socket of its own
 * @before: sent before anything else: what an earlier client has left
 * @sync: answer to guest-sync-delimited, %u is its id; NULL: none
 * @set: answer to guest-set-time; NULL: none
 * @busy_ms: how long it takes for that
 */
struct agent {
	const char *before, *sync, *set;
	int busy_ms;
	char path[64];
	pid_t pid;
};

static void serve(const struct agent *a, int listener)
{
	int fd = accept(listener, NULL, NULL);
	FILE *in = fdopen(dup(fd), "r");
	char line[512];
	unsigned int id;

	signal(SIGPIPE, SIG_IGN); /* who breaks off early */
	if (a->before)
		dprintf(fd, "%s", a->before);
	if (!fgets(line, sizeof(line), in) || (unsigned char)line[0] != 0xff ||
	    sscanf(strstr(line, "\"id\""), "\"id\": %u", &id) != 1)
		_exit(9);
	if (a->sync)
		dprintf(fd, a->sync, id); /* NOLINT: the tests' own formats */
	if (fgets(line, sizeof(line), in)) {
		if (!strstr(line, "guest-set-time") || !strstr(line, "1795559934123456789"))
			_exit(8);
		poll(NULL, 0, a->busy_ms);
		if (a->set)
			dprintf(fd, "%s", a->set);
	}
	/* until the other side closes */
	if (fgets(line, sizeof(line), in))
		_exit(7);
	_exit(0);
}

static void start(struct agent *a, unsigned int number)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a->path, sizeof(a->path), "/tmp/holdover-ga-%d-%u", (int)getpid(), number);
	unlink(a->path);
	memcpy(sa.sun_path, a->path, strlen(a->path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	fflush(NULL);
	a->pid = fork();
	if (a->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(a, fd);
	}
	close(fd);
}

static void stop(struct agent *a)
{
	int status;

	assert_int_equal(waitpid(a->pid, &status, 0), a->pid);
	unlink(a->path);
	if (status)
		fail_msg("the agent ended with %x", (unsigned int)status);
}

static uint64_t time_now(void *ctx)
{
	return *(const uint64_t *)ctx;
}

static struct guest_agent talk(struct agent *a, uint64_t now, int timeout_ms)
{
	struct guest_agent ga = { .time_ns = time_now, .ctx = &now };

	start(a, 0);
	ga.path = a->path;
	guest_agent_run(&ga, 1, timeout_ms);
	stop(a);
	ga.path = NULL;
	ga.ctx = NULL;
	return ga;
}

#define SYNC "\xff{\"return\": %u}\n"
#define SET "{\"return\": {}}\n"

static void test_sets(void **state)
{
	struct agent a = { .sync = SYNC, .set = SET };

	(void)state;
	assert_true(talk(&a, NOW, 5000).done);
}

/* The one that listens may take its time: it sets the RTC as well. */
static void test_takes_its_time(void **state)
{
	struct agent a = { .sync = SYNC, .set = SET, .busy_ms = 900 };

	(void)state;
	assert_true(talk(&a, NOW, 300).done);
}

/* Half an answer to somebody else, and a whole one with another number. */
static void test_leftovers(void **state)
{
	struct agent a = { .before = "{\"return\": {}}\n{\"return\": 17}\n{\"ret",
			   .sync = SYNC,
			   .set = "\n" SET };

	(void)state;
	assert_true(talk(&a, NOW, 5000).done);
}

static void fails(struct agent a, uint64_t now, enum err_kind kind, const char *text)
{
	struct guest_agent ga = talk(&a, now, 300);

	assert_false(ga.done);
	if (ga.err.kind != kind || !strstr(ga.err.msg, text))
		fail_msg("%s: %s", err_kind_name(ga.err.kind), ga.err.msg);
}

static void test_failures(void **state)
{
	(void)state;
	fails((struct agent){ .sync = SYNC, .set = "{\"error\": {\"desc\": \"not me\"}}\n" }, NOW,
	      ERR_REFUSED, "not me");
	fails((struct agent){ .sync = SYNC, .set = "{\"return\": 5}\n" }, NOW, ERR_REFUSED,
	      "something else");
	fails((struct agent){ .sync = SYNC, .set = "\x01\x02\n" }, NOW, ERR_REFUSED,
	      "something else");
	fails((struct agent){ .sync = "\xff{\"return\": 1%u}\n" }, NOW, ERR_REFUSED,
	      "something else");
	fails((struct agent){ .sync = "{\"return\": %u}\n" }, NOW, ERR_TIMEOUT,
	      "no guest agent answers");
	fails((struct agent){ .sync = SYNC }, NOW, ERR_TIMEOUT,
	      "does not say that it has set the clock");
	fails((struct agent){ .sync = NULL }, NOW, ERR_TIMEOUT, "no guest agent answers");
	fails((struct agent){ .sync = SYNC, .set = SET }, 0, ERR_REFUSED, "does not know the time");
}

static void test_endless_line(void **state)
{
	static char line[8192] = "\xff";

	(void)state;
	memset(line + 1, 'x', sizeof(line) - 2);
	fails((struct agent){ .before = line, .sync = "" }, NOW, ERR_PROTOCOL,
	      "does not end its line");
}

/* One that is silent, one that is absent: the third is served, in time. */
static void test_several(void **state)
{
	struct agent a[2] = { { .sync = NULL }, { .sync = SYNC, .set = SET } };
	uint64_t now = NOW;
	struct guest_agent ga[3] = { { .time_ns = time_now, .ctx = &now },
				     { .time_ns = time_now, .ctx = &now },
				     { .time_ns = time_now, .ctx = &now, .path = "/tmp/no-such-ga" } };
	int64_t begin = io_now_ms();

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		start(&a[i], i);
		ga[i].path = a[i].path;
	}
	guest_agent_run(ga, 3, 500);
	assert_in_range(io_now_ms() - begin, 400, 10000);
	assert_int_equal(ga[0].err.kind, ERR_TIMEOUT);
	assert_true(ga[1].done);
	assert_int_equal(ga[2].err.kind, ERR_ABSENT);
	stop(&a[0]);
	stop(&a[1]);
}

static bool path_of(char **args, char *out, size_t size)
{
	struct vm vm = { .args = args };

	while (args[vm.nargs])
		vm.nargs++;
	return guest_agent_path(&vm, out, size);
}

static void test_path(void **state)
{
	char *good[] = { (char *)"-chardev",
			 (char *)"socket,id=other,path=/run/other",
			 (char *)"-chardev",
			 (char *)"socket,path=/run/a,,b,server=on,wait=off,id=qga0",
			 (char *)"-device",
			 (char *)"virtserialport,chardev=other,name=org.example.0",
			 (char *)"-device",
			 (char *)"virtserialport,name=org.qemu.guest_agent.0,chardev=qga0",
			 NULL };
	char *without[] = { (char *)"-chardev", (char *)"socket,id=qga0,path=/run/a", NULL };
	char *pipe[] = { (char *)"-chardev", (char *)"pipe,id=qga0,path=/run/a", (char *)"-device",
			 (char *)"virtserialport,name=org.qemu.guest_agent.0,chardev=qga0", NULL };
	char *relative[] = { (char *)"-chardev", (char *)"socket,id=qga0,path=a", (char *)"-device",
			     (char *)"virtserialport,name=org.qemu.guest_agent.0,chardev=qga0",
			     NULL };
	char *last[] = { (char *)"-device", NULL };
	char path[64], little[4];

	(void)state;
	assert_true(path_of(good, path, sizeof(path)));
	assert_string_equal(path, "/run/a,b");
	assert_false(path_of(good, little, sizeof(little)));
	assert_false(path_of(without, path, sizeof(path)));
	assert_false(path_of(pipe, path, sizeof(path)));
	assert_false(path_of(relative, path, sizeof(path)));
	assert_false(path_of(last, path, sizeof(path)));
}

/* A guest without an agent: QEMU takes the connection, nobody answers. */
static void test_real_channel(void **state)
{
	char chardev[160], path[80];
	const char *extra[] = {
		"-device",  "virtio-serial-pci",
		"-chardev", chardev,
		"-device",  "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0",
		NULL
	};
	uint64_t now = NOW;
	struct guest_agent ga = { .time_ns = time_now, .ctx = &now, .path = path };
	struct real_vm vm;
	struct real_qemu qemu;
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct err e = { 0 };

	(void)state;
	real_vm_make(&vm);
	snprintf(path, sizeof(path), "%s/qga", vm.dir);
	snprintf(chardev, sizeof(chardev), "socket,id=qga0,path=%s,server=on,wait=off", path);
	real_qemu_start(&qemu, &vm, false, extra);
	qmp_init(&q, steal_fd(&qemu.ctl));
	assert_int_equal(qmp_handshake(&q, 30000, NULL, &e), 0);
	guest_agent_run(&ga, 1, 300);
	assert_false(ga.done);
	assert_int_equal(ga.err.kind, ERR_TIMEOUT);
	real_qemu_end(&qemu);
	unlink(path);
	real_vm_remove(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_its_time), cmocka_unit_test(test_sets),
		cmocka_unit_test(test_leftovers),      cmocka_unit_test(test_failures),
		cmocka_unit_test(test_endless_line),   cmocka_unit_test(test_several),
		cmocka_unit_test(test_path),	       cmocka_unit_test(test_real_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
