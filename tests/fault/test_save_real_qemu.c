/* SPDX-License-Identifier: GPL-2.0-only */
/* Save and load against a real QEMU, whichever version is there. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "load.h"
#include "real_qemu.h"
#include "save.h"

#define TIMEOUT 30000

/**
 * struct fixture - one VM, its present QEMU, and what the hooks noticed
 * @at_pause: counter when `paused` was called
 * @at_commit: counter when `commit` was called
 */
struct fixture {
	struct real_vm vm;
	struct real_qemu qemu;
	struct qmp q;
	struct plan p;
	struct save s;
	struct load l;
	struct err e;
	char log[16];
	uint32_t at_pause;
	uint32_t at_commit;
	bool commit_fails;
};

static void note(struct fixture *f, const char *what)
{
	size_t n = strlen(f->log);

	snprintf(f->log + n, sizeof(f->log) - n, "%s", what);
}

static int on_pausing(struct save *s, struct err *e)
{
	(void)e;
	note(s->ctx, "p");
	return 0;
}

static void on_paused(struct save *s)
{
	struct fixture *f = s->ctx;

	f->at_pause = *f->vm.counter;
	note(f, "P");
}

static void on_saved(struct save *s)
{
	note(s->ctx, "S");
}

static int on_connected(struct load *l, struct err *e)
{
	(void)e;
	note(l->ctx, "C");
	return 0;
}

static int on_loaded(struct load *l, struct err *e)
{
	(void)e;
	note(l->ctx, "L");
	return 0;
}

static int on_commit(struct load *l, struct err *e)
{
	struct fixture *f = l->ctx;

	note(f, "R");
	f->at_commit = *f->vm.counter;
	return f->commit_fails ? err_set(e, ERR_IO, "no ledger today") : 0;
}

static int on_running(struct load *l, struct err *e)
{
	(void)e;
	note(l->ctx, "G");
	return 0;
}

static void start_qemu(struct fixture *f, bool incoming, const char *const *extra)
{
	real_qemu_start(&f->qemu, &f->vm, incoming, extra);
	qmp_init(&f->q, steal_fd(&f->qemu.ctl));
}

static void end_qemu(struct fixture *f)
{
	qmp_close(&f->q);
	real_qemu_end(&f->qemu);
}

/* A command over the second monitor, as an operator would. */
static void operator(struct fixture *f, const char *command, struct qmp_msg *m)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };

	qmp_init(&q, dup(f->qemu.other));
	assert_int_equal(qmp_call(&q, command, -1, TIMEOUT, m, &f->e, NULL), 0);
}

static void operator_greet(struct fixture *f)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };

	qmp_init(&q, dup(f->qemu.other));
	assert_int_equal(qmp_handshake(&q, TIMEOUT, NULL, &f->e), 0);
}

static void assert_status(struct fixture *f, const char *status)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };

	operator(f, "query-status", &m);
	assert_string_equal(migrate_text(m.body, "status"), status);
}

static void begin(struct fixture *f, const char *const *extra)
{
	memset(f, 0, sizeof(*f));
	f->q.fd = -1;
	real_vm_make(&f->vm);
	start_qemu(f, false, extra);
	operator_greet(f);
	f->s.vm_name = "db1";
	f->s.pausing = on_pausing;
	f->s.paused = on_paused;
	f->s.saved = on_saved;
	f->s.ctx = f;
	operator(f, "cont", NULL);
	assert_true(real_ticks(&f->qemu, 2));
}

static void end(struct fixture *f)
{
	save_finish(&f->s);
	load_finish(&f->l);
	end_qemu(f);
	real_vm_remove(&f->vm);
}

static void run_ok(struct fixture *f)
{
	struct plan *plans[] = { &f->p };

	if (plan_run(plans, 1))
		fail_msg("%s", f->p.err.msg);
}

static void run_fails(struct fixture *f, enum err_kind kind, const char *text)
{
	struct plan *plans[] = { &f->p };

	if (!plan_run(plans, 1))
		fail_msg("done, although it should fail with \"%s\"", text);
	if (f->p.err.kind != kind || !strstr(f->p.err.msg, text))
		fail_msg("%s \"%s\", not %s \"...%s...\"", err_kind_name(f->p.err.kind),
			 f->p.err.msg, err_kind_name(kind), text);
}

