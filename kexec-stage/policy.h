/* SPDX-License-Identifier: GPL-2.0-only */
/* What a VM's on-failure says about it, done once the boot has tried for the
 * last time. */
#ifndef HOLDOVER_POLICY_H
#define HOLDOVER_POLICY_H

#include "host.h"
#include "restore.h"

/**
 * policy_apply() - after restore_vms() for RESTORE_LATE
 * @h: with the lock, its ledger not yet open
 * @r: what was tried, @report: how it went; results become COLD_BOOTED or
 *	GIVEN_UP, and are counted anew
 *
 * CONSUMED is durable before a VM is started afresh. A VM whose configuration
 * cannot be read, or whose QEMU lives, keeps its state. Then the on-failure-unit
 * of each VM that has failed in this boot is started.
 */
void policy_apply(const struct app *app, struct host *h, const struct restore *r,
		  struct restore_report *report);

#endif
