/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=qemu_start,--wrap=load_plan,--wrap=plan_run */
/*
 * The engine's decisions, with a QEMU that is a sleeping process: which VMs are
 * resumed, what their records say afterwards, and what becomes of the process.
 */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk.h"
#include "disk_wait.h"
#include "ledger_fixture.h"
#include "load.h"
#include "qemu.h"
#include "report.h"
#include "restore.h"
#include "runstate.h"

#define MIB (1ULL << 20)
#define GENERATION 7
#define RAM "/run/ram"

/**
 * struct bench - a sealed VM and what the engine does to it
 * @starts: QEMUs started
 * @conts: VMs that were let run
 * @timeout_ms: of the load that ran last
 * @last: the QEMU started last
 * @touched: file whose time changes while QEMU loads
 * @scribble: QEMU writes into its RAM while it loads
 * @ram: what QEMU maps instead of the device
 * @shift: where it maps it, from where it should
 * @fails: the load does, in this way
 * @foreign: somebody else continues it while it loads
 * @no_cont: `cont` is refused and QEMU says that it never ran
 */
static struct bench {
	struct fixture f;
	struct restore r;
	struct restore_report report;
	struct manifest_vm mv;
	uint8_t key[TICKET_KEY];
	struct load *load;
	unsigned int starts, conts;
	int timeout_ms;
	pid_t last;
	const char *ram, *touched;
	uint64_t shift;
	enum err_kind fails;
	bool scribble, no_cont, foreign, half;
} b;

/* With @path mapped where these @parts of a VM's RAM are. */
static pid_t sleeper(const char *path, const struct ram *ram, unsigned int parts)
{
	int ready[2], fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 0; i < parts; i++)
			if (mmap(NULL, ram[i].size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				 (off_t)(ram[i].offset + b.shift)) == MAP_FAILED)
				_exit(1);
		close(ready[1]);
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 0);
	close(ready[0]);
	if (fd >= 0)
		close(fd);
	return pid;
}

