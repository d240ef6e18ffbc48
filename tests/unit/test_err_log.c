/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=open */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "err.h"
#include "log.h"

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

static int kmsg_opened, kmsg_flags, kmsg_result = -1;

/* /dev/kmsg is a pipe in packet mode here: one read() gives what one write() put in. */
int __wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (!strcmp(path, "/dev/kmsg")) {
		kmsg_opened++;
		kmsg_flags = flags;
		if (kmsg_result < 0)
			errno = ENOENT;
		return kmsg_result;
	}
	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return __real_open(path, flags, mode);
}

/* ---- errors ------------------------------------------------------------- */

static void err_carries_kind_and_text(void **state)
{
	struct err e = { 0 };
	char expected[128];

	(void)state;
	assert_int_equal(err_set(&e, ERR_STALE, "slot %d of %s", 1, "x"), -1);
	assert_int_equal(e.kind, ERR_STALE);
	assert_int_equal(e.errnum, 0);
	assert_string_equal(e.msg, "slot 1 of x");
	assert_int_equal(err_sys(&e, ENOSPC, "writing %s", "/a"), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(e.errnum, ENOSPC);
	snprintf(expected, sizeof(expected), "writing /a: %s", strerror(ENOSPC));
	assert_string_equal(e.msg, expected);
	err_clear(&e);
	assert_int_equal(e.kind, ERR_NONE);
	assert_int_equal(e.errnum, 0);
	assert_string_equal(e.msg, "");
}

static void err_wrap_keeps_kind_and_errno(void **state)
{
	struct err e = { 0 };
	char expected[128];

	(void)state;
	/* The C libraries word it differently. */
	snprintf(expected, sizeof(expected), "resume: vm db1: slot 1: %s", strerror(EIO));
	err_sys(&e, EIO, "slot 1");
	assert_int_equal(err_wrap(&e, "vm %s", "db1"), -1);
	assert_int_equal(err_wrap(&e, "resume"), -1);
	assert_string_equal(e.msg, expected);
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(e.errnum, EIO);
}

/* What QEMU or a guest has said is in it, and root's terminal would obey. */
static void err_commands_no_terminal(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, ERR_REFUSED, "QEMU said: %s",
		"\x1b]0;x\a\x9b \xc2\x9b"
		"2J \xc3\xa4\xc2\xa0\r\n\x7f");
	assert_string_equal(e.msg, "QEMU said: ?]0;x?\x9b ??2J \xc3\xa4\xc2\xa0???");
	err_wrap(&e, "vm %s", "a\tb");
	assert_non_null(strstr(e.msg, "vm a?b: QEMU said"));
	err_sys(&e, ENOENT, "%s", "/srv/\x1b[2J");
	assert_non_null(strstr(e.msg, "/srv/?[2J: "));
}

static void err_is_cut_never_overrun(void **state)
{
	struct {
		struct err e;
		char guard[16];
	} t = { .guard = "untouched" };
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&t.e, ERR_IO, "%s", text);
	assert_int_equal(strlen(t.e.msg), sizeof(t.e.msg) - 1);
	for (int i = 0; i < 10; i++) {
		err_wrap(&t.e, "%s", text);
		assert_int_equal(t.e.msg[sizeof(t.e.msg) - 1], '\0');
	}
	err_sys(&t.e, EIO, "%s", text);
	assert_int_equal(strlen(t.e.msg), sizeof(t.e.msg) - 1);
	assert_string_equal(t.guard, "untouched");
}

static void err_kinds_all_have_names(void **state)
{
	(void)state;
	for (int a = 0; a < ERR_KINDS; a++) {
		assert_non_null(err_kind_name((enum err_kind)a));
		assert_string_not_equal(err_kind_name((enum err_kind)a), "?");
		for (int b = 0; b < a; b++)
			assert_string_not_equal(err_kind_name((enum err_kind)a),
						err_kind_name((enum err_kind)b));
	}
	assert_string_equal(err_kind_name(ERR_CHECKSUM), "CHECKSUM");
	assert_string_equal(err_kind_name(ERR_KINDS), "?");
	assert_string_equal(err_kind_name((enum err_kind) - 1), "?");
}

/* ---- log ---------------------------------------------------------------- */

static int reader = -1;

static int kmsg_setup(void **state)
{
	int p[2];

	(void)state;
	if (pipe2(p, O_CLOEXEC | O_DIRECT | O_NONBLOCK))
		return -1;
	reader = p[0];
	kmsg_result = p[1];
	kmsg_opened = 0;
	log_set_level(LOG_LEVEL_INFO);
	log_to_kmsg();
	return 0;
}

static int kmsg_teardown(void **state)
{
	(void)state;
	log_to_stderr();
	kmsg_result = -1;
	return close(reader);
}

