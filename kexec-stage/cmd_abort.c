/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "abort.h"
#include "interrupt.h"
#include "kexec.h"

/* Takes over what a stage that died has paused. */
static unsigned int adopt_paused(struct stage *s, struct undo *u)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n; i++) {
		struct stage_vm *v = &s->vm[i];
		struct err e = { 0 };
		bool was_running;

		if (runstate_read_pause(v->rs.m.vms[0].vm.name, &was_running, &e) == 0) {
			v->paused_here = true;
			n++;
		} else if (e.kind != ERR_ABSENT) {
			undo_fail(u, &e);
		}
	}
	return n;
}

static int tell(const struct undo *u)
{
	undo_tell(u);
	if (!(u->seals + u->paused + u->loaded)) {
		if (u->failed)
			return EXIT_FAILED;
		cmd_say("holdover: nothing to abort");
		return EXIT_NOTHING;
	}
	printf("%u seal%s undone, %s, %u VM%s continued\n", u->seals, u->seals == 1 ? "" : "s",
	       !u->loaded	  ? "no kernel was loaded" :
		       u->dropped ? "loaded kernel dropped" :
				    "a kernel may still be loaded",
	       u->continued, u->continued == 1 ? "" : "s");
	return u->failed ? EXIT_PARTIAL : EXIT_DONE;
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct stage s _cleanup_(stage_close);
	struct undo u = { .seals = 0 };
	struct err e = { 0 };
	bool have_ledger;
	int unknown;

	(void)argv;
	stage_init(&s, &h);
	if (argc != 1)
		return cmd_usage(&cmd_abort, "it takes no arguments");
	/* A configuration that cannot be read must not keep VMs paused. */
	if (host_open(&h, app, HOST_LOCK | HOST_WAIT | HOST_ANYWAY, &e) < 0)
		return cmd_fail(&e);
	interrupt_hold(NULL);
	unknown = stage_collect_some(&s, &e);
	if (unknown < 0)
		return cmd_fail(&e);
	/* A stage that died may have left the root file system frozen, behind
	 * which everything else would hang. */
	if (adopt_paused(&s, &u))
		kexec_thaw_all();
	if (unknown)
		undo_fail(&u, &e);
	have_ledger = host_open_ledger(&h, &e) == 0;
	if (!have_ledger)
		undo_fail(&u, &e);
	abort_jump(&s, have_ledger, &u);
	return tell(&u);
}

const struct cmd cmd_abort = {
	.name = "abort",
	.args = "",
	.summary = "set things right after a jump that did not happen",
	.help = "Thaws the file systems, undoes the seals of this boot, drops the loaded kernel, continues\n"
		"every VM that was paused for the jump, and removes the ticket. A VM whose seal cannot\n"
		"be undone stays paused and keeps no other paused. A sealed VM whose QEMU has ended\n"
		"since is left RELEASED: somebody may have continued it before it ended. If the ledger\n"
		"cannot be opened, VMs go on once kernel and tickets are gone, without which no seal can\n"
		"be used. Safe to run at any time, and twice.\n",
	.run = run,
};
