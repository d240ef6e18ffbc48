/* SPDX-License-Identifier: GPL-2.0-only */
/* Does the way through kexec.target lead where it should? */
#include "preflight.h"
#include "unit.h"

void preflight_kexec_target(struct preflight *p, enum finding_level level)
{
	static const char what[] = "kexec.target", jump[] = "holdover-kexec.service";
	struct err e = { 0 };
	bool pulled, after, stopped;

	if (!unit_manager_present()) {
		preflight_add(p, level, what, "this host does not run systemd; use --now");
		return;
	}
	if (unit_related("systemd-kexec.service", "Requires", jump, &pulled, &e) < 0 ||
	    unit_related("systemd-kexec.service", "After", jump, &after, &e) < 0 ||
	    unit_related("machine.slice", "Conflicts", "shutdown.target", &stopped, &e) < 0) {
		preflight_add(p, level, what, "%s; use --now", e.msg);
		return;
	}
	if (!pulled || !after)
		preflight_add(p, level, what,
			      "systemd-kexec.service does not wait for %s; install Holdover's units, "
			      "'systemctl daemon-reload', or use --now",
			      jump);
	if (stopped)
		preflight_add(p, level, what,
			      "machine.slice would be stopped with all VMs; install "
			      "machine.slice.d/50-holdover.conf, 'systemctl daemon-reload', or use "
			      "--now");
	if (pulled && after && !stopped)
		preflight_add(p, FINDING_OK, what, "VMs are carried to its last step");
}
