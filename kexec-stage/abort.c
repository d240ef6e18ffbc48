/* SPDX-License-Identifier: GPL-2.0-only */
#include "abort.h"

#include <stdarg.h>
#include <string.h>

#include "arm.h"
#include "fault.h"
#include "kexec.h"
#include "qemu.h"

static _printf_(2, 3) void say(struct undo *u, const char *fmt, ...)
{
	size_t at = strlen(u->said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(u->said + at, sizeof(u->said) - at, fmt, ap);
	va_end(ap);
}

void undo_fail(struct undo *u, const struct err *e)
{
	say(u, "holdover: %s\n", e->msg);
	u->failed++;
}

static unsigned int index_of(const struct stage_vm *v)
{
	return v->rs.m.vms[0].index;
}

void undo_tell(const struct undo *u)
{
	if (*u->said)
		cmd_say("%.*s", (int)strlen(u->said) - 1, u->said);
}

static void say_released(struct undo *u, const char *name)
{
	say(u,
	    "holdover: vm %s: its QEMU has ended since it was saved; 'holdover resume "
	    "--never-ran %s' uses its state if you know that nobody had continued it, "
	    "'holdover discard %s' gives it up\n",
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
		say_released(u, name);
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
		err_wrap(&e, "vm %s: its seal could not be undone, so it stays paused", name);
		undo_fail(u, &e);
		say(u,
		    "holdover: vm %s: run 'holdover abort' again; if that fails each time: 'kexec -u', remove " HOLDOVER_TICKET_COPY
		    " and " HOLDOVER_RUN_DIR "/ticket, without which nobody can use the "
		    "seal, then 'cont' on " HOLDOVER_RUN_DIR "/%s/qmp.sock\n",
		    name, name);
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
		undo_fail(u, &e);
	/* Those that live do not depend on the table. */
	for (unsigned int i = 0; i < s->n; i++)
		settle_record(h, s, index_of(&s->vm[i]), s->vm[i].rs.m.vms[0].vm.name, u);
	for (unsigned int i = 0; t && e.kind == ERR_NONE && i < VM_MAX; i++) {
		bool lives = false;

		for (unsigned int k = 0; k < s->n; k++)
			lives |= index_of(&s->vm[k]) == i;
		if (*t->slot[i].name && !t->slot[i].part && !lives)
			settle_record(h, s, i, t->slot[i].name, u);
	}
}

static bool drop_kernel(struct undo *u)
{
	struct err e = { 0 };

	if (u->keep_kernel)
		return true;
	if (ticket_shred(HOLDOVER_ARMED, &e) == 0 && kexec_loaded(&u->loaded, &e) == 0 &&
	    (!u->loaded || stage_drop_kernel(&e) == 0)) {
		FAULT(kernel_unloaded);
		return true;
	}
	undo_fail(u, &e);
	return false;
}

static bool drop_tickets(struct undo *u)
{
	struct err e = { 0 };

	if (!u->pending &&
	    (ticket_shred(HOLDOVER_TICKET_COPY, &e) < 0 ||
	     ticket_shred(HOLDOVER_RUN_DIR "/ticket", &e) < 0)) {
		undo_fail(u, &e);
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
		undo_fail(u, &e);
		return;
	}
	u->pending = true;
	say_released(u, name);
}

static void go_on(struct stage *s, struct undo *u)
{
	struct err e = { 0 };
	unsigned int n = stage_continue_all(s, &e);

	if (n)
		undo_fail(u, &e);
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
		say(u,
		    "holdover: vm %s: its record cannot be read, so somebody could resume it a second "
		    "time: it stays paused until nobody can. Unload the kernel ('kexec -u'), remove " HOLDOVER_TICKET_COPY
		    " and " HOLDOVER_RUN_DIR "/ticket, then 'holdover abort' "
		    "continues it%s\n",
		    v->rs.m.vms[0].vm.name,
		    u->no_ledger ? "" : "; 'holdover discard --force NAME' overwrites the record");
		u->failed++;
	}
	if (any && safe)
		go_on(s, u);
}

/* Without a ledger: as if no record could be read. */
static void settle_unknown(struct stage *s, struct undo *u)
{
	u->no_ledger = true;
	/* With nothing paused the tickets may be all that a kept state has. */
	u->pending = !u->paused;
	for (unsigned int i = 0; i < s->n; i++)
		u->unreadable[index_of(&s->vm[i])] = s->vm[i].sealed = true;
}

void abort_jump(struct stage *s, bool have_ledger, struct undo *u)
{
	for (unsigned int i = 0; i < s->n; i++)
		u->paused += s->vm[i].paused_here;
	if (have_ledger)
		settle_records(s->h, s, u);
	else
		settle_unknown(s, u);
	u->dropped = drop_kernel(u);
	go_on(s, u);
	/* After that: it writes to a disk, which may take its time. */
	go_on_unreadable(s, u, drop_tickets(u) && u->dropped);
	u->continued = u->paused;
	for (unsigned int i = 0; i < s->n; i++)
		u->continued -= s->vm[i].paused_here;
}
