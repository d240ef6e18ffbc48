/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=qmp_connect,--wrap=plan_run,--wrap=sync */
/* The stage around its plans: VMs are sleeping processes with a state.json. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "flush.h"
#include "interrupt.h"
#include "ledger_fixture.h"
#include "preflight.h"
#include "qemu.h"
#include "stage.h"

/**
 * struct bench - a stage of some VMs
 * @runs: calls of plan_run(); @sizes: how many plans each had
 * @fails: name of the VM whose plan fails
 * @slow: sync() does not come back
 * @during: called while plans run
 */
static struct bench {
	struct host h;
	struct stage s;
	pid_t pid[3];
	unsigned int n, runs, sizes[8];
	const char *fails;
	bool slow;
	void (*during)(void);
} b;

void cmd_say(const char *fmt, ...)
{
	(void)fmt;
}

int __wrap_qmp_connect(const char *path, struct err *e);
unsigned int __wrap_plan_run(struct plan *const *plans, unsigned int n);
void __wrap_sync(void);

int __wrap_qmp_connect(const char *path, struct err *e)
{
	(void)path;
	(void)e;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

unsigned int __wrap_plan_run(struct plan *const *plans, unsigned int n)
{
	unsigned int failed = 0;

	b.sizes[b.runs++ % ARRAY_LEN(b.sizes)] = n;
	if (b.during)
		b.during();
	for (unsigned int i = 0; i < n; i++) {
		plans[i]->failed = b.fails && !strcmp(plans[i]->vm_name, b.fails);
		if (plans[i]->failed)
			err_set(&plans[i]->err, ERR_TIMEOUT, "not done in time");
		failed += plans[i]->failed;
	}
	return failed;
}

void __wrap_sync(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (b.slow)
		pause();
}

static int own_run(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ?
		-1 :
		0;
}

static void add_vm(const char *name)
{
	static char *no_args[] = { NULL };
	struct manifest_vm mv = {
		.vm = { .qemu = (char *)"/bin/true",
			.machine = (char *)"q35",
			.memory = 2 << 20,
			.memdev = (char *)"ram",
			.args = no_args,
			.timeout_ms = 1000 },
		.index = b.n,
		.extent = { .offset = (uint64_t)b.n << 21, .size = 2 << 20 },
		.was_running = true,
	};
	struct runstate rs = { .m = { .vms = &mv, .nvms = 1 } };
	struct err e = { 0 };
	char dir[128];

	snprintf(mv.vm.name, sizeof(mv.vm.name), "%s", name);
	snprintf(mv.extent.name, sizeof(mv.extent.name), "%s", name);
	snprintf(dir, sizeof(dir), HOLDOVER_RUN_DIR "/%s", name);
	rs.pid = fork();
	if (rs.pid == 0) {
		pause();
		_exit(0);
	}
	b.pid[b.n++] = rs.pid;
	assert_ok(qemu_start_time(rs.pid, &rs.start_time, &e), e);
	assert_ok(io_mkdir_p(dir, 0700, &e), e);
	assert_ok(runstate_save(&rs, &e), e);
}

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
		return -1;
	b.h = (struct host)HOST_INIT;
	stage_init(&b.s, &b.h);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_close(&b.s);
	for (unsigned int i = 0; i < b.n; i++) {
		kill(b.pid[i], SIGKILL);
		waitpid(b.pid[i], NULL, 0);
	}
	return umount2("/run", MNT_DETACH);
}

static void three_vms(void)
{
	struct err e = { 0 };

	add_vm("a");
	add_vm("b");
	add_vm("c");
	assert_ok(stage_collect(&b.s, &e), e);
	assert_int_equal(b.s.n, 3);
}

static bool paused(const char *name)
{
	struct err e = { 0 };
	bool was_running;

	return runstate_read_pause(name, &was_running, &e) == 0;
}

/* ---- going on ------------------------------------------------------------ */

static void pause_all(void)
{
	struct err e = { 0 };

	for (unsigned int i = 0; i < b.s.n; i++) {
		assert_ok(runstate_note_pause(b.s.vm[i].rs.m.vms[0].vm.name, true, &e), e);
		b.s.vm[i].paused_here = true;
	}
}

static void all_go_on_at_once(void **state)
{
	struct err e = { 0 };

	(void)state;
	three_vms();
	pause_all();
	b.fails = "b";
	assert_int_equal(stage_continue_all(&b.s, &e), 1);
	assert_int_equal(b.runs, 1);
	assert_int_equal(b.sizes[0], 3);
	assert_non_null(strstr(e.msg, "vm b: not done in time"));
	assert_false(paused("a"));
	assert_true(paused("b"));
	assert_false(paused("c"));
	/* Once more for those that are left. */
	b.fails = NULL;
	assert_int_equal(stage_continue_all(&b.s, &e), 0);
	assert_int_equal(b.sizes[1], 1);
	assert_false(paused("b"));
}

