/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest's wall clock after the jump: it stood still with the guest. */
#ifndef HOLDOVER_GUEST_CLOCK_H
#define HOLDOVER_GUEST_CLOCK_H

#include "restore.h"

/**
 * struct guest_clock - one VM that was resumed and runs
 * @mv: the VM
 * @running_tsc: time stamp counter when it ran again
 */
struct guest_clock {
	const struct manifest_vm *mv;
	uint64_t running_tsc;
};

/**
 * guest_clocks_set() - set the guests' clocks through their agents, all at once
 *
 * @timeout_ms: for all of them; a VM without a channel takes no time
 *
 * What came of it is noted for `holdover status`: nothing here fails a resume.
 * The time is that of the host, or where the counter is trusted what the host
 * had when the VMs were sealed plus what the counter has counted since.
 */
void guest_clocks_set(const struct restore *r, const struct guest_clock *g, unsigned int n,
		      int timeout_ms);

#endif