static void save_ok(struct fixture *f)
{
	f->log[0] = '\0';
	save_plan(&f->p, &f->s, &f->q, f->qemu.pidfd, TIMEOUT);
	run_ok(f);
	assert_string_equal(f->log, "pPS");
	assert_status(f, "postmigrate");
	assert_int_equal(f->at_pause, *f->vm.counter);
	assert_in_range(f->s.state_len, 10000, 4 << 20);
	/* sealed: QEMU still has it open for writing */
	assert_int_equal(fcntl(f->s.state_fd, F_GET_SEALS),
			 F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
	assert_int_equal(f->s.cpr_reboot, f->p.version >= 80200);
	assert_false(f->s.resumed);
}

static void resume_plan(struct fixture *f)
{
	save_resume_plan(&f->p, &f->s, &f->q, f->qemu.pidfd, TIMEOUT, true);
}

static void check_plan(struct fixture *f)
{
	save_check_plan(&f->p, &f->s, &f->q, f->qemu.pidfd, TIMEOUT);
}

/* Kill the QEMU of the save, start another, set up the load. */
static void next_qemu(struct fixture *f, bool run, const char *const *extra)
{
	end_qemu(f);
	start_qemu(f, true, extra);
	operator_greet(f);
	f->log[0] = '\0';
	f->l = (struct load){
		.vm_name = "db1",
		.state_fd = f->s.state_fd,
		.cpr_reboot = f->s.cpr_reboot,
		.run = run,
		.connected = on_connected,
		.loaded = on_loaded,
		.commit = on_commit,
		.running = on_running,
		.ctx = f,
	};
	load_plan(&f->p, &f->l, &f->q, f->qemu.pidfd, TIMEOUT);
}

static void test_save_load(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, NULL);
	save_ok(&f);
	assert_true(f.s.was_running);
	assert_true(f.s.stopped);
	check_plan(&f);
	run_ok(&f);
	next_qemu(&f, true, NULL);
	run_ok(&f);
	assert_string_equal(f.log, "CLRG");
	assert_true(f.l.committed);
	assert_true(f.l.resumed);
	assert_int_equal(f.at_commit, f.at_pause);
	assert_true(f.at_pause >= 2);
	assert_true(real_ticks(&f.qemu, 2));
	/* EAX came over in the device state: it counts on, not from one */
	assert_in_range(*f.vm.counter, f.at_pause + 2, f.at_pause + 1000);
	assert_status(&f, "running");
	end(&f);
}

static bool cap_is_on(struct fixture *f, const char *name)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	yyjson_val *cap;
	size_t i, max;
	bool on = false;

	operator(f, "query-migrate-capabilities", &m);
	yyjson_arr_foreach(m.body, i, max, cap)
		if (migrate_is(cap, "capability", name))
			on = yyjson_get_bool(yyjson_obj_get(cap, "state"));
	return on;
}

static uint64_t params(struct fixture *f, char *mode, size_t size)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };

	operator(f, "query-migrate-parameters", &m);
	snprintf(mode, size, "%s", migrate_text(m.body, "mode"));
	return yyjson_get_uint(yyjson_obj_get(m.body, "max-bandwidth"));
}

/* A rehearsal, then the real thing; the operator's settings are untouched. */
static void test_resume_in_place(void **state)
{
	char mode[16], before[16];
	uint64_t bandwidth;
	struct fixture f;
	uint32_t count;

	(void)state;
	begin(&f, NULL);
	bandwidth = params(&f, before, sizeof(before));
	save_ok(&f);
	count = *f.vm.counter;
	assert_true(cap_is_on(&f, "x-ignore-shared"));
	resume_plan(&f);
	run_ok(&f);
	assert_true(f.s.resumed);
	assert_status(&f, "running");
	assert_true(real_ticks(&f.qemu, 2));
	assert_in_range(*f.vm.counter, count + 2, count + 1000);
	assert_false(cap_is_on(&f, "x-ignore-shared"));
	assert_false(cap_is_on(&f, "events"));
	assert_int_equal(params(&f, mode, sizeof(mode)), bandwidth);
	assert_string_equal(mode, before);
	save_finish(&f.s);
	end(&f);
}

/* The greeting comes only once on a connection. */
static void save_again(struct fixture *f)
{
	unsigned int version = f->p.version;

	save_finish(&f->s);
	save_plan(&f->p, &f->s, &f->q, f->qemu.pidfd, TIMEOUT);
	f->p.version = version;
	f->p.steps++;
	f->p.nsteps--;
	f->log[0] = '\0';
	run_ok(f);
	assert_string_equal(f->log, "pPS");
	assert_status(f, "postmigrate");
}

static void test_twice(void **state)
{
	struct fixture f;
	uint32_t first;

	(void)state;
	begin(&f, NULL);
	save_ok(&f);
	first = f.at_pause;
	resume_plan(&f);
	run_ok(&f);
	assert_true(real_ticks(&f.qemu, 2));
	save_again(&f);
	assert_true(f.s.was_running);
	next_qemu(&f, true, NULL);
	run_ok(&f);
	assert_true(real_ticks(&f.qemu, 1));
	assert_in_range(f.at_commit, first + 2, *f.vm.counter);
	end(&f);
}