static bool lives(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void change_ram(uint64_t at)
{
	uint8_t page[4096];
	int fd = open(RAM, O_RDWR | O_CLOEXEC);

	memset(page, 0x5a, sizeof(page));
	assert_true(fd >= 0);
	for (unsigned int i = 0; i < 16; i++, at += sizeof(page))
		assert_int_equal(pwrite(fd, page, sizeof(page), (off_t)at), sizeof(page));
	close(fd);
}

int __wrap_qemu_start(const struct qemu_launch *launch, struct qemu_proc *out, struct err *e);
void __wrap_load_plan(struct plan *p, struct load *l, struct qmp *q, int pidfd, int timeout_ms);
unsigned int __wrap_plan_run(struct plan *const *plans, unsigned int n);

int __wrap_qemu_start(const struct qemu_launch *launch, struct qemu_proc *out, struct err *e)
{
	assert_true(launch->incoming);
	b.starts++;
	out->pid = b.last = sleeper(b.ram ? b.ram : launch->ram[0].path, launch->ram,
				    b.half ? 1 : vm_parts(launch->vm));
	out->pidfd = (int)syscall(SYS_pidfd_open, out->pid, 0);
	if (qemu_start_time(out->pid, &out->start_time, e) < 0)
		return -1;
	return launch->born ? launch->born(launch->ctx, out, e) : 0;
}

void __wrap_load_plan(struct plan *p, struct load *l, struct qmp *q, int pidfd, int timeout_ms)
{
	(void)q;
	(void)pidfd;
	memset(p, 0, sizeof(*p));
	p->timeout_ms = timeout_ms;
	b.load = l;
}

static int play(struct load *l, struct err *e)
{
	if (b.scribble)
		change_ram(b.mv.extent.offset);
	if (b.touched)
		assert_int_equal(utimensat(AT_FDCWD, b.touched, NULL, 0), 0);
	if (b.fails)
		return err_set(e, b.fails, "as told");
	if (b.foreign) { /* as load_seen() has it */
		l->resumed = true;
		l->committed = l->commit(l, e) == 0;
		return l->committed ? err_set(e, ERR_REFUSED, "somebody else") : -1;
	}
	if (l->connected(l, e) < 0 || l->loaded(l, e) < 0 || l->commit(l, e) < 0)
		return -1;
	l->committed = true;
	l->never_ran = b.no_cont;
	if (b.no_cont)
		return err_set(e, ERR_REFUSED, "no write lock");
	b.conts++;
	l->resumed = true;
	return l->running(l, e);
}

unsigned int __wrap_plan_run(struct plan *const *plans, unsigned int n)
{
	b.timeout_ms = n ? plans[0]->timeout_ms : 0;
	if (n)
		plans[0]->failed = play(b.load, &plans[0]->err) < 0;
	return n ? plans[0]->failed : 0;
}

static int own_run(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ?
		-1 :
		0;
}

static void record_is(enum vm_state state, enum err_kind reason)
{
	struct vm_record rec;
	struct err e = { 0 };

	assert_ok(ledger_record_read(&b.f.l, 0, &rec, &e), e);
	assert_string_equal(vm_state_name(rec.state), vm_state_name(state));
	assert_string_equal(err_kind_name(rec.reason), err_kind_name(reason));
}

/* By somebody in an earlier boot, or by another holder of the device. */
static void set_record(enum vm_state state)
{
	struct vm_record rec = { .state = state, .attempt = 1, .generation = GENERATION };
	struct err e = { 0 };

	memcpy(rec.ticket_id, b.r.ticket_id, 16);
	memset(rec.boot_id, 0xb0, 16);
	assert_ok(ledger_record_write(&b.f.l, 0, &rec, &e), e);
}

static void seal(enum canary_mode mode)
{
	struct ram ram = { .path = RAM, .offset = 2 * MIB, .size = 4 * MIB };
	static const char blob[] = "device state";
	static char *no_args[] = { NULL };
	struct err e = { 0 };

	b.mv = (struct manifest_vm){
		.vm = { .name = "db1",
			.qemu = "/usr/bin/qemu-system-x86_64",
			.machine = "pc-q35-10.0",
			.memory = 4 * MIB,
			.memdev = "ram",
			.args = no_args,
			.timeout_ms = 1000 },
		.extent = { .name = "db1", .offset = 2 * MIB, .size = 4 * MIB },
		.was_running = true,
	};
	assert_ok(canary_take(&ram, mode, 1, &b.mv.canary, &e), e);
	assert_ok(ledger_blob_write(&b.f.l, "db1", GENERATION, b.key, blob, sizeof(blob),
				    &b.mv.blob, &e),
		  e);
	set_record(VM_SEALED);
}

static void begin(enum restore_who who)
{
	struct err e = { 0 };

	restore_init(&b.r, who);
	b.r.ledger = b.f.l;
	b.r.m = (struct manifest){ .generation = GENERATION, .vms = &b.mv, .nvms = 1 };
	memcpy(b.r.ticket.key, b.key, TICKET_KEY);
	b.r.ticket.generation = GENERATION;
	ledger_key_id(b.key, b.r.ticket_id);
	assert_ok(io_boot_id(b.r.boot_id, &e), e);
	snprintf(b.r.store.dev.path, sizeof(b.r.store.dev.path), "%s", RAM);
}

static int setup(void **state)
{
	int fd;

	(void)state;
	memset(&b, 0, sizeof(b));
	if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
		return -1;
	fd = open(RAM, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 8 * MIB) < 0)
		return -1;
	close(fd);
	fixture_setup(&b.f);
	fixture_key(1, b.key);
	begin(RESTORE_AGENT);
	seal(CANARY_SAMPLE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (b.last)
		end(b.last);
	fixture_teardown(&b.f);
	return umount2("/run", MNT_DETACH);
}

static void go(enum restore_result want, const char *says)
{
	struct err e = { 0 };

	assert_ok(restore_vms(&b.r, &b.report, &e), e);
	assert_int_equal(b.report.vms, 1);
	if (b.report.vm[0].result != want || !strstr(b.report.vm[0].err.msg, says))
		fail_msg("%s: %s", restore_result_name(b.report.vm[0].result),
			 b.report.vm[0].err.msg);
}

/* ---- canaries ------------------------------------------------------------ */

static void untouched_ram_is_resumed(void **state)
{
	(void)state;
	for (unsigned int mode = CANARY_NONE; mode < CANARY_MODES; mode++) {
		unlink(HOLDOVER_RUN_DIR "/db1/record");
		seal((enum canary_mode)mode);
		go(RESTORE_RUNNING, "");
		record_is(VM_RUNNING, ERR_NONE);
		assert_int_equal(b.conts, mode + 1);
		assert_true(lives(b.last));
		end(b.last);
		b.last = 0;
	}
}

static void changed_ram_is_kept(void **state)
{
	(void)state;
	change_ram(b.mv.extent.offset + MIB);
	go(RESTORE_FAILED, "RAM was changed since it was saved");
	assert_int_equal(b.report.vm[0].err.kind, ERR_MISMATCH);
	assert_int_equal(b.report.failed, 1);
	record_is(VM_FAILED, ERR_MISMATCH);
	assert_int_equal(b.starts, 1);
	assert_int_equal(b.conts, 0);
	assert_false(lives(b.last));
	b.last = 0;
	/* and stays so when the operator tries */
	begin(RESTORE_OPERATOR);
	go(RESTORE_FAILED, "RAM was changed since it was saved");
	assert_int_equal(b.conts, 0);
	b.last = 0;
}

static void a_qemu_that_writes_is_noticed(void **state)
{
	(void)state;
	b.scribble = true;
	go(RESTORE_FAILED, "RAM was changed since it was saved");
	record_is(VM_FAILED, ERR_MISMATCH);
	assert_int_equal(b.conts, 0);
	assert_false(lives(b.last));
	b.last = 0;
}

static void other_vms_ram_does_not_count(void **state)
{
	(void)state;
	change_ram(0);
	change_ram(b.mv.extent.offset + b.mv.extent.size);
	go(RESTORE_RUNNING, "");
}

static void a_full_one_comes_before_qemu(void **state)
{
	(void)state;
	seal(CANARY_FULL);
	change_ram(b.mv.extent.offset + b.mv.extent.size - MIB);
	go(RESTORE_FAILED, "RAM was changed since it was saved");
	assert_int_equal(b.starts, 0);
	record_is(VM_SEALED, ERR_NONE);
}

static void the_second_copy_demands_canaries(void **state)
{
	(void)state;
	seal(CANARY_NONE);
	begin(RESTORE_OPERATOR);
	b.r.second_copy = true;
	go(RESTORE_KEPT, "without canaries");
	assert_int_equal(b.report.vm[0].err.kind, ERR_REFUSED);
	assert_int_equal(b.starts, 0);
	record_is(VM_SEALED, ERR_NONE);
	seal(CANARY_SAMPLE);
	begin(RESTORE_OPERATOR);
	b.r.second_copy = true;
	go(RESTORE_RUNNING, "");
}

static void the_boots_own_ticket_needs_none(void **state)
{
	(void)state;
	seal(CANARY_NONE);
	begin(RESTORE_LATE);
	go(RESTORE_RUNNING, "");
}

/* ---- the RAM is the device ------------------------------------------------ */

static void ram_is_elsewhere(void)
{
	go(RESTORE_FAILED, "has not mapped");
	record_is(VM_FAILED, ERR_MISMATCH);
	assert_int_equal(b.conts, 0);
	assert_false(lives(b.last));
	b.last = 0;
}

static void ram_of_a_file_of_that_name(void **state)
{
	int fd = open("/run/other", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8 * MIB), 0);
	close(fd);
	b.ram = "/run/other";
	ram_is_elsewhere();
}

