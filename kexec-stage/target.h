/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel to jump into. */
#ifndef HOLDOVER_TARGET_H
#define HOLDOVER_TARGET_H

#include "config.h"

/**
 * struct target - kernel, initrd and command line
 * @kernel: image file
 * @initrd: initramfs with the holdover module
 * @cmdline: whole command line
 */
struct target {
	char *kernel;
	char *initrd;
	char *cmdline;
};

/** struct target_opts - from the command line of a verb; each may be NULL */
struct target_opts {
	const char *kernel, *initrd, *append, *cmdline;
};

void target_free(struct target *t);
#define _cleanup_target_ _cleanup_(target_free)

/** target_resolve() - options, then holdover.conf, then the running kernel's
 * own files in /boot; the initramfs follows the kernel's release unless it is
 * named as well; the command line is the running one with the appends,
 * unless it is given whole. */
_must_check_ int target_resolve(const struct config *cfg, const struct target_opts *o,
				struct target *out, struct err *e);

/** target_parse_option() - takes getopt's 'k', 'i', 'a' or 'c' with optarg. */
void target_parse_option(struct target_opts *o, int c, const char *value);

#define TARGET_OPTIONS                                                                          \
	{ "kernel", required_argument, NULL, 'k' }, { "initrd", required_argument, NULL, 'i' }, \
		{ "append", required_argument, NULL, 'a' },                                     \
	{                                                                                       \
		"cmdline", required_argument, NULL, 'c'                                         \
	}

#define TARGET_HELP                                                                          \
	"  --kernel FILE   kernel image (default: holdover.conf, or the running kernel's)\n" \
	"  --initrd FILE   initramfs made with 'dracut --add holdover' (default: the\n"      \
	"                  configured one, or with --kernel what is named like it)\n"        \
	"  --append TEXT   added to the running kernel's command line\n"                     \
	"  --cmdline TEXT  the whole command line instead; must repeat every memmap=\n"

#endif
