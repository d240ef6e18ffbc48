/* SPDX-License-Identifier: GPL-2.0-only */
/* What must be as it was when the VM was saved. */
#ifndef HOLDOVER_RESTORE_CHECK_H
#define HOLDOVER_RESTORE_CHECK_H

#include "restore.h"

/** check_root() - sysroot_prepare(), once for all VMs; the first error stays.
 * Comes before the disks: block devices are found in the root's /dev. */
_must_check_ int check_root(struct restore *r, struct err *e);

/** check_program() - is the VM's QEMU there? ABSENT if it is not: that of an
 * image which was built without it, or on a /usr that is not mounted. */
_must_check_ int check_program(const struct restore *r, const struct manifest_vm *mv, struct err *e);

/** check_disks() - disk_check() of all of them; @tried: there has been an
 * attempt to load the VM's state; @opened: by a QEMU of this one. */
_must_check_ int check_disks(const struct restore *r, const struct manifest_vm *mv, bool tried,
			     bool opened, struct err *e);

/** check_devices() - before the root is mounted, device nodes are still being
 * made: ABSENT if one that QEMU is told to open is not there. */
_must_check_ int check_devices(const struct restore *r, const struct manifest_vm *mv, struct err *e);

/** check_ram() - its canaries; @whole: all of it, if it was sealed like that. */
_must_check_ int check_ram(struct restore *r, const struct manifest_vm *mv, bool whole,
			   struct err *e);

/** check_mapped() - the process @pid has this VM's RAM. */
_must_check_ int check_mapped(struct restore *r, const struct manifest_vm *mv, pid_t pid,
			      struct err *e);

/** check_survives() - REFUSED if QEMU would not survive the switch to the real
 * root: it runs without privileges, and this systemd ends all those that do. */
_must_check_ int check_survives(const struct restore *r, const struct vm *vm, struct err *e);

#endif
