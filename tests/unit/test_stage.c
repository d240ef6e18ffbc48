/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=qmp_connect,--wrap=plan_run,--wrap=sync,--wrap=host_open,--wrap=host_open_ledger,--wrap=kexec_loaded,--wrap=kexec_unload,--wrap=kexec_thaw_all */
/* The stage around its plans: VMs are sleeping processes with a state.json. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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
 * @stuck: how often unloading fails before it works
 * @thawed: all file systems were thawed
 * @no_ledger: it cannot be opened
 * @said: what was printed last
 */
static struct bench {
	struct host h;
	struct stage s;
	pid_t pid[3];
	unsigned int n, runs, sizes[8];
	const char *fails;
	bool slow;
	void (*during)(void);
	struct fixture f;
	unsigned int stuck;
	bool loaded, thawed, no_ledger;
	char said[4096];
} b;

int cmd_fail(const struct err *e)
{
	print_message("%s\n", e->msg);
	return EXIT_FAILED;
}

int cmd_usage(const struct cmd *cmd, const char *fmt, ...)
{
	(void)cmd;
	(void)fmt;
	return EXIT_USAGE;
}

void cmd_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b.said, sizeof(b.said), fmt, ap);
	va_end(ap);
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

int __wrap_host_open(struct host *h, const struct app *app, unsigned int need, struct err *e);
int __wrap_host_open_ledger(struct host *h, struct err *e);
int __wrap_kexec_loaded(bool *out, struct err *e);
int __wrap_kexec_unload(struct err *e);
void __wrap_kexec_thaw_all(void);

int __wrap_host_open(struct host *h, const struct app *app, unsigned int need, struct err *e)
{
	(void)app;
	return need & HOST_LEDGER ? host_open_ledger(h, e) : 0;
}

int __wrap_host_open_ledger(struct host *h, struct err *e)
{
	if (b.no_ledger)
		return err_set(e, ERR_FORMAT, "no ledger here");
	h->ledger = b.f.l;
	return 0;
}

int __wrap_kexec_loaded(bool *out, struct err *e)
{
	(void)e;
	*out = b.loaded;
	return 0;
}

int __wrap_kexec_unload(struct err *e)
{
	if (b.stuck && b.stuck--)
		return err_set(e, ERR_IO, "busy");
	b.loaded = false;
	return 0;
}

