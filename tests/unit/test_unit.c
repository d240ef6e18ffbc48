/* SPDX-License-Identifier: GPL-2.0-only */
/* unit.c against a manager that a second process plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "io.h"
#include "manager.h"
#include "scratch.h"
#include "unit.h"
#include "vm.h"

static struct err err;
static struct manager fake;

static const uint64_t *limits;

static int start(const char *script)
{
	err_clear(&err);
	manager_start(&fake, scratch_path("private"), script);
	unit_manager_socket = fake.path;
	return unit_start_scope("holdover-db1.scope", "VM db1", 4242, limits, 2000, &err);
}

/* What the manager was asked, one line a call. */
static void asked(const char *want)
{
	manager_stop(&fake);
	assert_string_equal(fake.log, want);
}

#define PROPERTIES                                                                            \
	" Description='VM db1' PIDs=[4242] Slice='machine.slice'"                             \
	" DefaultDependencies=false CollectMode='inactive-or-failed'"                         \
	" Conflicts=['poweroff.target','reboot.target','halt.target']"                        \
	" Before=['poweroff.target','reboot.target','halt.target','holdover-guests.service']" \
	" Wants=['holdover-guests.service']"
#define START_OLD "StartTransientUnit 'holdover-db1.scope' 'fail'" PROPERTIES "\n"
#define START_NEW \
	"StartTransientUnit 'holdover-db1.scope' 'fail'" PROPERTIES " SurviveFinalKillSignal=true\n"
#define VERSION "Get 'org.freedesktop.systemd1.Manager' 'Version'\n"
#define RESET "ResetFailedUnit 'holdover-db1.scope'\n"

static void new_manager(void **state)
{
	(void)state;
	if (start("version 257.9-1~deb13u1; job done"))
		fail_msg("%s", err.msg);
	asked(VERSION START_NEW);
	if (start("version v255~rc1; job done"))
		fail_msg("%s", err.msg);
	asked(VERSION START_NEW);
}

static void limits_of_the_scope(void **state)
{
	static const uint64_t some[VM_LIMITS] = { [VM_CPU_QUOTA] = 1500000, [VM_MEMORY_MAX] = 1 << 30 };

	(void)state;
	limits = some;
	if (start("version v252; job done"))
		fail_msg("%s", err.msg);
	limits = NULL;
	asked(VERSION "StartTransientUnit 'holdover-db1.scope' 'fail'" PROPERTIES
		      " CPUQuotaPerSecUSec=1500000 MemoryMax=1073741824\n");
}

static void ask(const char *script)
{
	err_clear(&err);
	manager_start(&fake, scratch_path("private"), script);
	unit_manager_socket = fake.path;
}

