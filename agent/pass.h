/* SPDX-License-Identifier: GPL-2.0-only */
/* One pass of the agent: at the placement initramfs, or at sysroot. */
#ifndef HOLDOVER_PASS_H
#define HOLDOVER_PASS_H

#include "params.h"
#include "restore.h"

/* Made by an agent that had no systemd to make scopes for its QEMUs:
 * holdover-resume.service of the host does it then. */
#define PASS_ADOPT HOLDOVER_RUN_DIR "/adopt"

/**
 * struct pass - what to do
 * @who: RESTORE_EARLY or RESTORE_AGENT
 * @root: where the host's root is mounted; not used by RESTORE_EARLY
 * @params: of the kernel's command line
 * @started: by io_now_ms()
 */
struct pass {
	enum restore_who who;
	const char *root;
	const struct params *params;
	int64_t started;
};

/** pass_run() - the whole of it, marker line included. Returns an exit status.
 * Ends the process at the latest when the pass's deadline has passed. */
int pass_run(void *pass);

#endif