void __wrap_kexec_thaw_all(void)
{
	b.thawed = true;
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
		prctl(PR_SET_PDEATHSIG, SIGKILL);
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
	if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ||
	    mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=755") < 0)
		return -1;
	fixture_setup(&b.f);
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
	fixture_teardown(&b.f);
	return umount2("/run", MNT_DETACH) || umount2("/var/lib", MNT_DETACH);
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

static void pause_all(void)
{
	struct err e = { 0 };

	for (unsigned int i = 0; i < b.s.n; i++) {
		assert_ok(runstate_note_pause(b.s.vm[i].rs.m.vms[0].vm.name, true, &e), e);
		b.s.vm[i].paused_here = true;
	}
}

/* ---- going on ------------------------------------------------------------ */

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

/* ---- abort --------------------------------------------------------------- */

static void seal(unsigned int index)
{
	struct vm_record rec = { .state = VM_SEALED, .generation = 7 };
	struct err e = { 0 };

	assert_ok(io_boot_id(rec.boot_id, &e), e);
	assert_ok(ledger_record_write(&b.f.l, index, &rec, &e), e);
}

static enum vm_state state_of(unsigned int index)
{
	struct vm_record rec;
	struct err e = { 0 };

	assert_ok(ledger_record_read(&b.f.l, index, &rec, &e), e);
	return rec.state;
}

static void damage(unsigned int index)
{
	seal(index);
	seal(index);
	for (unsigned int half = 0; half < 2; half++)
		b.f.mem[LEDGER_RECORDS_OFFSET + half * LEDGER_RECORDS_HALF + index * LEDGER_LINE + 20] ^=
			1;
}

/* A stage that died after the seal: three VMs, all paused. */
static void dead_stage(void)
{
	struct extent_table *t = calloc(1, sizeof(*t));
	struct ticket ticket = { .generation = 7 };
	struct err e = { 0 };

	add_vm("a");
	add_vm("b");
	add_vm("c");
	for (unsigned int i = 0; i < 3; i++) {
		const char name[] = { (char)('a' + i), '\0' };

		assert_int_equal(extent_alloc(t, &b.f.geo, name, 2 << 20, &e), i);
		assert_ok(runstate_note_pause(name, true, &e), e);
		seal(i);
	}
	assert_ok(ledger_extents_write(&b.f.l, t, &e), e);
	free(t);
	assert_ok(io_mkdir_p(HOLDOVER_LIB_DIR, 0700, &e), e);
	assert_ok(ticket_save(HOLDOVER_TICKET_COPY, &ticket, &e), e);
	b.loaded = true;
}

static int run_abort(void)
{
	const struct app app = { .config_dir = "/nonexistent" };
	char name[] = "abort";
	char *argv[] = { name, NULL };
	sigset_t none;
	int r = cmd_abort.run(&app, 1, argv);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return r;
}

static bool have_ticket(void)
{
	return access(HOLDOVER_TICKET_COPY, F_OK) == 0;
}

static void abort_undoes_everything(void **state)
{
	(void)state;
	dead_stage();
	assert_int_equal(run_abort(), EXIT_DONE);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(state_of(i), VM_ABORTED);
	assert_false(b.loaded);
	assert_true(b.thawed);
	assert_false(have_ticket());
	assert_false(paused("a") || paused("b") || paused("c"));
	assert_int_equal(run_abort(), EXIT_NOTHING);
}

/* Somebody may have continued it before it ended. */
static void a_dead_one_may_have_run(void **state)
{
	(void)state;
	dead_stage();
	kill(b.pid[1], SIGKILL);
	waitpid(b.pid[1], NULL, 0);
	assert_int_equal(run_abort(), EXIT_DONE);
	assert_int_equal(state_of(0), VM_ABORTED);
	assert_int_equal(state_of(1), VM_RELEASED);
	assert_true(have_ticket());
	assert_false(paused("a") || paused("c"));
}

static void end_b(void)
{
	kill(b.pid[1], SIGKILL);
	waitpid(b.pid[1], NULL, 0);
	b.fails = "b";
}

/* In the middle of it all. */
static void one_that_ends_meanwhile_is_not_lost(void **state)
{
	(void)state;
	dead_stage();
	b.during = end_b;
	assert_int_equal(run_abort(), EXIT_PARTIAL);
	assert_int_equal(state_of(0), VM_ABORTED);
	assert_int_equal(state_of(1), VM_RELEASED);
	assert_true(have_ticket());
}

static void a_damaged_record_keeps_no_other_paused(void **state)
{
	(void)state;
	dead_stage();
	damage(1);
	b.stuck = 2;
	assert_int_equal(run_abort(), EXIT_PARTIAL);
	assert_false(paused("a") || paused("c"));
	assert_true(paused("b"));
	assert_int_equal(state_of(0), VM_ABORTED);
	/* Once nothing can resume it, it runs on as well. */
	assert_int_equal(run_abort(), EXIT_DONE);
	assert_false(b.loaded || have_ticket() || paused("b"));
}

static void one_that_stays_sealed_stays_paused(void **state)
{
	(void)state;
	dead_stage();
	fixture_arm(&b.f, STOP_FAIL, 0, 0);
	assert_int_equal(run_abort(), EXIT_PARTIAL);
	assert_true(paused("a") && paused("b") && paused("c"));
	assert_false(b.loaded);
	b.f.stop = STOP_NEVER;
	assert_int_equal(run_abort(), EXIT_DONE);
	assert_false(paused("a") || paused("b") || paused("c"));
}

static void an_unreadable_state_json_neither(void **state)
{
	struct err e = { 0 };

	(void)state;
	dead_stage();
	assert_ok(io_write_file(HOLDOVER_RUN_DIR "/b/state.json", "{", 1, 0600, &e), e);
	assert_int_equal(run_abort(), EXIT_PARTIAL);
	assert_int_equal(state_of(0), VM_ABORTED);
	assert_int_equal(state_of(1), VM_SEALED);
	assert_false(paused("a") || paused("c"));
}

/* ---- the stage's own abort ------------------------------------------------ */

static void sealed_here(void)
{
	struct err e = { 0 };

	dead_stage();
	b.h.ledger = b.f.l;
	assert_ok(stage_collect(&b.s, &e), e);
	for (unsigned int i = 0; i < 3; i++)
		b.s.vm[i].paused_here = b.s.vm[i].sealed = true;
	b.s.loaded = b.s.ticket_saved = true;
	assert_ok(io_boot_id(b.s.boot_id, &e), e);
}

static void a_kernel_that_stays_keeps_nothing_paused(void **state)
{
	(void)state;
	sealed_here();
	b.stuck = 1;
	assert_int_equal(stage_abort(&b.s), 0);
	assert_false(b.loaded || paused("a") || paused("b") || paused("c"));
	pause_all();
	b.s.loaded = b.loaded = true;
	for (unsigned int i = 0; i < 3; i++)
		b.s.vm[i].paused_here = true;
	b.stuck = 2;
	assert_int_equal(stage_abort(&b.s), -1);
	assert_non_null(strstr(b.said, "do not run 'kexec -e'"));
	assert_false(paused("a") || paused("b") || paused("c"));
	assert_int_equal(state_of(0), VM_ABORTED);
}

static void a_seal_that_stays_keeps_its_vm_paused(void **state)
{
	(void)state;
	sealed_here();
	fixture_arm(&b.f, STOP_FAIL, 0, 0);
	assert_int_equal(stage_abort(&b.s), -1);
	assert_non_null(strstr(b.said, "stays paused"));
	assert_non_null(strstr(b.said, "'cont' on /run/holdover/a/qmp.sock"));
	assert_true(paused("a"));
}

static void nothing_begun_nothing_undone(void **state)
{
	(void)state;
	dead_stage();
	b.loaded = true;
	assert_int_equal(stage_abort(&b.s), 0);
	assert_true(b.loaded);
	assert_true(paused("a"));
	assert_int_equal(state_of(0), VM_SEALED);
}

static void without_a_ledger_they_run_on_when_no_seal_can_be_used(void **state)
{
	(void)state;
	dead_stage();
	b.no_ledger = b.loaded = true;
	b.stuck = 2;
	assert_int_equal(run_abort(), EXIT_PARTIAL);
	assert_true(paused("a") && paused("b") && paused("c"));
	assert_non_null(strstr(b.said, "kexec -u"));
	assert_int_equal(run_abort(), EXIT_PARTIAL);
	assert_false(b.loaded || paused("a") || paused("b") || paused("c"));
	/* Nobody could write there. */
	assert_int_equal(state_of(0), VM_SEALED);
}

/* ---- the last look ------------------------------------------------------- */

static void what_qemu_says_last_counts(void **state)
{
	static const char resume[] = "{\"event\": \"RESUME\"}\r\n";
	static const char other[] = "{\"event\": \"RTC_CHANGE\"}\r\n";
	struct err e = { 0 };
	int sv[2];

	(void)state;
	add_vm("a");
	assert_ok(stage_collect(&b.s, &e), e);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv), 0);
	qmp_init(&b.s.vm[0].qmp, sv[0]);
	assert_ok(stage_listen(&b.s, &e), e);
	assert_int_equal(write(sv[1], other, strlen(other)), strlen(other));
	assert_ok(stage_listen(&b.s, &e), e);
	assert_int_equal(write(sv[1], other, strlen(other)), strlen(other));
	assert_int_equal(write(sv[1], resume, strlen(resume)), strlen(resume));
	assert_int_equal(stage_listen(&b.s, &e), -1);
	assert_kind(e, ERR_REFUSED);
	close(sv[1]);
	assert_int_equal(stage_listen(&b.s, &e), -1);
	assert_kind(e, ERR_EXITED);
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
static void *wait_on(void *arg)
{
	(void)arg;
	pause();
	return NULL;
}

