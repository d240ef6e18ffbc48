/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a QEMU consists of: the devices that its command line made, and the
 * images behind its drives. A VM is started from its command line again after
 * the jump, so what was plugged, unplugged or exchanged over QMP meanwhile would
 * be missing: the load fails, or, with an image that became the backing file of
 * a live snapshot, the guest writes to the wrong file.
 */
#ifndef HOLDOVER_INVENTORY_H
#define HOLDOVER_INVENTORY_H

#include "manifest.h"
#include "qmp.h"

/** struct inventory - @n sentences such as "device net0 (virtio-net-pci)" or
 * "drive disk: /srv/db1.img", sorted; owned */
struct inventory {
	char **item;
	unsigned int n;
};

/** inventory_read() - ask QEMU. Of an image only an absolute path is taken up:
 * other names may be spelt differently by another version. */
_must_check_ int inventory_read(struct qmp *q, struct inventory *out, struct err *e);
void inventory_free(struct inventory *v);
#define _cleanup_inventory_ _cleanup_(inventory_free)

/** inventory_check() - REFUSED, naming what differs, unless @now is what the VM
 * was started with (@was->devices). Nothing is known of a VM that was started by
 * a Holdover that did not look: that passes. */
_must_check_ int inventory_check(const struct manifest_vm *was, const struct inventory *now,
				 struct err *e);

#endif
