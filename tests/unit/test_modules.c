/* SPDX-License-Identifier: GPL-2.0-only */
/* Nothing that stands in modprobe.d is executed. */
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
#include "pmem.h"

#define CONFIG "/etc/modprobe.d/test.conf"
#define TRACE "/run/holdover-was-here"

static int own_folders(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
		return -1;
	if (access("/etc/modprobe.d", F_OK) < 0 && mkdir("/etc/modprobe.d", 0755) < 0)
		return -1;
	return mount("tmpfs", "/etc/modprobe.d", "tmpfs", 0, "mode=755");
}

static void load_with(const char *config)
{
	static const char *const names[] = { "holdover_none" };
	struct err e = { 0 };

	assert_ok(io_write_file(CONFIG, config, strlen(config), 0644, &e), e);
	assert_int_equal(pmem_load_named_modules(names, 1, &e), -1);
	assert_non_null(strstr(e.msg, "holdover_none"));
	assert_int_equal(access(TRACE, F_OK), -1);
}

static void install_is_not_executed(void **state)
{
	(void)state;
	load_with("install holdover_none /bin/sh -c 'echo here >" TRACE "'\n");
}

static void nor_that_of_a_dependency(void **state)
{
	(void)state;
	load_with("softdep holdover_none pre: holdover_dep\n"
		  "install holdover_none /bin/false\n"
		  "install holdover_dep /bin/sh -c 'echo here >" TRACE "'\n");
}

static void nor_behind_an_alias(void **state)
{
	(void)state;
	load_with("alias holdover_none holdover_other\n"
		  "install holdover_other /bin/sh -c 'echo here >" TRACE "'\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(install_is_not_executed),
		cmocka_unit_test(nor_that_of_a_dependency),
		cmocka_unit_test(nor_behind_an_alias),
	};

	return cmocka_run_group_tests(tests, own_folders, NULL);
}
