/* SPDX-License-Identifier: GPL-2.0-only */
/* What QEMU prints, as entries of the host's journal. */
#ifndef HOLDOVER_JOURNAL_H
#define HOLDOVER_JOURNAL_H

#include <sys/types.h>

#include "err.h"

/* Where journald takes entries; another path only in tests. */
extern const char *journal_socket;

/**
 * journal_forward() - the lines of a VM's qemu.log that are new since the last
 * call, each as one entry
 * @name: of the VM; the entries' identifier is "holdover-NAME"
 * @pid: its QEMU, for which journald notes unit and command line; 0: has ended
 *
 * journald stamps an entry when it gets it, so this is called where the lines
 * were written: in the initramfs for what QEMU said there. How far it has come
 * is noted in RUN_DIR/NAME/qemu.log.sent. Without a journald nothing is noted
 * and nothing is lost. At most 64 KiB a call. Best effort: what fails is tried
 * again at the next call.
 */
void journal_forward(const char *name, pid_t pid);

#endif