static void ram_at_another_place(void **state)
{
	(void)state;
	b.shift = MIB;
	ram_is_elsewhere();
}

/* The same RAM as two parts, with a gap between them. */
static void in_two_parts(enum canary_mode mode)
{
	static char *args[] = { "-numa", "node,memdev=ram", "-numa", "node,memdev=more", NULL };
	struct ram ram[2] = { { .path = RAM, .offset = 2 * MIB, .size = 2 * MIB },
			      { .path = RAM, .offset = 6 * MIB, .size = 2 * MIB } };
	struct err e = { 0 };

	b.mv.vm.args = args;
	b.mv.vm.nargs = 4;
	b.mv.vm.more[0] = (struct vm_part){ .memdev = (char *)"more", .size = 2 * MIB };
	b.mv.vm.nmore = 1;
	b.mv.extent.size = 2 * MIB;
	b.mv.more[0].extent = b.mv.extent;
	b.mv.more[0].extent.part = 1;
	b.mv.more[0].extent.offset = 6 * MIB;
	assert_ok(canary_take(&ram[0], mode, 2, &b.mv.canary, &e), e);
	assert_ok(canary_take(&ram[1], mode, 2, &b.mv.more[0].canary, &e), e);
}

static void ram_of_two_parts(void **state)
{
	(void)state;
	in_two_parts(CANARY_FULL);
	change_ram(0);
	change_ram(4 * MIB);
	go(RESTORE_RUNNING, "");
	record_is(VM_RUNNING, ERR_NONE);
}

static void a_second_part_that_qemu_has_not(void **state)
{
	(void)state;
	in_two_parts(CANARY_SAMPLE);
	b.half = true;
	ram_is_elsewhere();
}

static void a_second_part_that_was_changed(void **state)
{
	(void)state;
	in_two_parts(CANARY_SAMPLE);
	change_ram(6 * MIB);
	go(RESTORE_FAILED, "RAM was changed since it was saved");
	assert_int_equal(b.conts, 0);
	b.last = 0;
	in_two_parts(CANARY_FULL);
	set_record(VM_SEALED);
	change_ram(8 * MIB - (64 << 10));
	b.starts = 0;
	begin(RESTORE_OPERATOR);
	go(RESTORE_FAILED, "RAM was changed since it was saved");
	assert_int_equal(b.starts, 0);
}

static void a_second_part_in_a_region_that_is_not_there(void **state)
{
	(void)state;
	in_two_parts(CANARY_SAMPLE);
	b.mv.more[0].extent.region = 1;
	go(RESTORE_KEPT, "region 1");
	assert_int_equal(b.starts, 0);
	record_is(VM_SEALED, ERR_NONE);
}

static int path_check(const char *root, const char *path, struct err *e)
{
	struct ram ram = { .offset = 2 * MIB, .size = 4 * MIB };

	snprintf(ram.path, sizeof(ram.path), "%s", path);
	err_clear(e);
	return qemu_ram_path_check(root, &ram, e);
}

/* Without canaries nobody else would notice before the guest runs on zeros. */
static void ram_file_that_is_too_short(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(truncate(RAM, 0), 0);
	assert_int_equal(path_check(NULL, RAM, &e), -1);
	assert_int_equal(e.kind, ERR_MISMATCH);
	assert_int_equal(truncate(RAM, 6 * MIB - 1), 0);
	assert_int_equal(path_check(NULL, RAM, &e), -1);
	assert_int_equal(truncate(RAM, 6 * MIB), 0);
	assert_ok(path_check(NULL, RAM, &e), e);
}

