/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device state in an internal snapshot, with a real QEMU of whichever version.
 *
 * One guest is entered by PVH: QEMU keeps its program as an image that each
 * reset writes to RAM, and the guest counts in a word of that program. Loaded
 * the way that QEMU before 10.0 has (-S without -incoming), it starts from zero.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk.h"
#include "image.h"
#include "load.h"
#include "preflight.h"
#include "real_pvh.h"
#include "real_qemu.h"
#include "save.h"

#define TIMEOUT 30000
struct fixture {
	struct real_vm vm;
	struct real_qemu qemu;
	struct qmp q;
	struct plan p;
	struct save s;
	struct load l;
	struct err e;
	unsigned int version;
	char drive[200], kernel[120];
	const char *extra[5];
	volatile uint32_t *counter;
	uint8_t *ram, *before;
	uint32_t at_commit;
	bool differs;
};

#define RAM_SIZE (64u << 20)

static size_t root_len(void)
{
	const char *root = getenv("TEST_QEMU_ROOT");

	return root ? strlen(root) : 0;
}

static void make_image(const char *path)
{
	char command[300];

	snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 %s 16M", path);
	if (system(command))
		fail_msg("%s", command);
}

static void start_qemu(struct fixture *f, bool incoming)
{
	real_qemu_start(&f->qemu, &f->vm, incoming, f->extra);
	qmp_init(&f->q, steal_fd(&f->qemu.ctl));
}

static void end_qemu(struct fixture *f)
{
	qmp_close(&f->q);
	real_qemu_end(&f->qemu);
}

static void operator(struct fixture *f, const char *command, struct qmp_msg *m)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };

	qmp_init(&q, dup(f->qemu.other));
	assert_int_equal(qmp_call(&q, command, -1, TIMEOUT, m, &f->e, NULL), 0);
}

static void greet(struct fixture *f)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };

	qmp_init(&q, dup(f->qemu.other));
	assert_int_equal(qmp_handshake(&q, TIMEOUT, &f->version, &f->e), 0);
}

/* A running guest; @image: with a qcow2 disk beside its boot disk. */
static void begin(struct fixture *f, bool pvh, bool image)
{
	char path[120];
	unsigned int n = 0;
	int fd;

	memset(f, 0, sizeof(*f));
	f->q.fd = -1;
	real_vm_make(&f->vm);
	if (image) {
		snprintf(path, sizeof(path), "%s/image", f->vm.dir);
		make_image(path);
		snprintf(f->drive, sizeof(f->drive), "file=%s,format=qcow2,if=virtio",
			 path + root_len());
		f->extra[n++] = "-drive";
		f->extra[n++] = f->drive;
	}
	if (pvh) {
		snprintf(f->kernel, sizeof(f->kernel), "%s/pvh", f->vm.dir);
		real_pvh_write(f->kernel);
		f->extra[n++] = "-kernel";
		f->extra[n++] = f->kernel + root_len();
	}
	fd = open(f->vm.ram, O_RDWR | O_CLOEXEC);
	f->ram = mmap(NULL, RAM_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	f->before = malloc(RAM_SIZE);
	assert_ptr_not_equal(f->ram, MAP_FAILED);
	close(fd);
	f->counter = pvh ? (volatile uint32_t *)(f->ram + REAL_PVH_COUNTER) : f->vm.counter;
	start_qemu(f, false);
	greet(f);
	operator(f, "cont", NULL);
	assert_true(real_ticks(&f->qemu, 3));
}

static void end(struct fixture *f)
{
	char path[120];

	save_finish(&f->s);
	load_finish(&f->l);
	end_qemu(f);
	munmap(f->ram, RAM_SIZE);
	free(f->before);
	snprintf(path, sizeof(path), "%s/image", f->vm.dir);
	unlink(path);
	if (*f->kernel)
		unlink(f->kernel);
	real_vm_remove(&f->vm);
}

static int run(struct fixture *f)
{
	struct plan *plans[] = { &f->p };

	return (int)plan_run(plans, 1);
}

static void run_ok(struct fixture *f)
{
	if (run(f))
		fail_msg("%s", f->p.err.msg);
}

static void run_fails(struct fixture *f, enum err_kind kind, const char *text)
{
	if (!run(f))
		fail_msg("done, although it should fail with \"%s\"", text);
	if (f->p.err.kind != kind || !strstr(f->p.err.msg, text))
		fail_msg("%s \"%s\", not %s \"...%s...\"", err_kind_name(f->p.err.kind),
			 f->p.err.msg, err_kind_name(kind), text);
}

static void save_ready(struct fixture *f)
{
	save_finish(&f->s);
	f->s = (struct save){ .vm_name = "db1", .ctx = f, .snapshots = true };
	snapshot_name(7, f->s.snapshot.name);
	save_plan(&f->p, &f->s, &f->q, f->qemu.pidfd, TIMEOUT);
}

/* On a connection that has been greeted. */
static void save_ready_again(struct fixture *f)
{
	unsigned int version = f->p.version;

	save_ready(f);
	f->p.version = version;
	f->p.steps++;
	f->p.nsteps--;
}

static void assert_status(struct fixture *f, const char *status)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };

	operator(f, "query-status", &m);
	assert_string_equal(migrate_text(m.body, "status"), status);
}

