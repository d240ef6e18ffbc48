/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "runstate.h"

static int discard(struct host *h, const struct extent_table *t, const char *name, bool *done,
		   struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	int index = extent_find(t, name);
	struct err ignored = { 0 };
	struct vm_record rec;

	*done = false;
	if (index < 0)
		return err_set(e, ERR_ABSENT, "the ledger knows no VM %s", name);
	if (ledger_record_read(&h->ledger, (unsigned int)index, &rec, e) < 0)
		return -1;
	if (!host_pending(rec.state))
		return 0;
	/* One that was released and lives has moved on: its saved state is worth
	 * nothing, and giving it up does not touch the VM. */
	if (rec.state != VM_RELEASED && runstate_load(name, &rs, &ignored) == 0 && rs.pidfd >= 0)
		return err_set(e, ERR_REFUSED,
			       "its QEMU (pid %d) is alive; 'holdover abort' continues it, 'holdover "
			       "stop --force %s' ends it",
			       (int)rs.pid, name);
	rec.state = VM_CONSUMED;
	if (io_boot_id(rec.boot_id, e) < 0 ||
	    ledger_record_write(&h->ledger, (unsigned int)index, &rec, e) < 0)
		return -1;
	*done = true;
	return 0;
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	_cleanup_free_ struct extent_table *t = malloc(sizeof(*t));
	int failed = 0, discarded = 0;
	struct err e = { 0 };

	if (argc < 2)
		return cmd_usage(&cmd_discard, "give the names of the VMs whose state to give up");
	if (!t)
		return EXIT_FAILED;
	if (host_open(&h, app, HOST_LOCK | HOST_LEDGER, &e) < 0 ||
	    ledger_extents_read(&h.ledger, t, &e) < 0)
		return cmd_fail(&e);
	for (int i = 1; i < argc; i++) {
		bool done;

		if (discard(&h, t, argv[i], &done, &e) < 0) {
			err_wrap(&e, "vm %s", argv[i]);
			cmd_fail(&e);
			failed++;
			continue;
		}
		discarded += done;
		printf("%s: %s\n", argv[i],
		       done ? "state given up; 'holdover run' starts it afresh" : "nothing waits");
	}
	if (discarded && host_drop_tickets(&h, &e) < 0)
		return cmd_fail(&e);
	if (failed)
		return discarded ? EXIT_PARTIAL : EXIT_FAILED;
	return discarded ? EXIT_DONE : EXIT_NOTHING;
}

const struct cmd cmd_discard = {
	.name = "discard",
	.args = "NAME...",
	.summary = "give up the saved state of VMs, so that they can be started afresh",
	.help = "Marks the state as consumed before anything else can use it. What the guest had in\n"
		"memory is lost, as by a power cut; its disks stay as they are.\n",
	.run = run,
};
