/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "scratch.h"

static void load(const char *text, struct config *c)
{
	struct err e = { 0 };

	if (config_load(scratch_write("holdover.conf", text), c, &e) < 0)
		fail_msg("'%s' was refused: %s", text, e.msg);
}

/* The error must name file and line and hold all of the three pieces. */
static void refuse(const char *text, int line, const char *a, const char *b, const char *c)
{
	_cleanup_config_ struct config conf = { 0 };
	const char *pieces[] = { a, b, c };
	struct err e = { 0 };
	char where[600];
	const char *path = scratch_write("holdover.conf", text);

	if (config_load(path, &conf, &e) == 0)
		fail_msg("'%s' was taken", text);
	if (e.kind != ERR_USAGE)
		fail_msg("'%s': kind %s: %s", text, err_kind_name(e.kind), e.msg);
	snprintf(where, sizeof(where), "%s:%d: ", path, line);
	if (strncmp(e.msg, where, strlen(where)))
		fail_msg("'%s': not at line %d: %s", text, line, e.msg);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		if (pieces[i] && !strstr(e.msg + strlen(where), pieces[i]))
			fail_msg("'%s': no '%s' in: %s", text, pieces[i], e.msg);
}

static void expect_defaults(const struct config *c)
{
	assert_false(c->have_region);
	assert_int_equal(c->ledger_size, 32 << 20);
	assert_null(c->kernel);
	assert_null(c->initrd);
	assert_null(c->append);
	assert_int_equal(c->flush_timeout_ms, 30000);
	assert_int_equal(c->save_timeout_ms, 30000);
	assert_int_equal(c->canaries, CANARY_SAMPLE);
}

static void no_file_gives_the_defaults(void **state)
{
	_cleanup_config_ struct config c = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(config_load(scratch_path("none"), &c, &e), 0);
	assert_int_equal(e.kind, ERR_NONE);
	expect_defaults(&c);
}

static void empty_file_gives_the_defaults(void **state)
{
	_cleanup_config_ struct config c = { 0 };

	(void)state;
	load("", &c);
	expect_defaults(&c);
	load("# only\n; comments\n\n[region]\n[kexec]\n", &c);
	expect_defaults(&c);
}

static void every_key_is_read(void **state)
{
	_cleanup_config_ struct config c = { 0 };

	(void)state;
	load("[region]\nmemmap = 16G!4G\nledger-size=64M\n"
	     "[kexec]\nkernel = /boot/vmlinuz-7\ninitrd: /boot/initrd-7\n"
	     "append = quiet ; nokaslr # not a comment\n"
	     "flush-timeout = 1\nsave-timeout = 86400\ncanaries = full\n",
	     &c);
	assert_true(c.have_region);
	assert_int_equal(c.region_size, 16ULL << 30);
	assert_int_equal(c.region_start, 4ULL << 30);
	assert_int_equal(c.ledger_size, 64 << 20);
	assert_string_equal(c.kernel, "/boot/vmlinuz-7");
	assert_string_equal(c.initrd, "/boot/initrd-7");
	assert_string_equal(c.append, "quiet ; nokaslr # not a comment");
	assert_int_equal(c.flush_timeout_ms, 1000);
	assert_int_equal(c.save_timeout_ms, 86400000);
	assert_int_equal(c.canaries, CANARY_FULL);
}

static void unknown_names_are_errors(void **state)
{
	(void)state;
	refuse("[region]\nmemmapp = 1G!4G\n", 2, "'memmapp'", "[region]", NULL);
	refuse("[kexec]\n\n# x\nappended = x\n", 4, "'appended'", "[kexec]", NULL);
	refuse("[areas]\nmemmap = 1G!4G\n", 2, "[areas]", "[regions]", "[kexec]");
	refuse("memmap = 1G!4G\n", 1, "section", NULL, NULL);
	refuse("[region]\nMEMMAP = 1G!4G\n", 2, "'MEMMAP'", NULL, NULL);
}