/* How many snapshots the image has. */
static size_t snapshots(struct fixture *f)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	yyjson_val *v;
	size_t i, n, sum = 0;

	operator(f, "query-named-block-nodes", &m);
	yyjson_arr_foreach(m.body, i, n, v)
		sum += yyjson_arr_size(yyjson_obj_get(yyjson_obj_get(v, "image"), "snapshots"));
	return sum;
}

static void save_ok(struct fixture *f)
{
	char words[64] = "";

	save_ready(f);
	run_ok(f);
	assert_status(f, "paused");
	assert_true(f->s.was_running);
	assert_int_equal(snapshots(f), 1);
	assert_in_range(f->s.snapshot.state_size, 10000, 4 << 20);
	assert_true(pread(f->s.state_fd, words, sizeof(words) - 1, 0) > 0);
	assert_non_null(strstr(words, "snapshot holdover.7."));
	memcpy(f->before, f->ram, RAM_SIZE);
}

static int on_commit(struct load *l, struct err *e)
{
	struct fixture *f = l->ctx;

	(void)e;
	f->at_commit = *f->counter;
	f->differs = memcmp(f->before, f->ram, RAM_SIZE) != 0;
	return 0;
}

static void next_qemu(struct fixture *f, bool incoming)
{
	f->s.snapshot.incoming = incoming;
	end_qemu(f);
	start_qemu(f, incoming);
	greet(f);
	f->l = (struct load){
		.vm_name = "db1",
		.state_fd = f->s.state_fd,
		.snapshot = &f->s.snapshot,
		.run = true,
		.commit = on_commit,
		.ctx = f,
	};
	load_plan(&f->p, &f->l, &f->q, f->qemu.pidfd, TIMEOUT);
}

static void load_ok(struct fixture *f)
{
	uint32_t at_pause;

	memcpy(&at_pause, (const void *)(f->before + ((const volatile uint8_t *)f->counter - f->ram)),
	       sizeof(at_pause));
	run_ok(f);
	assert_int_equal(f->at_commit, at_pause);
	assert_false(f->differs);
	assert_true(f->l.resumed);
	assert_status(f, "running");
	assert_int_equal(snapshots(f), 0);
	assert_true(real_ticks(&f->qemu, 2));
	assert_in_range(*f->counter, at_pause + 2, at_pause + 10000);
}

static void test_save_load(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, false, true);
	f.counter = (volatile uint32_t *)(f.ram + 0x8000);
	save_ok(&f);
	save_check_plan(&f.p, &f.s, &f.q, f.qemu.pidfd, TIMEOUT);
	run_ok(&f);
	next_qemu(&f, f.version >= SNAPSHOT_INCOMING_SINCE);
	load_ok(&f);
	end(&f);
}