static void test_paused_stays_paused(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, NULL);
	operator(&f, "stop", NULL);
	save_ok(&f);
	assert_false(f.s.was_running);
	assert_false(f.s.stopped);
	resume_plan(&f);
	run_ok(&f);
	assert_status(&f, "postmigrate");
	check_plan(&f);
	run_ok(&f);
	next_qemu(&f, false, NULL);
	run_ok(&f);
	assert_string_equal(f.log, "CLRG");
	assert_false(f.l.resumed);
	assert_status(&f, "paused");
	assert_int_equal(*f.vm.counter, f.at_pause);
	operator(&f, "cont", NULL);
	assert_true(real_ticks(&f.qemu, 1));
	end(&f);
}

/* QEMU does not save twice without running in between. */
static void test_from_postmigrate(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, NULL);
	save_ok(&f);
	save_again(&f);
	assert_false(f.s.was_running);
	assert_true(f.s.stopped);
	next_qemu(&f, true, NULL);
	run_ok(&f);
	assert_true(real_ticks(&f.qemu, 1));
	end(&f);
}

static void test_blocked(void **state)
{
	static const char *const nvme[] = { "-drive", "if=none,id=n,driver=null-co", "-device",
					    "nvme,drive=n,serial=1", NULL };
	struct fixture f;

	(void)state;
	begin(&f, nvme);
	save_plan(&f.p, &f.s, &f.q, f.qemu.pidfd, TIMEOUT);
	run_fails(&f, ERR_REFUSED, "nvme");
	resume_plan(&f);
	run_ok(&f);
	assert_status(&f, "running");
	assert_true(real_ticks(&f.qemu, 1));
	end(&f);
}

static void test_continued_by_somebody(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, NULL);
	save_ok(&f);
	operator(&f, "cont", NULL);
	operator(&f, "stop", NULL);
	check_plan(&f);
	run_fails(&f, ERR_REFUSED, "somebody has continued the VM");
	assert_true(f.s.resumed);
	end(&f);
}

static void test_killed(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, NULL);
	save_ok(&f);
	kill(f.qemu.pid, SIGKILL);
	check_plan(&f);
	run_fails(&f, ERR_EXITED, "killed by signal 9");
	end(&f);
}

/* Damage in the stream: QEMU ends, nothing is committed. */
static void test_damaged_state(void **state)
{
	char buf[64] = { 0 };
	struct fixture f;
	char *copy;
	int fd;

	(void)state;
	begin(&f, NULL);
	save_ok(&f);
	copy = malloc(f.s.state_len);
	assert_int_equal(pread(f.s.state_fd, copy, f.s.state_len, 0), f.s.state_len);
	memset(copy + f.s.state_len / 2, 0x5a, sizeof(buf));
	fd = io_memfd("damaged", copy, f.s.state_len / 2 + sizeof(buf), &f.e);
	free(copy);
	close(f.s.state_fd);
	f.s.state_fd = fd;
	next_qemu(&f, true, NULL);
	run_fails(&f, ERR_EXITED, "QEMU exited with status 1");
	assert_string_equal(f.log, "C");
	assert_false(f.l.committed);
	assert_int_equal(*f.vm.counter, f.at_pause);
	end(&f);
}

static void test_other_machine(void **state)
{
	static const char *const more[] = { "-device", "usb-ehci,id=extra", NULL };
	struct fixture f;

	(void)state;
	begin(&f, more);
	save_ok(&f);
	next_qemu(&f, true, NULL);
	run_fails(&f, ERR_EXITED, "QEMU exited with status 1");
	assert_false(f.l.committed);
	end(&f);
}

static void test_commit_refused(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, NULL);
	save_ok(&f);
	next_qemu(&f, true, NULL);
	f.commit_fails = true;
	run_fails(&f, ERR_IO, "step commit: no ledger today");
	assert_string_equal(f.log, "CLR");
	assert_status(&f, "paused");
	assert_int_equal(*f.vm.counter, f.at_pause);
	end(&f);
}

/* Several VMs saved and loaded at once, one of them already dead. */
static void test_several(void **state)
{
	struct fixture f[3];
	struct plan *plans[3];
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&f[i], NULL);
		save_plan(&f[i].p, &f[i].s, &f[i].q, f[i].qemu.pidfd, TIMEOUT);
		plans[i] = &f[i].p;
	}
	kill(f[1].qemu.pid, SIGKILL);
	assert_int_equal(plan_run(plans, 3), 1);
	assert_int_equal(f[1].p.err.kind, ERR_EXITED);
	plans[1] = &f[2].p;
	next_qemu(&f[0], true, NULL);
	next_qemu(&f[2], true, NULL);
	assert_int_equal(plan_run(plans, 2), 0);
	assert_true(real_ticks(&f[0].qemu, 1));
	assert_true(real_ticks(&f[2].qemu, 1));
	for (i = 0; i < 3; i++)
		end(&f[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_save_load),
		cmocka_unit_test(test_resume_in_place),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_paused_stays_paused),
		cmocka_unit_test(test_from_postmigrate),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_continued_by_somebody),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_damaged_state),
		cmocka_unit_test(test_other_machine),
		cmocka_unit_test(test_commit_refused),
		cmocka_unit_test(test_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