static pid_t start_threads(void)
{
	pid_t pid = fork();
	pthread_t thread;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	raise(SIGSTOP);
	if (pthread_create(&thread, NULL, wait_on, NULL))
		_exit(1);
	syscall(SYS_exit, 0); /* of this thread alone */
	_exit(1);
}

/* Its first thread is gone, and another one lives. */
static void a_thread_that_lives_is_a_process_that_lives(void **state)
{
	pid_t pid = start_threads();
	struct err e = { 0 };
	uint64_t start;
	int fd;

	(void)state;
	waitpid(pid, NULL, WUNTRACED);
	assert_ok(qemu_start_time(pid, &start, &e), e);
	kill(pid, SIGCONT);
	while (qemu_start_time(pid, &(uint64_t){ 0 }, &e) == 0)
		sched_yield();
	err_clear(&e);
	fd = qemu_pid_open(pid, start, &e);
	assert_true(fd >= 0);
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(qemu_pid_open(pid, start, &e), -1);
	assert_kind(e, ERR_ABSENT);
}

/* One that SIGKILL does not end, since it hangs in the kernel, keeps its RAM. */
static void what_has_not_ended_is_not_forgotten(void **state)
{
	struct err e = { 0 };

	(void)state;
	add_vm("a");
	assert_int_equal(runstate_forget("a", &e), -1);
	assert_kind(e, ERR_REFUSED);
	err_clear(&e);
	assert_int_equal(runstate_alive("a", NULL, &e), 1);
	kill(b.pid[0], SIGKILL);
	waitpid(b.pid[0], NULL, 0);
	assert_ok(runstate_forget("a", &e), e);
	assert_int_equal(access("/run/holdover/a/state.json", F_OK), -1);
	assert_ok(runstate_forget("never", &e), e);
}

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
		CASE(abort_undoes_everything),
		CASE(a_dead_one_may_have_run),
		CASE(one_that_ends_meanwhile_is_not_lost),
		CASE(a_damaged_record_keeps_no_other_paused),
		CASE(one_that_stays_sealed_stays_paused),
		CASE(an_unreadable_state_json_neither),
		CASE(a_kernel_that_stays_keeps_nothing_paused),
		CASE(a_seal_that_stays_keeps_its_vm_paused),
		CASE(nothing_begun_nothing_undone),
		CASE(without_a_ledger_they_run_on_when_no_seal_can_be_used),
		CASE(what_qemu_says_last_counts),
		CASE(only_what_is_known_to_have_ended_has_ended),
		CASE(what_has_not_ended_is_not_forgotten),
		CASE(a_thread_that_lives_is_a_process_that_lives),
		CASE(a_pidfd_that_cannot_be_had_says_nothing),
		CASE(a_rehearsal_is_not_interrupted),
		CASE(held_signals_are_told),
		CASE(a_stuck_flush_holds_no_lock),
		CASE(a_signal_ends_the_wait),
	};

	return cmocka_run_group_tests(tests, own_run, NULL);
}
