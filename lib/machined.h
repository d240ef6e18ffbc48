/* SPDX-License-Identifier: GPL-2.0-only */
/* Making VMs known to systemd-machined: `machinectl list`. */
#ifndef HOLDOVER_MACHINED_H
#define HOLDOVER_MACHINED_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

/* The system bus; another path only in tests. */
extern const char *machined_bus;

/**
 * machined_register() - RegisterMachine() of VM @name with its QEMU @pid as
 * leader, whose scope becomes the machine's unit
 *
 * ABSENT if there is no system bus or no machined, which is nothing bad: it is
 * only a register. Registering twice is no error. machined forgets a machine
 * whose leader has ended.
 */
_must_check_ int machined_register(const char *name, pid_t pid, struct err *e);

#endif
