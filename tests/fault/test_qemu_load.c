/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QEMU that is really started, saved and loaded, except that it is fake_qemu
 * and does at each command whatever a QEMU could do wrong there.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "load.h"
#include "qemu.h"
#include "save.h"

#define TIMEOUT 5000

struct fixture {
	struct vm vm;
	char *args[8];
	char program[512];
	struct qemu_proc proc;
	struct qmp q;
	struct plan p;
	struct save s;
	struct load l;
	struct err e;
	unsigned int committed;
};

static struct fixture f;

static void start(bool incoming, const char *version, const char *fault)
{
	struct qemu_launch launch = { .vm = &f.vm, .ram[0].path = "/dev/zero", .incoming = incoming };

	f.vm.nargs = 0;
	f.args[f.vm.nargs++] = (char *)"-fake-version";
	f.args[f.vm.nargs++] = (char *)version;
	if (fault) {
		f.args[f.vm.nargs++] = (char *)"-fake";
		f.args[f.vm.nargs++] = (char *)fault;
	}
	f.args[f.vm.nargs] = NULL;
	if (qemu_start(&launch, &f.proc, &f.e) < 0)
		fail_msg("%s", f.e.msg);
	qmp_init(&f.q, steal_fd(&f.proc.ctl));
}

static void stop(void)
{
	qmp_close(&f.q);
	qemu_proc_kill(&f.proc);
}

static int on_commit(struct load *l, struct err *e)
{
	(void)l;
	(void)e;
	f.committed++;
	return 0;
}

static bool run(void)
{
	struct plan *plans[] = { &f.p };

	return plan_run(plans, 1) == 0;
}

static void save_one(const char *version)
{
	start(false, version, NULL);
	assert_int_equal(qmp_handshake(&f.q, TIMEOUT, NULL, &f.e), 0);
	assert_int_equal(qmp_call(&f.q, "cont", -1, TIMEOUT, NULL, &f.e, NULL), 0);
	save_plan(&f.p, &f.s, &f.q, f.proc.pidfd, TIMEOUT);
	f.p.steps++; /* greeted already */
	f.p.nsteps--;
	f.p.version = (unsigned int)strtoul(version, NULL, 10) * 10000;
	if (!run())
		fail_msg("%s", f.p.err.msg);
	stop();
}

static bool load_one(const char *version, const char *fault)
{
	bool ok;

	start(true, version, fault);
	f.committed = 0;
	f.l = (struct load){ .vm_name = "db1",
			     .state_fd = f.s.state_fd,
			     .cpr_reboot = f.s.cpr_reboot,
			     .run = true,
			     .commit = on_commit };
	load_plan(&f.p, &f.l, &f.q, f.proc.pidfd, TIMEOUT);
	if (fault && strncmp(fault, "hang", 4) == 0)
		f.p.timeout_ms = 150;
	ok = run();
	if (f.p.err.kind == ERR_EXITED)
		qemu_last_words("db1", &f.p.err);
	load_finish(&f.l);
	stop();
	return ok;
}

static void test_through(void **state)
{
	static const char *const versions[] = { "7.2.22", "10.0.13" };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(versions); i++) {
		save_one(versions[i]);
		assert_int_equal(f.s.state_len, strlen("fake state"));
		assert_int_equal(f.s.cpr_reboot, i == 1);
		if (!load_one(versions[i], NULL))
			fail_msg("%s: %s", versions[i], f.p.err.msg);
		assert_int_equal(f.committed, 1);
		assert_true(f.l.resumed);
		save_finish(&f.s);
	}
}

/* Whatever goes wrong at whichever command, nothing is committed before all of
 * the state is in, and the error names step and reason. */