static void regions_have_labels(void **state)
{
	struct config c _cleanup_config_ = { 0 };
	uint64_t start = 0, size = 0;
	struct err e = { 0 };

	(void)state;
	load("[regions]\nnode1 = 1G!8G\nnode2 = 2G!16G\n", &c);
	assert_int_equal(config_find_region(&c, "node2", &start, &size, &e), 0);
	assert_int_equal(start, 16ULL << 30);
	assert_int_equal(size, 2ULL << 30);
	assert_int_equal(config_find_region(&c, "1G!8G", &start, &size, &e), 0);
	assert_int_equal(start, 8ULL << 30);
	assert_int_equal(config_find_region(&c, "node3", &start, &size, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.msg, "'node3' is neither"));
	refuse("[regions]\nnode1 = 1G\n", 2, "node1", "'1G'", NULL);
	refuse("[regions]\na = 1G!4G\na = 1G!8G\n", 3, "'a'", "twice", NULL);
	refuse("[regions]\na!b = 1G!4G\n", 2, "label", NULL, NULL);
}

static void the_clock_is_one_of_two(void **state)
{
	_cleanup_config_ struct config c = { 0 };

	(void)state;
	load("[kexec]\nhost-clock = tsc\n", &c);
	assert_true(c.clock_by_tsc);
	config_free(&c);
	load("[kexec]\nhost-clock = rtc\n", &c);
	assert_false(c.clock_by_tsc);
	config_free(&c);
	refuse("[kexec]\nhost-clock = sun\n", 2, "host-clock", "'sun'", "rtc");
}

static void canaries_are_one_of_three(void **state)
{
	_cleanup_config_ struct config c = { 0 };

	(void)state;
	load("[kexec]\ncanaries = none\n", &c);
	assert_int_equal(c.canaries, CANARY_NONE);
	refuse("[kexec]\ncanaries = all\n", 2, "canaries", "'all'", "sample");
	refuse("[kexec]\ncanaries =\n", 2, "canaries", "none", "full");
}

static void lines_that_say_nothing_are_errors(void **state)
{
	(void)state;
	refuse("[region]\nmemmap\n", 2, "key = value", NULL, NULL);
	refuse("[region\nmemmap = 1G!4G\n", 1, "[section]", NULL, NULL);
	refuse("\n\nwhat is this\n", 3, "key = value", NULL, NULL);
}

static void a_key_given_twice_is_an_error(void **state)
{
	(void)state;
	refuse("[kexec]\nkernel = /a\nkernel = /b\n", 3, "'kernel'", "twice", NULL);
	refuse("[kexec]\nkernel = /a\n  initrd = /b\n", 3, "'kernel'", "indented", NULL);
	refuse("[kexec]\nkernel = /a\n[region]\n[kexec]\nkernel = /b\n", 5, "'kernel'", NULL, NULL);
}

static void bad_regions_are_errors(void **state)
{
	static const char *const bad[] = {
		"",	"16G",	   "16G$4G",	    "16G@4G", "!4G", "16G!",   "16G!4G!8G",
		"0!4G", "16 G!4G", "16G!4G,1G!32G", "-1!4G",  "x!y", "16G!0x", "1.5G!4G",
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "[region]\nmemmap = %s\n", bad[i]);
		refuse(text, 2, "memmap", "16G!4G", NULL);
	}
	memset(text, '1', sizeof(text));
	memcpy(text, "[region]\nmemmap = 16G!", 22);
	text[sizeof(text) - 1] = '\0';
	refuse(text, 2, "memmap", NULL, NULL);
}

static void bad_ledger_sizes_are_errors(void **state)
{
	static const char *const bad[] = { "0",	 "1M", "3M",   "2097153", "4098M",
					   "1T", "",   "32MB", "-2M" };
	_cleanup_config_ struct config c = { 0 };
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "[region]\nledger-size = %s\n", bad[i]);
		refuse(text, 2, "ledger-size", NULL, NULL);
	}
	load("[region]\nledger-size = 2M\n", &c);
	assert_int_equal(c.ledger_size, 2 << 20);
	load("[region]\nledger-size = 4G\n", &c);
	assert_int_equal(c.ledger_size, 4ULL << 30);
}

static void bad_timeouts_are_errors(void **state)
{
	static const char *const bad[] = {
		"0", "-1", "86401", "", "1.5", "30s", "99999999999999999999",
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "[kexec]\nflush-timeout = %s\n", bad[i]);
		refuse(text, 2, "flush-timeout", "seconds", NULL);
		snprintf(text, sizeof(text), "[kexec]\nsave-timeout = %s\n", bad[i]);
		refuse(text, 2, "save-timeout", "86400", NULL);
	}
}

