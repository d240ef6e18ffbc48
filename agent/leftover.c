/* SPDX-License-Identifier: GPL-2.0-only */
#include "leftover.h"

#include "qemu.h"
#include "runstate.h"

int leftover_check(const char *name, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	int alive = runstate_alive(name, &rs, e);

	if (alive <= 0)
		return alive;
	return err_set(e, ERR_REFUSED,
		       "its QEMU (pid %d) is alive and may be running; 'holdover stop --force %s' "
		       "ends it",
		       (int)rs.pid, name);
}

int leftover_kill(const char *name, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct qemu_proc p = QEMU_PROC_INIT;
	int alive = runstate_alive(name, &rs, e);

	if (alive <= 0)
		return alive;
	p.pidfd = steal_fd(&rs.pidfd);
	qemu_proc_kill(&p);
	alive = runstate_alive(name, NULL, e);
	if (alive > 0)
		return err_set(e, ERR_REFUSED,
			       "the QEMU of an earlier attempt (pid %d) does not end, not even by "
			       "SIGKILL",
			       (int)rs.pid);
	return alive;
}
