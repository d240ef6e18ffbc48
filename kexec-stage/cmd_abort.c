/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "fault.h"
#include "interrupt.h"
#include "kexec.h"
#include "qemu.h"
#include "stage.h"

/**
 * struct undo - what is known and done so far
 * @undone: records that were made ABORTED here
 * @unreadable: VMs whose record cannot be read
 * @seals: seals undone
 * @paused: VMs found paused by a stage
 * @failed: what could not be done, each told already
 * @pending: state of some VM waits, for which the tickets are needed
 * @loaded: a kernel was loaded
 */
struct undo {
	struct vm_record undone[VM_MAX];
	bool unreadable[VM_MAX];
	unsigned int seals, paused, failed;
	bool pending, loaded;
};

static void complain(struct undo *u, const struct err *e)
{
	cmd_say("holdover: %s", e->msg);
	u->failed++;
}

static unsigned int index_of(const struct stage_vm *v)
{
	return v->rs.m.vms[0].index;
}

/* Takes over what a stage that died has paused. */
static void adopt_paused(struct stage *s, struct undo *u)
{
	for (unsigned int i = 0; i < s->n; i++) {
		struct stage_vm *v = &s->vm[i];
		struct err e = { 0 };
		bool was_running;

		if (runstate_read_pause(v->rs.m.vms[0].vm.name, &was_running, &e) == 0) {
			v->paused_here = true;
			u->paused++;
		} else if (e.kind != ERR_ABSENT) {
			complain(u, &e);
		}
	}
}

static void say_released(const char *name)
{
	cmd_say("holdover: vm %s: its QEMU has ended since it was saved; 'holdover resume "
		"--never-ran %s' uses its state if you know that nobody had continued it, "
		"'holdover discard %s' gives it up",
		name, name, name);
}

/*
 * A seal of this boot means that the jump has not happened. One of an earlier
 * boot waits for its resume and is none of our business. Of a VM whose QEMU has
 * died since, nobody knows whether somebody had continued it before.
 */
static int unseal(struct host *h, unsigned int index, const char *name, struct undo *u,
		  struct vm_record *rec, struct err *e)
{
	uint8_t boot_id[16];
	int alive;

	if (io_boot_id(boot_id, e) < 0)
		return -1;
	if (rec->state != VM_SEALED || memcmp(rec->boot_id, boot_id, 16))
		return 0;
	alive = runstate_alive(name, NULL, e);
	if (alive < 0)
		return -1;
	rec->state = alive ? VM_ABORTED : VM_RELEASED;
	if (ledger_record_write(&h->ledger, index, rec, e) < 0) {
		rec->state = VM_SEALED;
		return -1;
	}
	FAULT(vm_unsealed);
	u->seals++;
	if (alive)
		u->undone[index] = *rec;
	else
		say_released(name);
	return 0;
}

static void settle_record(struct host *h, struct stage *s, unsigned int index, const char *name,
			  struct undo *u)
{
	struct err e = { 0 };
	struct vm_record rec;
	bool stays = false;

	if (ledger_record_read(&h->ledger, index, &rec, &e) < 0) {
		u->unreadable[index] = stays = true;
	} else if (unseal(h, index, name, u, &rec, &e) < 0) {
		err_wrap(&e, "vm %s", name);
		complain(u, &e);
		stays = true;
	} else {
		u->pending |= host_pending(rec.state);
	}
	for (unsigned int i = 0; i < s->n; i++)
		if (index_of(&s->vm[i]) == index)
			s->vm[i].sealed = stays;
}

static void settle_records(struct host *h, struct stage *s, struct undo *u)
{
	_cleanup_free_ struct extent_table *t = calloc(1, sizeof(*t));
	struct err e = { 0 };

	if (!t)
		err_set(&e, ERR_IO, "out of memory");
	if (!t || ledger_extents_read(&h->ledger, t, &e) < 0)
		complain(u, &e);
	/* Those that live do not depend on the table. */
	for (unsigned int i = 0; i < s->n; i++)
		settle_record(h, s, index_of(&s->vm[i]), s->vm[i].rs.m.vms[0].vm.name, u);
	for (unsigned int i = 0; t && e.kind == ERR_NONE && i < VM_MAX; i++) {
		bool lives = false;

		for (unsigned int k = 0; k < s->n; k++)
			lives |= index_of(&s->vm[k]) == i;
		if (*t->slot[i].name && !lives)
			settle_record(h, s, i, t->slot[i].name, u);
	}
}

static bool drop_kernel(struct undo *u)
{
	struct err e = { 0 };

	if (kexec_loaded(&u->loaded, &e) == 0 && (!u->loaded || stage_drop_kernel(&e) == 0)) {
		FAULT(kernel_unloaded);
		return true;
	}
	complain(u, &e);
	return false;
}

