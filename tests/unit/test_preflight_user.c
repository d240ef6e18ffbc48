/* SPDX-License-Identifier: GPL-2.0-only */
/* Images of a QEMU that gave up root: what its user may open, asked of the kernel. */
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "preflight.h"
#include "scratch.h"

#define NOBODY 65534
#define GROUP 4242

/* A process of the user nobody, or of our own user if we are not root. */
static pid_t start_user(gid_t group)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (geteuid() == 0 &&
		    (setgroups(1, &group) || setresgid(NOBODY, NOBODY, NOBODY) ||
		     setresuid(NOBODY, NOBODY, NOBODY)))
			_exit(1);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static struct disk image(mode_t mode, bool writable)
{
	struct disk d = { .writable = writable };

	unlink(scratch_path("disk.img"));
	d.path = (char *)scratch_write("disk.img", "x");
	assert_int_equal(chmod(scratch_path("."), 0755), 0);
	assert_int_equal(chmod(d.path, mode), 0);
	return d;
}

static void may_not_open(void **state)
{
	pid_t pid = start_user(GROUP);
	struct disk d = image(geteuid() ? 0400 : 0604, true);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(preflight_reopen(pid, &d, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.msg, "disk.img"));
	assert_non_null(strstr(e.msg, "Permission denied"));
	end(pid);
}

static void may_open(void **state)
{
	pid_t pid = start_user(GROUP);
	struct disk d = image(geteuid() ? 0400 : 0604, false);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(preflight_reopen(pid, &d, &e), 0);
	d = image(0666, true);
	assert_int_equal(preflight_reopen(pid, &d, &e), 0);
	end(pid);
}

/* By one of its other groups; who is not root cannot make such a process. */
static void by_group(void **state)
{
	pid_t pid = start_user(GROUP);
	struct disk d = image(0660, true);
	struct err e = { 0 };

	(void)state;
	if (geteuid() == 0) {
		assert_int_equal(preflight_reopen(pid, &d, &e), -1);
		assert_int_equal(chown(d.path, 0, GROUP), 0);
	}
	assert_int_equal(preflight_reopen(pid, &d, &e), 0);
	end(pid);
}

static void gone(void **state)
{
	struct disk d = image(0600, true);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(preflight_reopen(0x7ffffffe, &d, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(may_not_open, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(may_open, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(by_group, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(gone, scratch_setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