static void a_line_too_long_is_an_error(void **state)
{
	static char text[20000];
	_cleanup_config_ struct config c = { 0 };
	int n;

	(void)state;
	n = snprintf(text, sizeof(text), "[kexec]\nappend = ");
	memset(text + n, 'a', 8000);
	load(text, &c);
	assert_int_equal(strlen(c.append), 8000);
	memset(text + n, 'a', sizeof(text) - (size_t)n - 1);
	refuse(text, 2, NULL, NULL, NULL);
}

static int take_all(void *ctx, const char *section, const char *key, const char *value, bool more,
		    struct err *e)
{
	(void)section;
	(void)key;
	(void)value;
	(void)more;
	(void)e;
	++*(int *)ctx;
	return 0;
}

static void the_reader_is_bounded(void **state)
{
	static char text[20000];
	struct err e = { 0 };
	size_t n = 0;
	int taken = 0;

	(void)state;
	for (int i = 0; i < 129; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "k%d = 1\n", i);
	assert_int_equal(config_ini(scratch_write("f", text), take_all, &taken, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_int_equal(taken, 128);
	assert_non_null(strstr(e.msg, ":129: "));
}

/* A file that is there but cannot be read must never pass for an empty one. */
static void an_unreadable_file_is_an_error(void **state)
{
	const char *path = scratch_write("secret.conf", "[kexec]\nkernel = /x\n");
	_cleanup_config_ struct config c = { 0 };
	struct err e = { 0 };
	uid_t uid = geteuid();
	int r;

	(void)state;
	assert_int_equal(mkdir(scratch_path("folder"), 0755), 0);
	assert_int_equal(config_load(scratch_path("folder"), &c, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.msg, scratch_path("folder")));
	assert_non_null(strstr(e.msg, strerror(EISDIR)));

	err_clear(&e);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(scratch_path(""), 0755), 0);
	if (uid == 0)
		assert_int_equal(seteuid(65534), 0);
	r = config_load(path, &c, &e);
	if (uid == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(r, -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.msg, path));
	assert_non_null(strstr(e.msg, strerror(EACCES)));
}

static void the_shipped_file_is_the_defaults(void **state)
{
	_cleanup_config_ struct config c = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(access("config/holdover.conf", R_OK), 0);
	if (config_load("config/holdover.conf", &c, &e) < 0)
		fail_msg("%s", e.msg);
	expect_defaults(&c);
}

/* What the shipped file shows as commented-out defaults must be legal and be the defaults. */
static void the_shipped_comments_are_true(void **state)
{
	_cleanup_config_ struct config c = { 0 };
	_cleanup_fclose_ FILE *in = fopen("config/holdover.conf", "re");
	static char text[8192];
	char line[256];
	size_t n = 0;

	(void)state;
	assert_non_null(in);
	while (fgets(line, sizeof(line), in))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", line + (*line == ';'));
	load(text, &c);
	assert_true(c.have_region);
	assert_int_equal(c.ledger_size, CONFIG_LEDGER_SIZE);
	assert_string_equal(c.kernel, "/boot/vmlinuz");
	assert_string_equal(c.initrd, "/boot/initrd.img");
	assert_string_equal(c.append, "");
	assert_int_equal(c.flush_timeout_ms, 30000);
	assert_int_equal(c.save_timeout_ms, 30000);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(no_file_gives_the_defaults),
		CASE(empty_file_gives_the_defaults),
		CASE(every_key_is_read),
		CASE(unknown_names_are_errors),
		CASE(regions_have_labels),
		CASE(the_clock_is_one_of_two),
		CASE(canaries_are_one_of_three),
		CASE(lines_that_say_nothing_are_errors),
		CASE(a_key_given_twice_is_an_error),
		CASE(bad_regions_are_errors),
		CASE(bad_ledger_sizes_are_errors),
		CASE(bad_timeouts_are_errors),
		CASE(a_line_too_long_is_an_error),
		CASE(the_reader_is_bounded),
		CASE(an_unreadable_file_is_an_error),
		CASE(the_shipped_file_is_the_defaults),
		CASE(the_shipped_comments_are_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
