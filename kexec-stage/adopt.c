/* SPDX-License-Identifier: GPL-2.0-only */
#include "adopt.h"

#include <string.h>

#include "io.h"
#include "journal.h"
#include "log.h"
#include "machined.h"
#include "pass.h"
#include "qemu.h"
#include "runstate.h"
#include "unit.h"

#define SCOPE_TIMEOUT_MS 20000

/* By /proc/PID/cgroup, in the unified hierarchy or systemd's own. */
static bool in_scope(pid_t pid, const char *scope, struct err *e)
{
	_cleanup_buf_ struct buf text = { 0 };
	char path[64], want[300];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	snprintf(want, sizeof(want), "/%s\n", scope);
	return io_read_file(path, 65536, &text, e) == 0 && strstr(text.data, want);
}

static void adopt(const char *name)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	const char *scope;
	struct err e = { 0 };
	int alive = runstate_alive(name, &rs, &e);

	if (alive < 0)
		log_warn("vm %s: %s", name, e.msg);
	scope = alive > 0 ? rs.m.vms[0].scope : NULL;
	if (!scope || in_scope(rs.pid, scope, &e))
		return;
	err_clear(&e);
	if (unit_start_scope(scope, name, rs.pid, rs.m.vms[0].vm.limits, SCOPE_TIMEOUT_MS, &e) < 0)
		log_err("vm %s: it runs outside of its scope: %s", name, e.msg);
	else
		log_notice("vm %s: adopted into %s", name, scope);
}

void adopt_all(void)
{
	char names[VM_MAX][VM_NAME_MAX + 1];
	struct err e = { 0 };
	int n = unit_manager_present() ? runstate_names(names, &e) : 0;

	if (n < 0)
		log_warn("%s", e.msg);
	for (int i = 0; i < n; i++)
		adopt(names[i]);
	if (n >= 0 && unit_manager_present() && io_unlink_durable(PASS_ADOPT, &e) < 0)
		log_warn("%s", e.msg);
}

int adopt_vm(const char *name, pid_t pid, struct err *e)
{
	journal_forward(name, pid);
	if (machined_register(name, pid, e) == 0)
		return 0;
	if (e->kind != ERR_ABSENT)
		return err_wrap(e, "machinectl will not list it");
	err_clear(e);
	return 0;
}
