/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <unistd.h>

#include "libudev.h"

/* libndctl gives up with ENXIO when udev_new() returns NULL, so both need an object to point at. */
struct udev {
	char unused;
};
struct udev_queue {
	char unused;
};

static struct udev the_udev;
static struct udev_queue the_queue;

struct udev *udev_new(void)
{
	return &the_udev;
}

struct udev *udev_unref(struct udev *udev)
{
	(void)udev;
	return NULL;
}

struct udev_queue *udev_queue_new(struct udev *udev)
{
	(void)udev;
	return &the_queue;
}

struct udev_queue *udev_queue_unref(struct udev_queue *queue)
{
	(void)queue;
	return NULL;
}

int udev_queue_get_queue_is_empty(struct udev_queue *queue)
{
	(void)queue;
	/* systemd-udevd keeps this file while events are queued or handled; libudev looks at nothing else. */
	return access("/run/udev/queue", F_OK) < 0 && errno == ENOENT;
}
