/* SPDX-License-Identifier: GPL-2.0-only */
/* What a VM's QEMU needs of the host's files, to be put into an initramfs. */
#ifndef HOLDOVER_IMAGE_FILES_H
#define HOLDOVER_IMAGE_FILES_H

#include "vm.h"

#define IMAGE_FILES_MAX 256

/** struct image_files - paths (programs, modules of QEMU, firmware) and kernel
 * modules; owned strings, none twice */
struct image_files {
	char *path[IMAGE_FILES_MAX];
	unsigned int paths;
	const char *module[16];
	unsigned int modules;
};

void image_files_free(struct image_files *f);

/**
 * image_files_add() - what @vm needs
 *
 * Libraries are left to whoever copies. Disks are never among it: a copy of a
 * disk in an initramfs would be an old one. ABSENT if QEMU is not installed.
 */
_must_check_ int image_files_add(struct image_files *f, const struct vm *vm, struct err *e);

#endif
