/* SPDX-License-Identifier: GPL-2.0-only */
/* Unified kernel images (UKI): kernel, initramfs and command line as sections
 * of one PE file. */
#ifndef HOLDOVER_KEXEC_UKI_H
#define HOLDOVER_KEXEC_UKI_H

#include "io.h"

/**
 * struct uki - the parts, each a memfd of its own
 * @kernel: .linux, owned
 * @initrd: .initrd, owned; -1 if there is none
 * @cmdline: .cmdline, owned; NULL if there is none
 */
struct uki {
	int kernel, initrd;
	char *cmdline;
};

#define UKI_INIT                            \
	{                                   \
		.kernel = -1, .initrd = -1, \
	}

void uki_free(struct uki *u);
#define _cleanup_uki_ _cleanup_(uki_free)

/**
 * uki_open() - take a UKI apart
 * @fd: the file
 * @what: its name for errors
 *
 * The first section of each name counts: of an image with several profiles
 * (systemd-stub(7)) this is the one that is started by default. A kernel with
 * an EFI stub is a PE file too, but has no .linux.
 *
 * Returns 1; 0 if @fd is no UKI; -1 FORMAT if it is one that is damaged, or IO.
 */
int uki_open(int fd, const char *what, struct uki *out, struct err *e);

#endif
