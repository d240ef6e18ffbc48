/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "kexec.h"
#include "fault.h"
#include "interrupt.h"
#include "stage.h"

static bool lives(const char *name)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct err ignored = { 0 };

	return runstate_load(name, &rs, &ignored) == 0 && rs.pidfd >= 0;
}

/*
 * A seal of this boot means that the jump has not happened. One of an earlier
 * boot waits for its resume and is none of our business. A VM whose QEMU has
 * died since has nothing left but its sealed state, which is kept.
 */
static int unseal(struct host *h, unsigned int *n, struct err *e)
{
	_cleanup_free_ struct extent_table *t = malloc(sizeof(*t));
	uint8_t boot_id[16];

	if (!t)
		return err_set(e, ERR_IO, "out of memory");
	if (io_boot_id(boot_id, e) < 0 || ledger_extents_read(&h->ledger, t, e) < 0)
		return -1;
	for (unsigned int i = 0; i < VM_MAX; i++) {
		struct vm_record rec;

		if (!*t->slot[i].name)
			continue;
		if (ledger_record_read(&h->ledger, i, &rec, e) < 0)
			return err_wrap(e, "vm %s", t->slot[i].name);
		if (rec.state != VM_SEALED || memcmp(rec.boot_id, boot_id, 16))
			continue;
		rec.state = lives(t->slot[i].name) ? VM_ABORTED : VM_FAILED;
		rec.reason = rec.state == VM_FAILED ? ERR_EXITED : ERR_NONE;
		if (ledger_record_write(&h->ledger, i, &rec, e) < 0)
			return err_wrap(e, "vm %s", t->slot[i].name);
		FAULT(vm_unsealed);
		(*n)++;
	}
	return 0;
}

/* Takes over what a stage that died has paused. */
static unsigned int adopt_paused(struct stage *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n; i++) {
		struct stage_vm *v = &s->vm[i];
		struct err ignored = { 0 };
		bool was_running;

		v->paused_here =
			runstate_read_pause(v->rs.m.vms[0].vm.name, &was_running, &ignored) == 0;
		n += v->paused_here;
	}
	return n;
}

/* The four steps of stage_abort(), without the stage that died. */
static int abort_jump(struct host *h, struct stage *s, unsigned int *undone, struct err *e)
{
	unsigned int unsealed = 0, paused = adopt_paused(s);
	bool loaded = false;

	if (unseal(h, &unsealed, e) < 0 || kexec_loaded(&loaded, e) < 0)
		return -1;
	if (loaded && kexec_unload(e) < 0)
		return -1;
	FAULT(kernel_unloaded);
	if (host_drop_tickets(h, e) < 0)
		return -1;
	FAULT(tickets_dropped);
	*undone = unsealed + paused + loaded;
	if (stage_continue_all(s, e))
		return -1;
	if (*undone)
		printf("%u seal%s undone, %s, %u VM%s continued\n", unsealed,
		       unsealed == 1 ? "" : "s",
		       loaded ? "loaded kernel dropped" : "no kernel was loaded", paused,
		       paused == 1 ? "" : "s");
	return 0;
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct stage s _cleanup_(stage_close);
	unsigned int undone = 0;
	struct err e = { 0 };

	(void)argv;
	stage_init(&s, &h);
	if (argc != 1)
		return cmd_usage(&cmd_abort, "it takes no arguments");
	if (host_open(&h, app, HOST_LOCK | HOST_LEDGER, &e) < 0)
		return cmd_fail(&e);
	if (stage_collect(&s, &e) < 0 && e.kind != ERR_ABSENT)
		return cmd_fail(&e);
	err_clear(&e);
	interrupt_hold(NULL);
	if (abort_jump(&h, &s, &undone, &e) < 0)
		return cmd_fail(&e);
	if (undone)
		return EXIT_DONE;
	cmd_say("holdover: nothing to abort");
	return EXIT_NOTHING;
}

const struct cmd cmd_abort = {
	.name = "abort",
	.args = "",
	.summary = "set things right after a jump that did not happen",
	.help = "Undoes the seals of this boot, drops the loaded kernel and the ticket, then continues\n"
		"every VM that was paused for the jump. Safe to run at any time, and twice.\n",
	.run = run,
};
