/* SPDX-License-Identifier: GPL-2.0-only */
/* machined.c against a bus that a second process plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "machined.h"
#include "manager.h"
#include "scratch.h"

static struct err err;
static struct manager fake;

static int enter(const char *script)
{
	err_clear(&err);
	manager_start(&fake, scratch_path("bus"), script);
	machined_bus = fake.path;
	return machined_register("db1", 4242, &err);
}

static void is_registered(void **state)
{
	(void)state;
	if (enter("ok; ok"))
		fail_msg("%s", err.msg);
	manager_stop(&fake);
	assert_string_equal(fake.log, "Hello\nRegisterMachine 'db1' [] 'holdover' 'vm' 4242 ''\n");
}

static void twice_is_no_error(void **state)
{
	(void)state;
	if (enter("ok; error org.freedesktop.machine1.MachineExists"))
		fail_msg("%s", err.msg);
	manager_stop(&fake);
}

static void absent_is_told_apart(void **state)
{
	(void)state;
	assert_int_equal(enter("ok; error org.freedesktop.DBus.Error.ServiceUnknown"), -1);
	assert_int_equal(err.kind, ERR_ABSENT);
	manager_stop(&fake);
	assert_int_equal(enter("ok; error org.freedesktop.DBus.Error.AccessDenied"), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_non_null(strstr(err.msg, "words of"));
	manager_stop(&fake);
	assert_int_equal(enter("error org.freedesktop.DBus.Error.LimitsExceeded"), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	manager_stop(&fake);
	err_clear(&err);
	machined_bus = scratch_path("no-bus");
	assert_int_equal(machined_register("db1", 4242, &err), -1);
	assert_int_equal(err.kind, ERR_ABSENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(is_registered),
		CASE(twice_is_no_error),
		CASE(absent_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
