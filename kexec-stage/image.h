/* SPDX-License-Identifier: GPL-2.0-only */
/* The image of a VM that does not run. */
#ifndef HOLDOVER_IMAGE_H
#define HOLDOVER_IMAGE_H

#include "manifest.h"

/** image_delete_snapshot() - delete the snapshot that holds the device state of
 * @mv out of its image, by the VM's own QEMU, started without a machine.
 *
 * @mv must come from a manifest whose MAC was checked: the image is opened for
 * writing, with all that a qcow2 file may refer to.
 */
_must_check_ int image_delete_snapshot(const struct manifest_vm *mv, struct err *e);

#endif
