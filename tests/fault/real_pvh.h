/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest that QEMU enters by PVH (-kernel): an image that each reset writes to RAM, and that counts in a word of itself. */
#ifndef HOLDOVER_REAL_PVH_H
#define HOLDOVER_REAL_PVH_H

/* Where it counts, in the guest's RAM. */
#define REAL_PVH_COUNTER 0x100200u

/** real_pvh_write() - the image; a failure ends the test program with a message. */
void real_pvh_write(const char *path);

#endif
