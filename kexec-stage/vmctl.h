/* SPDX-License-Identifier: GPL-2.0-only */
/* Talking to one running VM over its control monitor, blocking. */
#ifndef HOLDOVER_VMCTL_H
#define HOLDOVER_VMCTL_H

#include "manifest.h"
#include "qmp.h"

#define VMCTL_TIMEOUT_MS 10000

/** vmctl_open() - connect to RUN_DIR/NAME/ctl.sock and negotiate. */
_must_check_ int vmctl_open(const char *name, struct qmp *q, unsigned int *version, struct err *e);

/** vmctl_machine() - the versioned machine type in place of the alias, the
 * options after it kept: "q35,smm=off" becomes "pc-q35-10.0,smm=off". Owned by
 * the caller. */
_must_check_ int vmctl_machine(struct qmp *q, const char *machine, char **out, struct err *e);

/** vmctl_status() - run state ("running", "paused", "postmigrate", ...). */
_must_check_ int vmctl_status(struct qmp *q, char *out, size_t size, struct err *e);

/** vmctl_identify() - disk_identify() in the host's root, bounded: TIMEOUT if
 * the file system of the image does not answer. */
_must_check_ int vmctl_identify(struct disk *d, struct err *e);

/** vmctl_disks() - absolute paths of all images and their backing files that
 * the VM has open, identified as they are now. */
_must_check_ int vmctl_disks(struct qmp *q, struct disk **disks, unsigned int *n, struct err *e);

/** vmctl_blockers() - REFUSED listing QEMU's migration blockers, if any. */
_must_check_ int vmctl_blockers(struct qmp *q, struct err *e);

/** vmctl_cont() - continue, and make sure that it runs. */
_must_check_ int vmctl_cont(struct qmp *q, struct err *e);

#endif
