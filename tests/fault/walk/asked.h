/* SPDX-License-Identifier: GPL-2.0-only */
/* The walk's QEMU when it is only asked what it could load. */
#ifndef HOLDOVER_WALK_ASKED_H
#define HOLDOVER_WALK_ASKED_H

#define ASKED_GREETING                                                                      \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 13, \"minor\": 0, \"major\": 10}, " \
	"\"package\": \"walk\"}, \"capabilities\": [\"oob\"]}}"

/** asked_serve() - answer on the connected monitor @fd until it is closed. No
 * VM: RAM, disks and score are not touched. Returns the exit status. */
int asked_serve(int fd);

#endif
