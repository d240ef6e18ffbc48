/* SPDX-License-Identifier: GPL-2.0-only */
/* Scopes for QEMUs that an initramfs without systemd has started. */
#ifndef HOLDOVER_ADOPT_H
#define HOLDOVER_ADOPT_H

#include "err.h"

/** adopt_all() - put every QEMU of a VM that is not in its scope into it, and
 * say so in the log. One that cannot be is named; the others are not left out. */
void adopt_all(void);

#endif
