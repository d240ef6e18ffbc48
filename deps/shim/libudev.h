/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of <libudev.h> that libndctl 81 uses: waiting until udev has no event in flight.
 * Implemented in udev.c without libudev.
 */
#ifndef SHIM_LIBUDEV_H
#define SHIM_LIBUDEV_H

struct udev;
struct udev_queue;

struct udev *udev_new(void);
struct udev *udev_unref(struct udev *udev);
struct udev_queue *udev_queue_new(struct udev *udev);
struct udev_queue *udev_queue_unref(struct udev_queue *queue);
int udev_queue_get_queue_is_empty(struct udev_queue *queue);

#endif
