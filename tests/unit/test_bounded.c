/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=syncfs */
/* Calls that never come back, and which file systems are to blame. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bounded.h"
#include "flush.h"
#include "io.h"
#include "scratch.h"

/* The mount whose server has died. */
static const char *dead;

int __wrap_syncfs(int fd);

/* For ever, which ends with the test. */
static void hang(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

int __wrap_syncfs(int fd)
{
	char link[64], path[256];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	if (dead && !strcmp(path, dead))
		hang();
	return 0;
}

static int doubles(void *data, struct err *e)
{
	int *n = data;

	(void)e;
	*n *= 2;
	return 0;
}

static int fails(void *data, struct err *e)
{
	*(int *)data = 7;
	return err_set(e, ERR_MISMATCH, "another disk");
}

static int hangs(void *data, struct err *e)
{
	(void)data;
	(void)e;
	hang();
	return 0;
}

static int dies(void *data, struct err *e)
{
	(void)data;
	(void)e;
	raise(SIGKILL);
	return 0;
}

static void comes_back(void **state)
{
	struct err e = { 0 };
	int n = 21;

	(void)state;
	assert_int_equal(bounded(doubles, &n, sizeof(n), 10000, &e), 0);
	assert_int_equal(n, 42);
	assert_int_equal(bounded(fails, &n, sizeof(n), 10000, &e), -1);
	assert_int_equal(e.kind, ERR_MISMATCH);
	assert_string_equal(e.msg, "another disk");
	assert_int_equal(n, 42);
}

static void is_left_alone(void **state)
{
	int64_t start = io_now_ms();
	struct err e = { 0 };
	int n = 1, lock, again;
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s", scratch_path("lock"));
	lock = io_lock(path, &e);
	assert_true(lock >= 0);
	assert_int_equal(bounded(hangs, &n, sizeof(n), 100, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_true(io_now_ms() - start < 5000);
	close(lock);
	again = io_lock(path, &e);
	if (again < 0)
		fail_msg("%s", e.msg);
	close(again);
}

static void killed(void **state)
{
	struct err e = { 0 };
	int n = 1;

	(void)state;
	assert_int_equal(bounded(dies, &n, sizeof(n), 10000, &e), -1);
	assert_int_equal(e.kind, ERR_EXITED);
}

static void late_ones_are_named(void **state)
{
	int64_t start = io_now_ms();
	char where[256] = "something";

	(void)state;
	dead = NULL;
	flush_late(where, sizeof(where));
	assert_string_equal(where, "");
	dead = "/run/dead";
	flush_late(where, sizeof(where));
	assert_string_equal(where, "/run/dead");
	assert_true(io_now_ms() - start < 10000);
}

/* A file system whose mount is like no other. */
static int own_run(void **state)
{
	return scratch_setup(state) || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("run", "/run", "tmpfs", 0, "mode=755") < 0 || mkdir("/run/dead", 0755) < 0 ||
		mount("dead", "/run/dead", "tmpfs", 0, "") < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(is_left_alone),
		cmocka_unit_test(killed),
		cmocka_unit_test(late_ones_are_named),
	};

	return cmocka_run_group_tests(tests, own_run, scratch_teardown);
}