static void one_without_a_note_holds_up_no_other(void **state)
{
	struct err e = { 0 };

	(void)state;
	three_vms();
	pause_all();
	assert_ok(runstate_clear_pause("a", &e), e);
	assert_int_equal(stage_continue_all(&b.s, &e), 1);
	assert_int_equal(b.sizes[0], 2);
	assert_false(paused("b"));
	assert_false(paused("c"));
}

/* ---- does it live? ------------------------------------------------------- */

static void only_what_is_known_to_have_ended_has_ended(void **state)
{
	struct runstate rs = RUNSTATE_INIT;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(runstate_alive("a", NULL, &e), 0);
	add_vm("a");
	assert_int_equal(runstate_alive("a", NULL, &e), 1);
	assert_int_equal(runstate_alive("a", &rs, &e), 1);
	assert_int_equal(rs.pid, b.pid[0]);
	assert_true(rs.pidfd >= 0);
	runstate_free(&rs);
	assert_ok(io_write_file(HOLDOVER_RUN_DIR "/a/state.json", "{", 1, 0600, &e), e);
	assert_int_equal(runstate_alive("a", NULL, &e), -1);
	assert_non_null(strstr(e.msg, "state.json"));
	assert_kind(e, ERR_REFUSED);
	add_vm("c");
	kill(b.pid[1], SIGKILL);
	waitpid(b.pid[1], NULL, 0);
	assert_int_equal(runstate_alive("c", NULL, &e), 0);
}

/* Too few descriptors: the process may well be there. */
static void a_pidfd_that_cannot_be_had_says_nothing(void **state)
{
	struct rlimit limit, none;
	struct err e = { 0 };
	int fd, lowest;

	(void)state;
	add_vm("a");
	lowest = dup(0);
	close(lowest);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	/* The file itself can still be read. */
	none = (struct rlimit){ .rlim_cur = (rlim_t)lowest + 1, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	fd = qemu_pid_open(b.pid[0], 0, &e);
	assert_int_equal(fd, -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_kind(e, ERR_IO);
}

/* ---- signals ------------------------------------------------------------- */

static volatile sig_atomic_t came;

static void on_signal(int sig)
{
	came = sig;
}

static void interrupt_me(void)
{
	raise(SIGTERM);
	raise(SIGTSTP);
}

static void noted_while_held(void)
{
	interrupt_me();
	assert_int_equal(came, 0);
}

static void a_rehearsal_is_not_interrupted(void **state)
{
	struct preflight *p = calloc(1, sizeof(*p));

	(void)state;
	three_vms();
	came = 0;
	signal(SIGTERM, on_signal);
	signal(SIGTSTP, on_signal);
	b.during = noted_while_held;
	preflight_rehearse(p, &b.s);
	assert_int_not_equal(came, 0);
	signal(SIGTERM, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
	free(p);
}

static void held_signals_are_told(void **state)
{
	sigset_t before, inner;
	struct err e = { 0 };

	(void)state;
	came = 0;
	signal(SIGINT, on_signal);
	signal(SIGHUP, SIG_IGN);
	interrupt_hold(&before);
	raise(SIGHUP);
	assert_ok(interrupt_check(&e), e);
	raise(SIGINT);
	assert_int_equal(interrupt_check(&e), -1);
	assert_kind(e, ERR_REFUSED);
	interrupt_hold(&inner);
	interrupt_release(&inner);
	assert_int_equal(came, 0);
	interrupt_release(&before);
	assert_int_equal(came, SIGINT);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
}

/* ---- flushing ------------------------------------------------------------ */

static void a_stuck_flush_holds_no_lock(void **state)
{
	struct err e = { 0 };
	int lock, again;

	(void)state;
	assert_true(flush_disks(10000));
	lock = io_lock("/run/lock", &e);
	assert_true(lock >= 0);
	b.slow = true;
	assert_false(flush_disks(50));
	close(lock);
	again = io_lock("/run/lock", &e);
	if (again < 0)
		fail_msg("%s", e.msg);
	close(again);
}

static void a_signal_ends_the_wait(void **state)
{
	int64_t start = io_now_ms();
	sigset_t before;

	(void)state;
	signal(SIGINT, on_signal);
	b.slow = true;
	interrupt_hold(&before);
	raise(SIGINT);
	assert_false(flush_disks(20000));
	assert_true(io_now_ms() - start < 10000);
	interrupt_release(&before);
	signal(SIGINT, SIG_DFL);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(all_go_on_at_once),
		CASE(one_without_a_note_holds_up_no_other),
		CASE(only_what_is_known_to_have_ended_has_ended),
		CASE(a_pidfd_that_cannot_be_had_says_nothing),
		CASE(a_rehearsal_is_not_interrupted),
		CASE(held_signals_are_told),
		CASE(a_stuck_flush_holds_no_lock),
		CASE(a_signal_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, own_run, NULL);
}
