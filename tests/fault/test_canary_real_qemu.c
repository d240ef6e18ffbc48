/* SPDX-License-Identifier: GPL-2.0-only */
/* A real QEMU leaves the guest's RAM alone between the end of the save and `cont`. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "canary.h"
#include "load.h"
#include "real_qemu.h"
#include "save.h"

#define TIMEOUT 30000
#define RAM_SIZE (64ULL << 20)

/**
 * struct bench - one VM and its present QEMU
 * @canary: taken after the save
 * @at_commit: what comparing all of the RAM gave before `cont`
 * @disturb: change the RAM when the state is loaded
 */
struct bench {
	struct real_vm vm;
	struct real_qemu qemu;
	struct qmp q;
	struct plan p;
	struct save s;
	struct load l;
	struct ram ram;
	struct canary canary;
	int at_commit;
	bool disturb;
};

static void start(struct bench *b, bool incoming)
{
	real_qemu_start(&b->qemu, &b->vm, incoming, NULL);
	qmp_init(&b->q, steal_fd(&b->qemu.ctl));
}

static void stop(struct bench *b)
{
	qmp_close(&b->q);
	real_qemu_end(&b->qemu);
}

static void cont(struct bench *b)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct err e = { 0 };

	qmp_init(&q, dup(b->qemu.other));
	assert_int_equal(qmp_handshake(&q, TIMEOUT, NULL, &e), 0);
	assert_int_equal(qmp_call(&q, "cont", -1, TIMEOUT, NULL, &e, NULL), 0);
}

static int on_pausing(struct save *s, struct err *e)
{
	(void)s;
	(void)e;
	return 0;
}

/* One byte that the guest never had there. */
static void disturb(const struct bench *b)
{
	int fd = open(b->vm.ram, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "!", 1, RAM_SIZE / 2 + 77), 1);
	close(fd);
}

static int on_commit(struct load *l, struct err *e)
{
	struct bench *b = l->ctx;

	if (b->disturb)
		disturb(b);
	b->at_commit = canary_check(&b->ram, &b->canary, true, e);
	return b->at_commit;
}

static unsigned int run_plan(struct bench *b)
{
	struct plan *plans[] = { &b->p };

	return plan_run(plans, 1);
}

/* Up to a loaded, committed second QEMU. */
static unsigned int save_and_load(struct bench *b)
{
	struct err e = { 0 };

	start(b, false);
	cont(b);
	assert_true(real_ticks(&b->qemu, 3));
	b->s = (struct save){ .vm_name = "db1", .pausing = on_pausing, .ctx = b };
	save_plan(&b->p, &b->s, &b->q, b->qemu.pidfd, TIMEOUT);
	if (run_plan(b))
		fail_msg("save: %s", b->p.err.msg);
	b->ram = (struct ram){ .size = RAM_SIZE };
	snprintf(b->ram.path, sizeof(b->ram.path), "%s", b->vm.ram);
	assert_int_equal(canary_take(&b->ram, CANARY_FULL, 1, &b->canary, &e), 0);
	assert_int_equal(canary_check(&b->ram, &b->canary, true, &e), 0);
	stop(b);
	start(b, true);
	b->at_commit = -1;
	b->l = (struct load){
		.vm_name = "db1",
		.state_fd = b->s.state_fd,
		.cpr_reboot = b->s.cpr_reboot,
		.run = true,
		.commit = on_commit,
		.ctx = b,
	};
	load_plan(&b->p, &b->l, &b->q, b->qemu.pidfd, TIMEOUT);
	return run_plan(b);
}

static void begin(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->q.fd = -1;
	real_vm_make(&b->vm);
}

static void end(struct bench *b)
{
	save_finish(&b->s);
	load_finish(&b->l);
	stop(b);
	real_vm_remove(&b->vm);
}

static void loading_leaves_ram_alone(void **state)
{
	struct err e = { 0 };
	struct bench b;

	(void)state;
	begin(&b);
	if (save_and_load(&b))
		fail_msg("load: %s", b.p.err.msg);
	assert_int_equal(b.at_commit, 0);
	/* It was a canary of something: the guest runs on, and shows. */
	assert_true(real_ticks(&b.qemu, 3));
	assert_int_equal(canary_check(&b.ram, &b.canary, true, &e), -1);
	assert_int_equal(e.kind, ERR_MISMATCH);
	end(&b);
}

static void a_change_stops_the_load(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	b.disturb = true;
	assert_int_equal(save_and_load(&b), 1);
	assert_int_equal(b.p.err.kind, ERR_MISMATCH);
	assert_false(b.l.committed);
	assert_false(b.l.resumed);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loading_leaves_ram_alone),
		cmocka_unit_test(a_change_stops_the_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
