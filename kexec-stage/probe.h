/* SPDX-License-Identifier: GPL-2.0-only */
/* Asking the QEMU on disk, which is the one that the next kernel starts and may
 * be another version than the one that runs. */
#ifndef HOLDOVER_PROBE_H
#define HOLDOVER_PROBE_H

#include "qmp.h"
#include "vm.h"

#define PROBE_TIMEOUT_MS 30000

/* First version whose memory-backend-file has offset=. */
#define PROBE_OFFSET_SINCE 80100

/**
 * struct probe - a QEMU that was started only to be asked
 * @q: its monitor, ready for commands
 * @version: from its greeting, see qmp_handshake()
 */
struct probe {
	struct qmp q;
	unsigned int version;
	/* private */
	pid_t pid;
	int log;
};

#define PROBE_INIT                                      \
	{                                               \
		.q = { .fd = -1 }, .pid = -1, .log = -1 \
	}

/**
 * probe_vm() - start @vm's QEMU as it is on disk, with @vm's machine and
 * processor, and wait for its monitor
 *
 * It waits for a state that never comes (-incoming defer) over RAM of its own,
 * anonymous and untouched. Of @vm's arguments it gets only those that open
 * nothing: no disk, no device, no socket and no region is touched. A QEMU that
 * does not start with them fails with its own words: EXITED.
 */
_must_check_ int probe_vm(struct probe *p, const struct vm *vm, struct err *e);

/**
 * probe_none() - start @qemu without a machine
 * @args: more arguments, NULL-terminated, or NULL
 */
_must_check_ int probe_none(struct probe *p, const char *qemu, const char *const *args,
			    struct err *e);

/** probe_close() - kill and reap. */
void probe_close(struct probe *p);
#define _cleanup_probe_ _cleanup_(probe_close)

#endif