static void test_every_fault(void **state)
{
	static const char *const commands[] = {
		"qmp_capabilities",
		"query-status",
		"migrate-set-capabilities",
		"add-fd",
		"migrate-incoming",
		"query-migrate",
		"cont",
		"announce-self",
	};
	static const struct {
		const char *fault;
		enum err_kind kind;
		const char *text;
	} faults[] = {
		{ "die", ERR_EXITED, "QEMU exited with status 1; QEMU said: fake QEMU: asked to die" },
		{ "hang", ERR_TIMEOUT, "not done within 150 ms" },
		{ "refuse", ERR_REFUSED, "QEMU refused: as was asked for" },
		{ "garbage", ERR_PROTOCOL, "a line of 8 bytes that is not JSON" },
	};
	unsigned int i, k, cont_at = 6;
	char fault[64];

	(void)state;
	save_one("10.0.13");
	for (i = 0; i < ARRAY_LEN(commands); i++) {
		for (k = 0; k < ARRAY_LEN(faults); k++) {
			snprintf(fault, sizeof(fault), "%s@%s", faults[k].fault, commands[i]);
			/* nothing depends on announcing */
			if (load_one("10.0.13", fault) != (strcmp(fault, "refuse@announce-self") == 0))
				fail_msg("%s: %s", fault, f.p.err.msg);
			if (!f.p.failed)
				continue;
			if (f.p.err.kind != faults[k].kind ||
			    !strstr(f.p.err.msg, faults[k].text) || strncmp(f.p.err.msg, "step ", 5))
				fail_msg("%s: %s \"%s\"", fault, err_kind_name(f.p.err.kind),
					 f.p.err.msg);
			assert_int_equal(f.committed, i >= cont_at);
			assert_int_equal(f.l.resumed, i > cont_at);
			/* a refused command leaves QEMU alive to say so */
			assert_int_equal(f.l.never_ran, strcmp(fault, "refuse@cont") == 0);
		}
	}
	save_finish(&f.s);
}

static void test_bad_state(void **state)
{
	(void)state;
	f.s.state_fd = io_memfd("bad", "other", 5, &f.e);
	assert_false(load_one("10.0.13", NULL));
	assert_int_equal(f.p.err.kind, ERR_EXITED);
	assert_non_null(strstr(f.p.err.msg,
			       "step migrate-incoming: QEMU exited with status 1; "
			       "QEMU said: fake QEMU: load of migration failed"));
	assert_int_equal(f.committed, 0);
	close(f.s.state_fd);
	f.s.state_fd = -1;
}

static void test_dead_from_the_start(void **state)
{
	(void)state;
	f.s.state_fd = io_memfd("bad", "other", 5, &f.e);
	assert_false(load_one("10.0.13", "die@start"));
	assert_int_equal(f.p.err.kind, ERR_EXITED);
	assert_non_null(strstr(f.p.err.msg,
			       "step handshake: QEMU exited with status 1; QEMU "
			       "said: fake QEMU: asked to die at start"));
	close(f.s.state_fd);
	f.s.state_fd = -1;
}

/* RUN_DIR is fixed: a /run of our own keeps the host's out of it. */
static int setup(void **state)
{
	const char *helpers = getenv("TEST_HELPERS");

	(void)state;
	snprintf(f.program, sizeof(f.program), "%s/fake_qemu", helpers ? helpers : ".");
	if (*f.program != '/') {
		_cleanup_free_ char *abs = realpath(f.program, NULL);

		if (!abs)
			return -1;
		snprintf(f.program, sizeof(f.program), "%s", abs);
	}
	snprintf(f.vm.name, sizeof(f.vm.name), "db1");
	f.vm.qemu = f.program;
	f.vm.machine = (char *)"q35";
	f.vm.memdev = (char *)"ram";
	f.vm.memory = 64 << 20;
	f.vm.args = f.args;
	f.proc = (struct qemu_proc)QEMU_PROC_INIT;
	f.s.vm_name = "db1";
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0) {
		fprintf(stderr, "a mount namespace needs root: %s\n", strerror(errno));
		return -1;
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_through),
		cmocka_unit_test(test_every_fault),
		cmocka_unit_test(test_bad_state),
		cmocka_unit_test(test_dead_from_the_start),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
