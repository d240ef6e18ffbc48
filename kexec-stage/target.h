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
 * @name: what to call the kernel: its file, or the entry's name
 * @kernel_fd, @initrd_fd: memory that @kernel or @initrd is the path of, or -1
 */
struct target {
	char *kernel;
	char *initrd;
	char *cmdline;
	char *name;
	int kernel_fd, initrd_fd;
};

#define TARGET_INIT                              \
	{                                        \
		.kernel_fd = -1, .initrd_fd = -1 \
	}

/** struct target_opts - from the command line of a verb; each may be NULL */
struct target_opts {
	const char *kernel, *initrd, *append, *cmdline, *entry;
};

void target_free(struct target *t);
#define _cleanup_target_ _cleanup_(target_free)

/** target_resolve() - options, then holdover.conf, then the running kernel's
 * own files in /boot; a boot loader entry or a
 * unified kernel image brings all three; the initramfs follows the kernel's release unless it is
 * named as well; the command line is the running one with the appends,
 * unless it is given whole. */
_must_check_ int target_resolve(const struct config *cfg, const struct target_opts *o,
				struct target *out, struct err *e);

/** target_parse_option() - takes getopt's 'k', 'i', 'a', 'c' or 'e' with optarg. */
void target_parse_option(struct target_opts *o, int c, const char *value);

/** target_unpack() - if @t->kernel is a unified kernel image, its parts take the
 * place of what is not set yet. */
_must_check_ int target_unpack(struct target *t, struct err *e);

/** target_join() - @n initrds in a row as one. */
_must_check_ int target_join(struct target *t, char *const *paths, unsigned int n, struct err *e);

#define TARGET_OPTIONS                                                                          \
	{ "kernel", required_argument, NULL, 'k' }, { "initrd", required_argument, NULL, 'i' }, \
		{ "append", required_argument, NULL, 'a' },                                     \
		{ "entry", required_argument, NULL, 'e' },                                      \
	{                                                                                       \
		"cmdline", required_argument, NULL, 'c'                                         \
	}

#define TARGET_HELP                                                                            \
	"  --kernel FILE   kernel image, also a unified one (default: holdover.conf, or the\n" \
	"                  running kernel's)\n"                                                \
	"  --initrd FILE   initramfs made with 'dracut --add holdover' (default: the\n"        \
	"                  configured one, or with --kernel what is named like it)\n"          \
	"  --entry NAME    what the boot loader starts as NAME, or as its default\n"           \
	"  --append TEXT   added to the command line of the running kernel, or the entry's\n"  \
	"  --cmdline TEXT  the whole command line instead; must repeat every memmap=\n"

#endif