static void ram_path_in_a_root(void **state)
{
	struct err e = { 0 };
	int fd;

	(void)state;
	assert_ok(path_check(NULL, RAM, &e), e);
	assert_ok(path_check("", "/dev/null", &e), e);
	assert_int_equal(path_check(NULL, "/run/none", &e), -1);
	assert_ok(io_mkdir_p("/run/root/dev", 0755, &e), e);
	assert_int_equal(path_check("/run/root", "/dev/null", &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_non_null(strstr(e.msg, "does not exist in /run/root"));
	fd = open("/run/root/dev/null", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(path_check("/run/root", "/dev/null", &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_non_null(strstr(e.msg, "is not the device"));
	unlink("/run/root/dev/null");
	assert_int_equal(mknod("/run/root/dev/zero", S_IFCHR | 0600, makedev(1, 3)), 0);
	/* A link is followed as QEMU would. */
	assert_int_equal(symlink("/dev/zero", "/run/root/dev/null"), 0);
	assert_ok(path_check("/run/root", "/dev/null", &e), e);
	assert_int_equal(path_check("/run/root", "/dev/zero", &e), -1);
	assert_non_null(strstr(e.msg, "is not the device"));
}

/* ---- the root that QEMU is chrooted into ---------------------------------- */

static void make_root(bool complete)
{
	static const char *const dirs[] = { "dev", "proc", "sys", "run" };
	struct err e = { 0 };
	char path[64];

	for (size_t i = 0; i < (complete ? 4u : 3u); i++) {
		snprintf(path, sizeof(path), "/run/root/%s", dirs[i]);
		assert_ok(io_mkdir_p(path, 0755, &e), e);
	}
	if (complete) {
		assert_ok(io_mkdir_p("/run/root/usr/bin", 0755, &e), e);
		assert_ok(io_write_file("/run/root/usr/bin/qemu-system-x86_64", "", 0, 0755, &e), e);
	}
	b.r.root = "/run/root";
}

static void a_root_without_its_qemu_claims_nothing(void **state)
{
	(void)state;
	make_root(true);
	assert_int_equal(unlink("/run/root/usr/bin/qemu-system-x86_64"), 0);
	go(RESTORE_LATER, "qemu-system-x86_64 is not there (yet)");
	b.r.who = RESTORE_EARLY;
	b.mv.vm.placement = VM_PLACE_INITRAMFS;
	go(RESTORE_LATER, "qemu-system-x86_64 is not in the image");
	assert_int_equal(b.starts, 0);
	record_is(VM_SEALED, ERR_NONE);
}

static void a_root_that_is_not_ready_claims_nothing(void **state)
{
	(void)state;
	make_root(false);
	go(RESTORE_LATER, "/run/root has no folder /run");
	assert_int_equal(b.report.later, 1);
	assert_int_equal(b.starts, 0);
	record_is(VM_SEALED, ERR_NONE);
	begin(RESTORE_LATE);
	go(RESTORE_RUNNING, "");
}

#define DISK "/run/disk.img"

static void add_disk(void)
{
	static struct disk disk;
	struct err e = { 0 };
	int fd = open(DISK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, MIB), 0);
	close(fd);
	disk = (struct disk){ .path = (char *)DISK, .writable = true };
	assert_ok(disk_identify(NULL, &disk, &e), e);
	b.mv.disks = &disk;
	b.mv.ndisks = 1;
}

/* As a block device of the host's /dev is. */
static void disks_are_looked_for_after_the_binds(void **state)
{
	(void)state;
	add_disk();
	make_root(true);
	go(RESTORE_RUNNING, "");
}

/* ---- placements ------------------------------------------------------------ */

static void each_placement_has_its_moment(void **state)
{
	static const struct {
		enum vm_placement place;
		enum restore_who who;
		enum restore_result want;
	} cells[] = {
		{ VM_PLACE_INITRAMFS, RESTORE_EARLY, RESTORE_RUNNING },
		{ VM_PLACE_INITRAMFS, RESTORE_AGENT, RESTORE_RUNNING },
		{ VM_PLACE_INITRAMFS, RESTORE_LATE, RESTORE_RUNNING },
		{ VM_PLACE_INITRAMFS, RESTORE_OPERATOR, RESTORE_RUNNING },
		{ VM_PLACE_SYSROOT, RESTORE_EARLY, RESTORE_LATER },
		{ VM_PLACE_SYSROOT, RESTORE_AGENT, RESTORE_RUNNING },
		{ VM_PLACE_SYSROOT, RESTORE_LATE, RESTORE_RUNNING },
		{ VM_PLACE_SYSROOT, RESTORE_OPERATOR, RESTORE_RUNNING },
		{ VM_PLACE_LATE, RESTORE_EARLY, RESTORE_LATER },
		{ VM_PLACE_LATE, RESTORE_AGENT, RESTORE_LATER },
		{ VM_PLACE_LATE, RESTORE_LATE, RESTORE_RUNNING },
		{ VM_PLACE_LATE, RESTORE_OPERATOR, RESTORE_RUNNING },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cells); i++) {
		unlink(HOLDOVER_RUN_DIR "/db1/record");
		seal(CANARY_SAMPLE);
		begin(cells[i].who);
		b.mv.vm.placement = cells[i].place;
		go(cells[i].want, cells[i].want == RESTORE_LATER ? "its placement is" : "");
		assert_int_equal(b.report.vm[0].due, cells[i].want == RESTORE_RUNNING);
		record_is(cells[i].want == RESTORE_LATER ? VM_SEALED : VM_RUNNING, ERR_NONE);
		if (b.last)
			end(b.last);
		b.last = 0;
	}
	assert_int_equal(decide_place(RESTORE_EARLY), VM_PLACE_INITRAMFS);
	assert_int_equal(decide_place(RESTORE_AGENT), VM_PLACE_SYSROOT);
	assert_int_equal(decide_place(RESTORE_LATE), VM_PLACE_LATE);
	assert_int_equal(decide_place(RESTORE_OPERATOR), VM_PLACE_LATE);
}

static void each_pass_counts_what_runs(void **state)
{
	(void)state;
	b.mv.vm.placement = VM_PLACE_INITRAMFS;
	b.r.who = RESTORE_EARLY;
	go(RESTORE_RUNNING, "");
	assert_false(b.report.vm[0].before);
	b.r.who = RESTORE_AGENT;
	go(RESTORE_RUNNING, "");
	assert_true(b.report.vm[0].before);
	assert_int_equal(b.report.running, 1);
	assert_int_equal(b.starts, 1);
}

static void a_missing_disk_is_waited_for(void **state)
{
	struct err e = { 0 };
	pid_t maker;

	(void)state;
	add_disk();
	assert_int_equal(rename(DISK, "/run/elsewhere.img"), 0);
	b.mv.vm.placement = VM_PLACE_INITRAMFS;
	b.r.who = RESTORE_EARLY;
	go(RESTORE_LATER, "does not exist (yet)");
	assert_true(b.report.vm[0].disk_missing);
	/* Its time ends, or the next placement has come. */
	assert_int_equal(disk_wait(&b.r, &b.report, io_now_ms() + 50, "/run/stop", &e), 0);
	assert_ok(io_write_file("/run/stop", "", 0, 0600, &e), e);
	assert_int_equal(disk_wait(&b.r, &b.report, io_now_ms() + 60000, "/run/stop", &e), 0);
	assert_int_equal(unlink("/run/stop"), 0);
	maker = fork();
	if (maker == 0) {
		usleep(200000);
		_exit(rename("/run/elsewhere.img", DISK) ? 1 : 0);
	}
	assert_int_equal(disk_wait(&b.r, &b.report, io_now_ms() + 60000, "/run/stop", &e), 1);
	end(maker);
	go(RESTORE_RUNNING, "");
	assert_int_equal(disk_wait(&b.r, &b.report, io_now_ms() + 60000, "/run/stop", &e), 0);
}

static void a_missing_device_is_waited_for(void **state)
{
	static char *args[] = { (char *)"-chardev", (char *)"pipe,id=c,path=/dev/no/port,x=y", NULL };
	struct err e = { 0 };

	(void)state;
	b.mv.vm.placement = VM_PLACE_INITRAMFS;
	b.mv.vm.args = args;
	b.mv.vm.nargs = 2;
	b.r.who = RESTORE_EARLY;
	go(RESTORE_LATER, "device /dev/no/port does not exist");
	assert_true(b.report.vm[0].disk_missing);
	assert_int_equal(disk_wait(&b.r, &b.report, io_now_ms() + 50, "/run/stop", &e), 0);
	args[1] = (char *)"pipe,id=c,path=/dev/null,also=/dev/zero";
	assert_int_equal(disk_wait(&b.r, &b.report, io_now_ms() + 60000, "/run/stop", &e), 1);
	go(RESTORE_RUNNING, "");
}

/* What the dracut module copies has another inode, on another file system. */
static void firmware_may_be_a_copy(void **state)
{
	(void)state;
	add_disk();
	b.mv.disks->writable = false;
	b.mv.disks->inode++;
	b.mv.vm.placement = VM_PLACE_INITRAMFS;
	b.r.who = RESTORE_AGENT;
	go(RESTORE_KEPT, "another file");
	b.r.who = RESTORE_EARLY;
	b.mv.disks->mtime_ns++;
	go(RESTORE_LATER, "is not the one that the VM had");
	b.mv.disks->mtime_ns--;
	b.mv.disks->writable = true;
	go(RESTORE_KEPT, "another file");
	b.mv.disks->writable = false;
	go(RESTORE_RUNNING, "");
}

static void the_report_tells_the_way(void **state)
{
	char place[16], why[REPORT_WHY_SIZE];
	struct err e = { 0 };

	(void)state;
	report_way("db1", place, why);
	assert_string_equal(place, "");
	b.mv.vm.placement = VM_PLACE_INITRAMFS;
	b.r.who = RESTORE_EARLY;
	b.fails = ERR_TIMEOUT;
	go(RESTORE_LATER, "as told");
	b.last = 0;
	assert_ok(report_write(&b.report, &b.r, &e), e);
	/* As often as it looks, it is one placement. */
	assert_ok(report_write(&b.report, &b.r, &e), e);
	report_way("db1", place, why);
	assert_string_equal(place, "");
	assert_string_equal(why, "initramfs: as told");
	b.r.who = RESTORE_AGENT;
	make_root(false);
	go(RESTORE_LATER, "no folder /run");
	assert_ok(report_write(&b.report, &b.r, &e), e);
	b.fails = ERR_NONE;
	b.r.who = RESTORE_LATE;
	b.r.root = NULL;
	go(RESTORE_RUNNING, "");
	assert_ok(report_write(&b.report, &b.r, &e), e);
	report_way("db1", place, why);
	assert_string_equal(place, "late");
	assert_string_equal(why,
			    "initramfs: as told; sysroot: preparing /run/root: /run/root has no "
			    "folder /run; is the root mounted?");
	/* Another pass that finds it running leaves that alone, ... */
	go(RESTORE_NOT_TRIED, "");
	assert_ok(report_write(&b.report, &b.r, &e), e);
	report_way("db1", place, why);
	assert_string_equal(place, "late");
	/* ... and one of another jump begins anew. */
	b.r.ticket.generation++;
	assert_ok(report_write(&b.report, &b.r, &e), e);
	report_way("db1", place, why);
	assert_string_equal(place, "");
	assert_string_equal(why, "");
	report_way("db2", place, why);
	assert_string_equal(place, "");
}

/* As with a persistent dirty bitmap, when the image is activated. */
static void qemu_may_touch_its_images(void **state)
{
	(void)state;
	add_disk();
	b.touched = DISK;
	go(RESTORE_RUNNING, "");
}

static void a_disk_changed_before_is_kept(void **state)
{
	(void)state;
	add_disk();
	assert_int_equal(utimensat(AT_FDCWD, DISK, NULL, 0), 0);
	go(RESTORE_KEPT, "was changed after the VM was saved");
	assert_int_equal(b.starts, 0);
	add_disk();
	assert_int_equal(truncate(DISK, 2 * MIB), 0);
	go(RESTORE_KEPT, "is another file");
	assert_int_equal(b.starts, 0);
	record_is(VM_SEALED, ERR_NONE);
}

static void nothing_to_resume_mounts_nothing(void **state)
{
	struct stat root, run;

	(void)state;
	set_record(VM_CONSUMED);
	make_root(true);
	go(RESTORE_NOT_TRIED, "");
	assert_int_equal(stat("/run/root", &root), 0);
	assert_int_equal(stat("/run/root/dev", &run), 0);
	assert_true(root.st_dev == run.st_dev);
}

/* ---- --never-ran --------------------------------------------------------- */

static void never_ran(enum canary_mode mode)
{
	seal(mode);
	set_record(VM_RELEASED);
	begin(RESTORE_OPERATOR);
	b.r.never_ran = true;
}

static void released_is_kept_without_the_word(void **state)
{
	(void)state;
	never_ran(CANARY_SAMPLE);
	b.r.never_ran = false;
	go(RESTORE_KEPT, "--never-ran");
	b.r.never_ran = true;
	b.r.who = RESTORE_LATE;
	go(RESTORE_KEPT, "--never-ran");
	b.r.who = RESTORE_AGENT;
	go(RESTORE_KEPT, "--never-ran");
	assert_int_equal(b.starts, 0);
	record_is(VM_RELEASED, ERR_NONE);
}

static void released_is_resumed_on_the_operators_word(void **state)
{
	(void)state;
	never_ran(CANARY_SAMPLE);
	go(RESTORE_RUNNING, "");
	record_is(VM_RUNNING, ERR_NONE);
	assert_int_equal(b.conts, 1);
	/* Once. */
	go(RESTORE_NOT_TRIED, "");
	assert_int_equal(b.conts, 1);
}

static void changed_ram_contradicts_it(void **state)
{
	(void)state;
	never_ran(CANARY_SAMPLE);
	change_ram(b.mv.extent.offset);
	go(RESTORE_FAILED, "RAM was changed since it was saved");
	assert_int_equal(b.starts, 0);
	/* Not FAILED: that could be resumed without anybody's word. */
	record_is(VM_RELEASED, ERR_NONE);
}

static void without_canaries_it_counts_for_nothing(void **state)
{
	(void)state;
	never_ran(CANARY_NONE);
	go(RESTORE_KEPT, "without canaries");
	assert_int_equal(b.starts, 0);
	record_is(VM_RELEASED, ERR_NONE);
}

static void a_rotten_state_leaves_released(void **state)
{
	(void)state;
	never_ran(CANARY_SAMPLE);
	b.mv.blob.mac[0] ^= 1;
	go(RESTORE_FAILED, "device state");
	record_is(VM_RELEASED, ERR_NONE);
}

/* A process that state.json says is the VM's. */
static pid_t leave_behind(void)
{
	struct runstate rs = RUNSTATE_INIT;
	struct err e = { 0 };

	rs.pid = b.last = sleeper(NULL, NULL, 0);
	assert_ok(qemu_start_time(rs.pid, &rs.start_time, &e), e);
	rs.m = b.r.m;
	assert_ok(io_mkdir_p(HOLDOVER_RUN_DIR "/db1", 0700, &e), e);
	assert_ok(runstate_save(&rs, &e), e);
	return rs.pid;
}

static void a_live_qemu_contradicts_it(void **state)
{
	pid_t pid;

	(void)state;
	never_ran(CANARY_SAMPLE);
	pid = leave_behind();
	go(RESTORE_KEPT, "is alive");
	assert_true(lives(pid));
	assert_int_equal(access(HOLDOVER_RUN_DIR "/db1/state.json", F_OK), 0);
	record_is(VM_RELEASED, ERR_NONE);
	/* Of a claimed one nobody needs the QEMU. */
	set_record(VM_CLAIMED);
	go(RESTORE_RUNNING, "");
	assert_int_equal(waitpid(pid, NULL, WNOHANG), -1);
}

static void one_that_was_not_ended_is_not_forgotten(void **state)
{
	(void)state;
	set_record(VM_CLAIMED);
	leave_behind();
	b.mv.blob.mac[0] ^= 1;
	go(RESTORE_FAILED, "device state");
	record_is(VM_FAILED, ERR_CHECKSUM);
	assert_true(lives(b.last));
	assert_int_equal(access(HOLDOVER_RUN_DIR "/db1/state.json", F_OK), 0);
}

/* ---- within one boot ----------------------------------------------------- */

static void set_back_to_sealed_after_running(void **state)
{
	static const enum restore_who who[] = { RESTORE_AGENT, RESTORE_LATE, RESTORE_OPERATOR };

	(void)state;
	go(RESTORE_RUNNING, "");
	for (size_t i = 0; i < ARRAY_LEN(who); i++) {
		set_record(VM_SEALED);
		begin(who[i]);
		/* The agent counts what runs, in whatever pass it was resumed. */
		go(who[i] == RESTORE_AGENT ? RESTORE_RUNNING : RESTORE_NOT_TRIED, "");
	}
	assert_int_equal(b.conts, 1);
	assert_true(lives(b.last));
}

static void set_back_to_sealed_after_released(void **state)
{
	struct vm_record rec = { .state = VM_RELEASED, .generation = GENERATION };
	struct err e = { 0 };

	(void)state;
	memcpy(rec.ticket_id, b.r.ticket_id, 16);
	assert_ok(record_write(&b.f.l, 0, "db1", &rec, &e), e);
	set_record(VM_SEALED);
	begin(RESTORE_OPERATOR);
	go(RESTORE_KEPT, "may have run");
	assert_int_equal(b.starts, 0);
}

static void it_is_still_pending_then(void **state)
{
	struct err e = { 0 };
	bool pending;

	(void)state;
	go(RESTORE_RUNNING, "");
	set_record(VM_SEALED);
	assert_ok(restore_pending(&b.r, &pending, &e), e);
	assert_false(pending);
}

static void one_that_never_ran_is_tried_again(void **state)
{
	(void)state;
	b.no_cont = true;
	/* RELEASED was written, and is taken back. */
	go(RESTORE_LATER, "no write lock");
	record_is(VM_CLAIMED, ERR_NONE);
	assert_false(lives(b.last));
	begin(RESTORE_LATE);
	go(RESTORE_FAILED, "no write lock");
	record_is(VM_FAILED, ERR_REFUSED);
	b.last = 0;
	b.no_cont = false;
	begin(RESTORE_OPERATOR);
	go(RESTORE_RUNNING, "");
	assert_int_equal(b.conts, 1);
}

/* What the complete system may mend is left to it, a bounded number of times. */
static void most_errors_are_tried_again(void **state)
{
	static const bool kept[ERR_KINDS] = {
		[ERR_STALE] = true,
		[ERR_FORMAT] = true,
		[ERR_CHECKSUM] = true,
		[ERR_MISMATCH] = true,
	};

	(void)state;
	for (unsigned int kind = ERR_ABSENT; kind < ERR_KINDS; kind++) {
		b.fails = (enum err_kind)kind;
		unlink(HOLDOVER_RUN_DIR "/db1/record");
		seal(CANARY_SAMPLE);
		begin(RESTORE_AGENT);
		go(kept[kind] ? RESTORE_FAILED : RESTORE_LATER, "as told");
		record_is(kept[kind] ? VM_FAILED : VM_CLAIMED, kept[kind] ? kind : ERR_NONE);
		assert_false(lives(b.last));
		b.last = 0;
		begin(RESTORE_LATE);
		go(kept[kind] ? RESTORE_KEPT : RESTORE_FAILED, "");
		b.last = 0;
	}
	assert_int_equal(b.conts, 0);
}

/* Then nothing is compared before its record says RELEASED. */
static void a_foreign_cont_is_recorded_at_once(void **state)
{
	(void)state;
	b.foreign = true;
	b.scribble = true;
	b.shift = MIB;
	go(RESTORE_RUNNING, "");
	record_is(VM_RELEASED, ERR_NONE);
	assert_true(lives(b.last));
}

/* ---- last words ------------------------------------------------------------ */

static void last_words_are_reported_whatever_they_are(void **state)
{
	static const char words[] = "a warning\nno \xff\x1b[2J device\n";
	_cleanup_buf_ struct buf json = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_ok(io_mkdir_p(HOLDOVER_RUN_DIR "/db1", 0700, &e), e);
	assert_ok(io_write_file(HOLDOVER_RUN_DIR "/db1/qemu.log", words, strlen(words), 0600, &e), e);
	b.fails = ERR_EXITED;
	go(RESTORE_LATER, "as told; QEMU said: no \\xff\\x1b[2J device");
	b.last = 0;
	/* nor may what is cut in the middle of a character */
	strcat(b.report.vm[0].err.msg, "\xe2\x82");
	assert_ok(report_write(&b.report, &b.r, &e), e);
	assert_ok(io_read_file(HOLDOVER_RUN_DIR "/resume.json", 4096, &json, &e), e);
	assert_non_null(strstr(json.data, "[2J device??\""));
}

/* ---- time, and the marker ------------------------------------------------- */

static void no_vm_is_begun_after_the_deadline(void **state)
{
	(void)state;
	b.r.deadline = io_now_ms() - 1;
	go(RESTORE_LATER, "was over before its turn");
	assert_int_equal(b.starts, 0);
	record_is(VM_SEALED, ERR_NONE);
	b.r.deadline = io_now_ms() + 300;
	go(RESTORE_RUNNING, "");
	assert_in_range(b.timeout_ms, 1, 300);
}

static void a_far_deadline_is_not_a_vms_own(void **state)
{
	(void)state;
	b.r.deadline = io_now_ms() + 100000;
	go(RESTORE_RUNNING, "");
	assert_int_equal(b.timeout_ms, 1000);
}

static void marker_is(const char *note, const char *want)
{
	char text[REPORT_MARKER_SIZE];

	assert_int_equal(report_marker(text, "DONE", &b.report, 412, note), strlen(want));
	assert_string_equal(text, want);
}

static void the_marker_tells_unknown_from_none(void **state)
{
	(void)state;
	memset(&b.report, 0, sizeof(b.report));
	marker_is(NULL, "DONE vms=unknown running=0 failed=0 kept=unknown ms=412");
	b.report.known = true;
	marker_is("out of time", "DONE vms=0 running=0 failed=0 kept=0 ms=412 (out of time)");
	b.report.vms = 5;
	b.report.vm[0].result = RESTORE_RUNNING;
	b.report.vm[1].result = RESTORE_UNDECIDED;
	b.report.vm[2].result = RESTORE_LATER;
	b.report.vm[3].result = RESTORE_KEPT;
	b.report.vm[4].result = RESTORE_NOT_TRIED;
	marker_is(NULL, "DONE vms=5 running=1 failed=1 kept=2 ms=412");
	go(RESTORE_RUNNING, "");
	marker_is(NULL, "DONE vms=1 running=1 failed=0 kept=0 ms=412");
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(untouched_ram_is_resumed),
		CASE(changed_ram_is_kept),
		CASE(a_qemu_that_writes_is_noticed),
		CASE(other_vms_ram_does_not_count),
		CASE(a_full_one_comes_before_qemu),
		CASE(the_second_copy_demands_canaries),
		CASE(the_boots_own_ticket_needs_none),
		CASE(ram_of_a_file_of_that_name),
		CASE(ram_at_another_place),
		CASE(ram_of_two_parts),
		CASE(a_second_part_that_qemu_has_not),
		CASE(a_second_part_that_was_changed),
		CASE(a_second_part_in_a_region_that_is_not_there),
		CASE(ram_path_in_a_root),
		CASE(ram_file_that_is_too_short),
		CASE(a_root_that_is_not_ready_claims_nothing),
		CASE(a_root_without_its_qemu_claims_nothing),
		CASE(each_placement_has_its_moment),
		CASE(each_pass_counts_what_runs),
		CASE(a_missing_disk_is_waited_for),
		CASE(a_missing_device_is_waited_for),
		CASE(firmware_may_be_a_copy),
		CASE(the_report_tells_the_way),
		CASE(disks_are_looked_for_after_the_binds),
		CASE(qemu_may_touch_its_images),
		CASE(a_disk_changed_before_is_kept),
		CASE(nothing_to_resume_mounts_nothing),
		CASE(released_is_kept_without_the_word),
		CASE(released_is_resumed_on_the_operators_word),
		CASE(changed_ram_contradicts_it),
		CASE(without_canaries_it_counts_for_nothing),
		CASE(a_rotten_state_leaves_released),
		CASE(a_live_qemu_contradicts_it),
		CASE(one_that_was_not_ended_is_not_forgotten),
		CASE(set_back_to_sealed_after_running),
		CASE(set_back_to_sealed_after_released),
		CASE(it_is_still_pending_then),
		CASE(one_that_never_ran_is_tried_again),
		CASE(most_errors_are_tried_again),
		CASE(last_words_are_reported_whatever_they_are),
		CASE(no_vm_is_begun_after_the_deadline),
		CASE(a_far_deadline_is_not_a_vms_own),
		CASE(the_marker_tells_unknown_from_none),
		CASE(a_foreign_cont_is_recorded_at_once),
	};

	return cmocka_run_group_tests(tests, own_run, NULL);
}