static void test_in_place(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, false, true);
	save_ok(&f);
	save_resume_plan(&f.p, &f.s, &f.q, f.qemu.pidfd, TIMEOUT, true);
	run_ok(&f);
	assert_status(&f, "running");
	assert_int_equal(snapshots(&f), 0);
	assert_true(real_ticks(&f.qemu, 2));
	end(&f);
}

/* A snapshot that an earlier jump has left is deleted before the next one. */
static void test_leftover(void **state)
{
	struct fixture f;
	char first[SNAPSHOT_NAME_MAX];

	(void)state;
	begin(&f, false, true);
	save_ok(&f);
	memcpy(first, f.s.snapshot.name, sizeof(first));
	operator(&f, "cont", NULL);
	save_ready_again(&f);
	assert_string_not_equal(first, f.s.snapshot.name);
	run_ok(&f);
	assert_int_equal(snapshots(&f), 1);
	end(&f);
}

/* Why a QEMU that is not told to wait will not do. */
static void test_pvh_overwritten(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, true, true);
	save_ok(&f);
	next_qemu(&f, false);
	run_ok(&f);
	assert_true(f.differs);
	assert_int_equal(f.at_commit, 0);
	end(&f);
}

static void test_pvh(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, true, true);
	save_ok(&f);
	next_qemu(&f, true);
	if (f.version >= SNAPSHOT_INCOMING_SINCE) {
		load_ok(&f);
	} else {
		run_fails(&f, ERR_REFUSED, "install 10.0 or newer");
		assert_memory_equal(f.before, f.ram, RAM_SIZE);
	}
	end(&f);
}

static int refuse(struct load *l, struct err *e)
{
	(void)l;
	return err_set(e, ERR_MISMATCH, "not this time");
}

/* What an attempt that came as far as to the snapshot leaves of the image. */
static void test_again_after_a_load(void **state)
{
	struct fixture f;
	struct disk d = { .writable = true };
	const char *root = getenv("TEST_QEMU_ROOT");

	(void)state;
	begin(&f, false, true);
	f.counter = (volatile uint32_t *)(f.ram + 0x8000);
	save_ok(&f);
	d.path = f.s.snapshot.image;
	assert_int_equal(disk_identify(root, &d, &f.e), 0);
	next_qemu(&f, f.version >= SNAPSHOT_INCOMING_SINCE);
	f.l.commit = refuse;
	run_fails(&f, ERR_MISMATCH, "not this time");
	assert_int_equal(snapshots(&f), 1);
	load_finish(&f.l);
	end_qemu(&f);
	assert_int_equal(disk_check(root, &d, 0, &f.e), -1);
	assert_int_equal(disk_check(root, &d, DISK_SET_BACK, &f.e), 0);
	start_qemu(&f, false);
	next_qemu(&f, f.version >= SNAPSHOT_INCOMING_SINCE);
	load_ok(&f);
	end(&f);
}

/* The state of a VM is given up that no QEMU runs any more. */
static void test_discard(void **state)
{
	struct fixture f;
	struct manifest_vm mv = { .vm.qemu = (char *)"/usr/bin/qemu-system-x86_64" };

	(void)state;
	begin(&f, false, true);
	save_ok(&f);
	mv.snapshot = f.s.snapshot;
	snprintf(mv.snapshot.image, sizeof(mv.snapshot.image), "%s/image", f.vm.dir);
	assert_int_equal(image_delete_snapshot(&mv, &f.e), -1); /* its QEMU has it */
	assert_int_equal(snapshots(&f), 1);
	end_qemu(&f);
	if (image_delete_snapshot(&mv, &f.e) < 0)
		fail_msg("%s", f.e.msg);
	assert_int_equal(image_delete_snapshot(&mv, &f.e), -1);
	start_qemu(&f, false);
	greet(&f);
	assert_int_equal(snapshots(&f), 0);
	end(&f);
}

