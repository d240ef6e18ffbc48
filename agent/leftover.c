/* SPDX-License-Identifier: GPL-2.0-only */
#include "leftover.h"

#include "qemu.h"
#include "runstate.h"

int leftover_check(const char *name, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct err ignored = { 0 };

	if (runstate_load(name, &rs, &ignored) < 0 || rs.pidfd < 0)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "its QEMU (pid %d) is alive and may be running; 'holdover stop --force %s' "
		       "ends it",
		       (int)rs.pid, name);
}

void leftover_kill(const char *name)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct qemu_proc p = QEMU_PROC_INIT;
	struct err ignored = { 0 };

	if (runstate_load(name, &rs, &ignored) < 0 || rs.pidfd < 0)
		return;
	p.pidfd = steal_fd(&rs.pidfd);
	qemu_proc_kill(&p);
}
