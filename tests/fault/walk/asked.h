/* SPDX-License-Identifier: GPL-2.0-only */
/* The walk's QEMU when it is only asked what it could load. */
#ifndef HOLDOVER_WALK_ASKED_H
#define HOLDOVER_WALK_ASKED_H

/** asked_serve() - answer on the connected monitor @fd until it is closed. No
 * VM: RAM, disks and score are not touched, but for a snapshot in the image of
 * @argv's -blockdev, which can be deleted. Returns the exit status. */
int asked_serve(int fd, char **argv);

#endif