static void job_of_a_unit(void **state)
{
	bool starting = false;

	(void)state;
	ask("job-id 12");
	assert_int_equal(unit_is_starting("kexec.target", &starting, &err), 0);
	assert_true(starting);
	asked("Get 'org.freedesktop.systemd1.Unit' 'Job'\n");
	ask("job-id 0");
	assert_int_equal(unit_is_starting("kexec.target", &starting, &err), 0);
	assert_false(starting);
	manager_stop(&fake);
	ask("version 257");
	assert_int_equal(unit_is_starting("kexec.target", &starting, &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	manager_stop(&fake);
}

static void dependencies_of_a_unit(void **state)
{
	bool related = false;

	(void)state;
	ask("strings a.service b.service");
	assert_int_equal(unit_related("x.slice", "Requires", "b.service", &related, &err), 0);
	assert_true(related);
	asked("Get 'org.freedesktop.systemd1.Unit' 'Requires'\n");
	ask("strings a.service b.service");
	assert_int_equal(unit_related("x.slice", "Requires", "b", &related, &err), 0);
	assert_false(related);
	manager_stop(&fake);
	ask("error org.freedesktop.DBus.Error.UnknownProperty");
	assert_int_equal(unit_related("x.slice", "Requires", "b", &related, &err), -1);
	assert_non_null(strstr(err.msg, "x.slice: systemd: words of"));
	manager_stop(&fake);
}

static void unit_is_started(void **state)
{
	(void)state;
	ask("job done");
	assert_int_equal(unit_start("kexec.target", "replace-irreversibly", &err), 0);
	asked("StartUnit 'kexec.target' 'replace-irreversibly'\n");
	ask("error org.freedesktop.systemd1.NoSuchUnit");
	assert_int_equal(unit_start("kexec.target", "replace", &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	manager_stop(&fake);
}

static void old_manager(void **state)
{
	(void)state;
	if (start("version v252.39-1~deb12u1; job done"))
		fail_msg("%s", err.msg);
	asked(VERSION START_OLD);
}

static void manager_without_a_version(void **state)
{
	(void)state;
	if (start("error org.freedesktop.DBus.Error.UnknownProperty; job done"))
		fail_msg("%s", err.msg);
	asked(VERSION START_OLD);
}

static void property_that_it_does_not_know(void **state)
{
	(void)state;
	if (start("version 256; error org.freedesktop.DBus.Error.PropertyReadOnly; job done"))
		fail_msg("%s", err.msg);
	asked(VERSION START_NEW START_OLD);
}

static void leftover_scope_is_reset(void **state)
{
	(void)state;
	if (start("version 252; error org.freedesktop.systemd1.UnitExists; ok; job done"))
		fail_msg("%s", err.msg);
	asked(VERSION START_OLD RESET START_OLD);
}

static void leaving_scope_is_waited_for(void **state)
{
	int64_t begun = io_now_ms();

	(void)state;
	if (start("version 252; error org.freedesktop.systemd1.UnitExists; ok; leaving; job done"))
		fail_msg("%s", err.msg);
	assert_true(io_now_ms() - begun < unit_exists_grace_ms);
	asked(VERSION START_OLD RESET START_OLD START_OLD);
}

static void scope_that_stays_is_waited_for_so_long(void **state)
{
	(void)state;
	unit_exists_grace_ms = 100;
	assert_int_equal(start("version 252; error org.freedesktop.systemd1.UnitExists; ok;"
			       "error org.freedesktop.systemd1.UnitExists;"
			       "error org.freedesktop.systemd1.UnitExists"),
			 -1);
	unit_exists_grace_ms = 2000;
	assert_int_equal(err.kind, ERR_REFUSED);
	asked(VERSION START_OLD RESET START_OLD START_OLD);
}

static void running_scope_is_not(void **state)
{
	(void)state;
	unit_exists_grace_ms = 0;
	assert_int_equal(
		start("version 252; error org.freedesktop.systemd1.UnitExists;"
		      "error org.freedesktop.systemd1.NoSuchUnit; error org.freedesktop.systemd1.UnitExists"),
		-1);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_non_null(strstr(err.msg, "holdover-db1.scope"));
	assert_non_null(strstr(err.msg, "words of org.freedesktop.systemd1.UnitExists"));
	unit_exists_grace_ms = 2000;
	asked(VERSION START_OLD RESET START_OLD);
}

static void other_jobs_are_not_ours(void **state)
{
	(void)state;
	if (start("version 252; jobs-of-others done"))
		fail_msg("%s", err.msg);
	asked(VERSION START_OLD);
}

static void job_before_the_answer(void **state)
{
	(void)state;
	if (start("version 252; early-job done"))
		fail_msg("%s", err.msg);
	asked(VERSION START_OLD);
}

static void job_that_fails(void **state)
{
	(void)state;
	assert_int_equal(start("version 252; job failed"), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_non_null(strstr(err.msg, "'failed'"));
	asked(VERSION START_OLD);
}

static void process_is_gone(void **state)
{
	(void)state;
	assert_int_equal(start("version 252; error org.freedesktop.systemd1.NoSuchProcess"), -1);
	assert_int_equal(err.kind, ERR_EXITED);
	asked(VERSION START_OLD);
}

static void answer_of_another_shape(void **state)
{
	(void)state;
	assert_int_equal(start("version 252; ok"), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	asked(VERSION START_OLD);
}

static void manager_goes_away(void **state)
{
	(void)state;
	assert_int_equal(start("version 252; hang-up"), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	asked(VERSION START_OLD);
}

static void silence(const char *script)
{
	int64_t before, took;

	err_clear(&err);
	manager_start(&fake, scratch_path("private"), script);
	unit_manager_socket = fake.path;
	before = io_now_ms();
	assert_int_equal(unit_start_scope("holdover-db1.scope", "VM db1", 4242, NULL, 200, &err), -1);
	took = io_now_ms() - before;
	assert_int_equal(err.kind, ERR_TIMEOUT);
	if (took < 190 || took > 2000)
		fail_msg("timeout of 200 ms came after %d ms", (int)took);
	manager_stop(&fake);
}

static void no_answer(void **state)
{
	(void)state;
	silence("silence");
	silence("version 252; silence");
	silence("version 252; job-without-end");
	silence("no-auth");
}

static void no_manager(void **state)
{
	(void)state;
	unit_manager_socket = scratch_path("nobody");
	assert_int_equal(unit_start_scope("holdover-db1.scope", "VM db1", 4242, NULL, 200, &err), -1);
	assert_int_equal(err.kind, ERR_ABSENT);
	assert_non_null(strstr(err.msg, "nobody"));
}

static void names(void **state)
{
	char name[64], small[8];

	(void)state;
	assert_int_equal(unit_scope_name("db1", name, sizeof(name), &err), 0);
	assert_string_equal(name, "holdover-db1.scope");
	assert_int_equal(unit_scope_name("a-b_c.d", name, sizeof(name), &err), 0);
	assert_string_equal(name, "holdover-a-b_c.d.scope");
	assert_int_equal(unit_scope_name("a/b \xc3", name, sizeof(name), &err), 0);
	assert_string_equal(name, "holdover-a\\x2fb\\x20\\xc3.scope");
	assert_int_equal(unit_scope_name("db1", small, sizeof(small), &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(new_manager),
		CASE(limits_of_the_scope),
		CASE(job_of_a_unit),
		CASE(dependencies_of_a_unit),
		CASE(unit_is_started),
		CASE(old_manager),
		CASE(manager_without_a_version),
		CASE(property_that_it_does_not_know),
		CASE(leftover_scope_is_reset),
		CASE(running_scope_is_not),
		CASE(leaving_scope_is_waited_for),
		CASE(scope_that_stays_is_waited_for_so_long),
		CASE(other_jobs_are_not_ours),
		CASE(job_before_the_answer),
		CASE(job_that_fails),
		CASE(process_is_gone),
		CASE(answer_of_another_shape),
		CASE(manager_goes_away),
		CASE(no_answer),
		CASE(no_manager),
		CASE(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
