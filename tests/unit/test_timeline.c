/* SPDX-License-Identifier: GPL-2.0-only */
/* The timeline of a jump, and which files a jump takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ledger_fixture.h"
#include "marks.h"
#include "preflight.h"
#include "scratch.h"
#include "target.h"
#include "timeline.h"

#define HZ 1000000 /* so that 1000 ticks are a millisecond */

static struct fixture f;
static struct timeline t;

static int setup(void **state)
{
	(void)state;
	fixture_setup(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_teardown(&f);
	return 0;
}

static void mark(enum phase phase, unsigned int vm, uint64_t tsc)
{
	struct phase_mark m = { .phase = phase, .vm = vm, .tsc = tsc, .tsc_hz = HZ, .generation = 7 };
	struct err e = { 0 };

	assert_ok(ledger_journal_add(&f.l, &m, &e), e);
}

static void an_attempt_that_was_called_off_does_not_count(void **state)
{
	struct err e = { 0 };

	(void)state;
	mark(PHASE_STAGE_START, PHASE_HOST, 0);
	mark(PHASE_PAUSED, 0, 1000);
	mark(PHASE_JUMP, PHASE_HOST, 2000);
	mark(PHASE_ABORTED, PHASE_HOST, 3000);
	mark(PHASE_STAGE_START, PHASE_HOST, 100000);
	mark(PHASE_PAUSED, 0, 101000);
	mark(PHASE_JUMP, PHASE_HOST, 102000);
	mark(PHASE_RUNNING, 0, 105000);
	assert_ok(timeline_read(&f.l, 7, &t, &e), e);
	assert_int_equal(t.n, 4);
	assert_int_equal(t.mark[0].tsc, 100000);
	assert_true(t.blackout_ms > 3.9 && t.blackout_ms < 4.1);
}

static void one_attempt_counts_whole(void **state)
{
	struct err e = { 0 };

	(void)state;
	mark(PHASE_STAGE_START, PHASE_HOST, 0);
	mark(PHASE_PAUSED, 0, 1000);
	mark(PHASE_JUMP, PHASE_HOST, 2000);
	mark(PHASE_RUNNING, 0, 9000);
	assert_ok(timeline_read(&f.l, 7, &t, &e), e);
	assert_int_equal(t.n, 4);
	assert_true(t.blackout_ms > 7.9 && t.blackout_ms < 8.1);
}

/* ---- the next kernel ----------------------------------------------------- */

static void the_initramfs_follows_the_kernel(void **state)
{
	struct config cfg = { .initrd = (char *)"/boot/of-the-configured-kernel" };
	struct target_opts o = { .kernel = "/nonexistent/vmlinuz-9.9-x", .cmdline = "quiet" };
	struct target target = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_ok(target_resolve(&cfg, &o, &target, &e), e);
	assert_non_null(strstr(target.initrd, "9.9-x"));
	target_free(&target);
	o.initrd = "/nonexistent/initrd";
	assert_ok(target_resolve(&cfg, &o, &target, &e), e);
	assert_string_equal(target.initrd, o.initrd);
	target_free(&target);
	o = (struct target_opts){ .cmdline = "quiet" };
	assert_ok(target_resolve(&cfg, &o, &target, &e), e);
	assert_string_equal(target.initrd, cfg.initrd);
	target_free(&target);
	o.kernel = "/nonexistent/bzImage";
	assert_int_equal(target_resolve(&cfg, &o, &target, &e), -1);
	assert_non_null(strstr(e.msg, "--initrd"));
	assert_kind(e, ERR_USAGE);
}

static unsigned int replacers(void)
{
	struct preflight *p = calloc(1, sizeof(*p));
	unsigned int n;

	preflight_replacers(p, scratch_path(""));
	n = p->n;
	assert_int_equal(p->warned, n);
	free(p);
	return n;
}

static void put(const char *path, const char *text)
{
	struct err e = { 0 };

	assert_ok(io_write_file(scratch_path(path), text, strlen(text), 0600, &e), e);
}

static void other_loaders_are_named(void **state)
{
	struct err e = { 0 };

	scratch_setup(state);
	assert_ok(io_mkdir_p(scratch_path("etc/default"), 0700, &e), e);
	assert_ok(io_mkdir_p(scratch_path("etc/init.d"), 0700, &e), e);
	assert_ok(io_mkdir_p(scratch_path("etc/systemd/system/multi-user.target.wants"), 0700, &e),
		  e);
	assert_int_equal(replacers(), 0);
	put("etc/default/kexec", "# LOAD_KEXEC=true\nLOAD_KEXEC=true\n");
	assert_int_equal(replacers(), 0);
	put("etc/init.d/kexec-load", "");
	assert_int_equal(replacers(), 1);
	put("etc/default/kexec", "LOAD_KEXEC=\"true\"\n");
	assert_int_equal(replacers(), 1);
	put("etc/default/kexec", "LOAD_KEXEC=true\nLOAD_KEXEC=false\n");
	assert_int_equal(replacers(), 0);
	put("etc/systemd/system/multi-user.target.wants/kexec-load.service", "");
	assert_int_equal(replacers(), 1);
	assert_int_equal(unlink(scratch_path(
				 "etc/systemd/system/multi-user.target.wants/kexec-load.service")),
			 0);
	assert_int_equal(replacers(), 0);
	assert_ok(io_mkdir_p(scratch_path("usr/lib/systemd/system/basic.target.wants"), 0700, &e), e);
	put("usr/lib/systemd/system/basic.target.wants/kexec-load.service", "");
	assert_int_equal(replacers(), 1);
	scratch_teardown(state);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(an_attempt_that_was_called_off_does_not_count),
		CASE(one_attempt_counts_whole),
		CASE(the_initramfs_follows_the_kernel),
		CASE(other_loaders_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