/* Length of the next record, 0 if there is none. */
static size_t record(char *buf, size_t size)
{
	ssize_t n = read(reader, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void kmsg_record_is_one_write_with_its_level(void **state)
{
	char buf[2048];

	(void)state;
	log_err("vm %s", "db1");
	log_warn("two");
	log_notice("three");
	log_info("DONE vms=%d", 3);
	assert_true(record(buf, sizeof(buf)));
	assert_string_equal(buf, "<3>holdover: vm db1\n");
	assert_true(record(buf, sizeof(buf)));
	assert_string_equal(buf, "<4>holdover: two\n");
	assert_true(record(buf, sizeof(buf)));
	assert_string_equal(buf, "<5>holdover: three\n");
	assert_true(record(buf, sizeof(buf)));
	assert_string_equal(buf, "<6>holdover: DONE vms=3\n");
	assert_false(record(buf, sizeof(buf)));
	assert_true(kmsg_flags & O_CLOEXEC);
}

static void kmsg_opened_once(void **state)
{
	(void)state;
	log_to_kmsg();
	log_to_kmsg();
	assert_int_equal(kmsg_opened, 1);
}

static void kmsg_record_is_short_enough_for_the_kernel(void **state)
{
	char buf[2048], text[1900];

	(void)state;
	for (size_t n = 840; n < sizeof(text); n++) {
		memset(text, n % 2 ? 'a' : '\x01', n);
		text[n] = '\0';
		log_info("%s", text);
		assert_in_range(record(buf, sizeof(buf)), 800, 900);
		assert_int_equal(buf[strlen(buf) - 1], '\n');
	}
}

static void kmsg_text_cannot_forge_a_record(void **state)
{
	char buf[2048];

	(void)state;
	log_info("qemu said: %s", "x\n<6>holdover: DONE vms=1\r\x1b[2J\x7f");
	assert_true(record(buf, sizeof(buf)));
	assert_string_equal(buf,
			    "<6>holdover: qemu said: x\\x0a<6>holdover: DONE vms=1"
			    "\\x0d\\x1b[2J\\x7f\n");
	assert_false(record(buf, sizeof(buf)));
}

static void level_drops_what_is_less_severe(void **state)
{
	char buf[2048];

	(void)state;
	log_debug("dropped");
	assert_false(record(buf, sizeof(buf)));
	log_set_level(LOG_LEVEL_ERR);
	log_warn("dropped");
	assert_false(record(buf, sizeof(buf)));
	log_err("kept");
	assert_true(record(buf, sizeof(buf)));
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("kept");
	assert_true(record(buf, sizeof(buf)));
	assert_string_equal(buf, "<7>holdover: kept\n");
}

static void without_kmsg_the_record_goes_to_stderr(void **state)
{
	char buf[256];
	int p[2], saved = dup(2);
	ssize_t n;

	(void)state;
	kmsg_result = -1;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	dup2(p[1], 2);
	log_to_kmsg();
	log_info("still told");
	dup2(saved, 2);
	close(saved);
	close(p[1]);
	n = read(p[0], buf, sizeof(buf) - 1);
	close(p[0]);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, "holdover: still told\n");
}

static void escape_fits_any_buffer(void **state)
{
	char buf[32];

	(void)state;
	for (size_t size = 1; size < sizeof(buf); size++) {
		memset(buf, '#', sizeof(buf));
		log_escape(buf, size, "\x01\x02\x03\x04\x05\x06\x07\x08");
		assert_true(strlen(buf) < size);
		assert_int_equal(strlen(buf) % 4, 0);
		assert_int_equal(buf[size], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_carries_kind_and_text),
		cmocka_unit_test(err_wrap_keeps_kind_and_errno),
		cmocka_unit_test(err_commands_no_terminal),
		cmocka_unit_test(err_is_cut_never_overrun),
		cmocka_unit_test(err_kinds_all_have_names),
		cmocka_unit_test_setup_teardown(kmsg_record_is_one_write_with_its_level, kmsg_setup,
						kmsg_teardown),
		cmocka_unit_test_setup_teardown(kmsg_opened_once, kmsg_setup, kmsg_teardown),
		cmocka_unit_test_setup_teardown(kmsg_record_is_short_enough_for_the_kernel,
						kmsg_setup, kmsg_teardown),
		cmocka_unit_test_setup_teardown(kmsg_text_cannot_forge_a_record, kmsg_setup,
						kmsg_teardown),
		cmocka_unit_test_setup_teardown(level_drops_what_is_less_severe, kmsg_setup,
						kmsg_teardown),
		cmocka_unit_test(without_kmsg_the_record_goes_to_stderr),
		cmocka_unit_test(escape_fits_any_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
