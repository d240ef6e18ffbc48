/* SPDX-License-Identifier: GPL-2.0-only */
/* A jump that is prepared and waits for the end of the shutdown: kexec.target. */
#ifndef HOLDOVER_ARM_H
#define HOLDOVER_ARM_H

#include "stage.h"

/* The ticket of an armed jump; holdover-kexec.service has it as its condition. */
#define HOLDOVER_ARMED "/run/holdover/armed"

/** arm_jump() - after the checks: a ticket, the kernel loaded with it, the
 * ticket's copy while /var is there, and last of all HOLDOVER_ARMED. No VM is
 * touched. On failure arm_disarm() must follow. */
_must_check_ int arm_jump(struct stage *s, const struct target *t, struct err *e);

/** arm_take() - the armed ticket, for the last step: it is gone from there
 * afterwards, since a ticket is never sealed twice. ABSENT if nothing is armed;
 * REFUSED if the kernel that was loaded with it is not there any more; STALE if
 * the ledger has seen another jump since. */
_must_check_ int arm_take(struct stage *s, struct err *e);

/** arm_armed() - is a jump armed? */
bool arm_armed(void);

/** arm_disarm() - take back what arm_jump() did. */
_must_check_ int arm_disarm(struct stage *s, struct err *e);

#endif