static bool drop_tickets(struct undo *u)
{
	struct err e = { 0 };

	if (!u->pending &&
	    (ticket_shred(HOLDOVER_TICKET_COPY, &e) < 0 ||
	     ticket_shred(HOLDOVER_RUN_DIR "/ticket", &e) < 0)) {
		complain(u, &e);
		return false;
	}
	FAULT(tickets_dropped);
	return true;
}

/* One that ended just now: its state need not be lost. */
static void settle_dead(struct stage *s, struct stage_vm *v, struct undo *u)
{
	const char *name = v->rs.m.vms[0].vm.name;
	struct vm_record *rec = &u->undone[index_of(v)];
	struct err e = { 0 };

	if (rec->state != VM_ABORTED || runstate_alive(name, NULL, &e) != 0)
		return;
	rec->state = VM_RELEASED;
	if (ledger_record_write(&s->h->ledger, index_of(v), rec, &e) < 0) {
		complain(u, &e);
		return;
	}
	u->pending = true;
	say_released(name);
}

static void go_on(struct stage *s, struct undo *u)
{
	struct err e = { 0 };
	unsigned int n = stage_continue_all(s, &e);

	if (n)
		complain(u, &e);
	for (unsigned int i = 0; n && i < s->n; i++)
		if (s->vm[i].paused_here && !s->vm[i].sealed)
			settle_dead(s, &s->vm[i], u);
}

/* A record that cannot be read can never be resumed from; to be sure of that,
 * what could do it is taken away before the VM runs on. */
static void go_on_unreadable(struct stage *s, struct undo *u, bool safe)
{
	bool any = false;

	for (unsigned int i = 0; i < s->n; i++) {
		struct stage_vm *v = &s->vm[i];

		if (!v->paused_here || !u->unreadable[index_of(v)])
			continue;
		any = true;
		v->sealed = !safe;
		if (safe)
			continue;
		cmd_say("holdover: vm %s: its record cannot be read, so it stays paused until the "
			"kernel and the tickets are gone; 'holdover discard --force %s' overwrites it",
			v->rs.m.vms[0].vm.name, v->rs.m.vms[0].vm.name);
		u->failed++;
	}
	if (any && safe)
		go_on(s, u);
}

/* The four steps of stage_abort(), without the stage that died; VM by VM, so
 * that one that is stuck keeps no other paused. */
static void abort_jump(struct host *h, struct stage *s, struct undo *u)
{
	unsigned int still = 0;
	bool safe;

	settle_records(h, s, u);
	safe = drop_kernel(u);
	go_on(s, u);
	/* After that: it writes to a disk, which may take its time. */
	safe &= drop_tickets(u);
	go_on_unreadable(s, u, safe);
	for (unsigned int i = 0; i < s->n; i++)
		still += s->vm[i].paused_here;
	if (u->seals + u->paused + u->loaded)
		printf("%u seal%s undone, %s, %u VM%s continued\n", u->seals,
		       u->seals == 1 ? "" : "s",
		       !u->loaded   ? "no kernel was loaded" :
			       safe ? "loaded kernel dropped" :
				      "a kernel may still be loaded",
		       u->paused - still, u->paused - still == 1 ? "" : "s");
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct stage s _cleanup_(stage_close);
	struct undo u = { .seals = 0 };
	struct err e = { 0 };
	int unknown;

	(void)argv;
	stage_init(&s, &h);
	if (argc != 1)
		return cmd_usage(&cmd_abort, "it takes no arguments");
	if (host_open(&h, app, HOST_LOCK | HOST_WAIT, &e) < 0)
		return cmd_fail(&e);
	interrupt_hold(NULL);
	unknown = stage_collect_some(&s, &e);
	if (unknown < 0)
		return cmd_fail(&e);
	adopt_paused(&s, &u);
	/* A stage that died may have left the root file system frozen, behind
	 * which everything else would hang. */
	if (u.paused)
		kexec_thaw_all();
	if (unknown)
		complain(&u, &e);
	if (host_open_ledger(&h, &e) < 0)
		return cmd_fail(&e);
	abort_jump(&h, &s, &u);
	if (u.failed)
		return (u.seals + u.paused + u.loaded) ? EXIT_PARTIAL : EXIT_FAILED;
	if (u.seals + u.paused + u.loaded)
		return EXIT_DONE;
	cmd_say("holdover: nothing to abort");
	return EXIT_NOTHING;
}

const struct cmd cmd_abort = {
	.name = "abort",
	.args = "",
	.summary = "set things right after a jump that did not happen",
	.help = "Thaws the file systems, undoes the seals of this boot, drops the loaded kernel, continues\n"
		"every VM that was paused for the jump, and removes the ticket. A VM whose seal cannot\n"
		"be undone stays paused and keeps no other paused. A sealed VM whose QEMU has ended\n"
		"since is left RELEASED: somebody may have continued it before it ended. Safe to run\n"
		"at any time, and twice.\n",
	.run = run,
};
