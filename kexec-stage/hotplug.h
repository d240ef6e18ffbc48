/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disks that a running VM is given by descriptor: the image is opened here, in
 * the host's root, and handed to QEMU, which may have a root of its own or no
 * right to open it. What is attached is known from QEMU alone: its descriptor
 * sets bear the disk's id and path.
 */
#ifndef HOLDOVER_HOTPLUG_H
#define HOLDOVER_HOTPLUG_H

#include "qmp.h"

/* A node's name in QEMU has no more. */
#define HOTPLUG_ID_MAX 31
#define HOTPLUG_MAX 64

/**
 * struct hotplug_disk - a disk that was attached
 * @id: of its device and of its block node
 * @path: of the image, for people: what is not plain text in it shows as '?'
 * @fdset: QEMU's descriptor set
 */
struct hotplug_disk {
	char id[HOTPLUG_ID_MAX + 1];
	char path[1024];
	int64_t fdset;
};

struct hotplug_list {
	struct hotplug_disk disk[HOTPLUG_MAX];
	unsigned int n;
};

/**
 * struct hotplug_image - an image that was opened
 * @fd: owned, close-on-exec
 * @path: canonical
 * @block: a block device, not a file
 */
struct hotplug_image {
	int fd;
	char *path;
	bool block;
};

#define HOTPLUG_IMAGE_INIT \
	{                  \
		.fd = -1   \
	}

void hotplug_image_close(struct hotplug_image *i);

/**
 * hotplug_image_open() - open what a VM may be given
 * @format: "raw" or "qcow2"; NULL: raw, if it does not look like qcow2, for a
 *	guest must not be shown the inside of an image by mistake
 *
 * REFUSED if it is neither file nor block device, lies on a region, is a device
 * to be written to that the host uses, or a qcow2 that names further files: QEMU
 * would look for those in its own root.
 */
_must_check_ int hotplug_image_open(const char *path, const char *format, bool readonly,
				    struct hotplug_image *out, struct err *e);

/** hotplug_id_check() - USAGE unless QEMU takes @id for a device and for a node. */
_must_check_ int hotplug_id_check(const char *id, struct err *e);

/** hotplug_open() - connect to a VM that runs here and is not on its way through
 * a jump. ABSENT if none of that name runs. */
_must_check_ int hotplug_open(const char *name, struct qmp *q, struct err *e);

/** hotplug_list() - what is attached: descriptor sets of ours with their nodes,
 * also without the device. A set alone, left by a program that died, is none:
 * QEMU closes it by itself. */
_must_check_ int hotplug_list(struct qmp *q, struct hotplug_list *out, struct err *e);

/**
 * struct device_args - arguments of device_add
 * @text: members of a JSON object, without its braces
 * @bus_given: by the operator
 * @bus: else, of a PCI device, the free port that was found for it, if there is
 *	one; else empty
 */
struct device_args {
	char text[2048];
	bool bus_given;
	char bus[64];
};

/**
 * hotplug_device() - make @out of "DRIVER[,KEY=VALUE...]" as for QEMU's -device;
 * a comma in a value is written twice
 *
 * QEMU is asked for the types of the properties: it wants numbers and truth
 * values as such. USAGE, or REFUSED in QEMU's own words.
 */
_must_check_ int hotplug_device(struct qmp *q, const char *device, const char *id,
				struct device_args *out, struct err *e);

/**
 * hotplug_attach() - descriptor, block node, device; all of it undone in
 * reverse order when a step fails
 * @format: "raw" or "qcow2"
 * @args: of hotplug_device()
 */
_must_check_ int hotplug_attach(struct qmp *q, const struct hotplug_image *image, const char *id,
				const char *format, bool readonly, const struct device_args *args,
				struct err *e);

/**
 * hotplug_unplug() - the device goes, once the guest has let go of it
 *
 * If it is gone already that is no error. TIMEOUT if the guest does not let
 * go within @timeout_ms: the disk stays, and the guest may still do it.
 */
_must_check_ int hotplug_unplug(struct qmp *q, const struct hotplug_disk *disk, int timeout_ms,
				struct err *e);

/** hotplug_drop() - then block node and descriptor. */
_must_check_ int hotplug_drop(struct qmp *q, const struct hotplug_disk *disk, struct err *e);

#endif
