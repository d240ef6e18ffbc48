/* SPDX-License-Identifier: GPL-2.0-only */
/* A running VM's place in the complete system: scope, machinectl, journal. */
#ifndef HOLDOVER_ADOPT_H
#define HOLDOVER_ADOPT_H

#include <sys/types.h>

#include "err.h"

/** adopt_all() - for QEMUs that an initramfs without systemd has started: put
 * every QEMU of a VM that is not in its scope into it, and
 * say so in the log. One that cannot be is named; the others are not left out. */
void adopt_all(void);

/** adopt_vm() - register it with systemd-machined, and put what QEMU has printed
 * into the journal. That there is no machined is no failure. */
_must_check_ int adopt_vm(const char *name, pid_t pid, struct err *e);

#endif
