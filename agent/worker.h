/* SPDX-License-Identifier: GPL-2.0-only */
/* The process that does the work, so that the boot need not wait for it. */
#ifndef HOLDOVER_WORKER_H
#define HOLDOVER_WORKER_H

#include "err.h"

/**
 * worker_run() - run @work in a child and wait for it, for @wait_ms at most
 * @name: argv[0] of this process, which the child gets a '@' in front of: what
 *	systemd asks for to spare it at switch-root
 * @status: what @work returned, or 128 + the signal that ended it
 *
 * 1: the child has ended; 0: it goes on by itself; -1: there is none.
 * The child leads a session of its own, and nobody waits for its end. Its root
 * is what @work makes it; the initramfs is emptied under it otherwise.
 */
_must_check_ int worker_run(int (*work)(void *ctx), void *ctx, char *name, int wait_ms, int *status,
			    struct err *e);

#endif