/* Paused by its owner, through two jumps; before 10.0 it is in prelaunch then. */
static void test_paused(void **state)
{
	bool incoming;
	struct fixture f;
	uint32_t at_pause;

	(void)state;
	begin(&f, false, true);
	f.counter = (volatile uint32_t *)(f.ram + 0x8000);
	incoming = f.version >= SNAPSHOT_INCOMING_SINCE;
	operator(&f, "stop", NULL);
	at_pause = *f.counter;
	for (int i = 0; i < 2; i++) {
		if (i)
			save_ready_again(&f);
		else
			save_ready(&f);
		run_ok(&f);
		assert_false(f.s.was_running);
		memcpy(f.before, f.ram, RAM_SIZE);
		next_qemu(&f, incoming);
		f.l.run = false;
		run_ok(&f);
		assert_false(f.differs);
		assert_false(f.l.resumed);
		assert_status(&f, incoming ? "paused" : "prelaunch");
		assert_int_equal(snapshots(&f), 0);
		assert_int_equal(*f.counter, at_pause);
		load_finish(&f.l);
	}
	operator(&f, "cont", NULL);
	assert_true(real_ticks(&f.qemu, 2));
	assert_in_range(*f.counter, at_pause + 2, at_pause + 10000);
	end(&f);
}

static void preflight(struct fixture *f, bool refused)
{
	struct preflight *p = calloc(1, sizeof(*p));
	struct manifest_vm mv = {
		.vm = {
			.name = "db1",
			.qemu = (char *)"/usr/bin/qemu-system-x86_64",
			.machine = (char *)"q35",
			.memory = RAM_SIZE,
			.memdev = (char *)"ram",
			.args = (char *[]){ NULL },
			.transport = VM_STATE_SNAPSHOT,
		},
	};
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	unsigned int version;
	bool found = false;

	qmp_init(&q, dup(f->qemu.other));
	version = preflight_qemu(p, &mv, &q, f->version);
	refused &= version < SNAPSHOT_INCOMING_SINCE;
	for (unsigned int i = 0; i < p->n; i++)
		found |= strstr(p->item[i].text, "would write") &&
			strstr(p->item[i].text, "over the guest's RAM");
	assert_int_equal(found, refused);
	/* An older one than the one that runs is refused for that as well. */
	if (version >= f->version)
		assert_int_equal(p->failed, refused);
	free(p);
}

static void test_preflight(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, true, true);
	preflight(&f, true);
	end(&f);
	begin(&f, false, true);
	preflight(&f, false);
	end(&f);
}

static void test_another(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, false, true);
	save_ok(&f);
	next_qemu(&f, f.version >= SNAPSHOT_INCOMING_SINCE);
	f.s.snapshot.date_nsec++;
	run_fails(&f, ERR_MISMATCH, "another one than was made for this jump");
	assert_false(f.l.committed);
	assert_memory_equal(f.before, f.ram, RAM_SIZE);
	end(&f);
}

static void test_gone(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, false, true);
	save_ok(&f);
	next_qemu(&f, f.version >= SNAPSHOT_INCOMING_SINCE);
	f.s.snapshot.name[0]++;
	run_fails(&f, ERR_ABSENT, "has no snapshot");
	end(&f);
}

static void test_no_image(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, false, false);
	save_ready(&f);
	run_fails(&f, ERR_REFUSED, "no writable qcow2 image");
	assert_status(&f, "running");
	assert_true(real_ticks(&f.qemu, 1));
	end(&f);
}

/* An older version of Holdover, which would give the ledger's words to QEMU. */
static void test_words_are_no_state(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, false, true);
	save_ok(&f);
	next_qemu(&f, true);
	f.l.snapshot = NULL;
	load_plan(&f.p, &f.l, &f.q, f.qemu.pidfd, TIMEOUT);
	run_fails(&f, ERR_EXITED, "status 1");
	assert_false(f.l.committed);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_save_load),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_leftover),
		cmocka_unit_test(test_pvh_overwritten),
		cmocka_unit_test(test_pvh),
		cmocka_unit_test(test_preflight),
		cmocka_unit_test(test_another),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_no_image),
		cmocka_unit_test(test_words_are_no_state),
		cmocka_unit_test(test_again_after_a_load),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
