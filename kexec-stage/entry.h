/* SPDX-License-Identifier: GPL-2.0-only */
/* Boot loader entries: type 1 is a small text file in loader/entries, type 2 a
 * unified kernel image in EFI/Linux (the Boot Loader Specification of UAPI). */
#ifndef HOLDOVER_ENTRY_H
#define HOLDOVER_ENTRY_H

#include "io.h"

#define ENTRY_INITRDS_MAX 8

/**
 * struct entry - what an entry starts; paths are absolute, owned
 * @kernel: kernel or unified kernel image
 * @initrds: @n of them, to be put one after the other
 * @options: command line; NULL if the entry has none
 */
struct entry {
	char *kernel;
	char *initrds[ENTRY_INITRDS_MAX];
	unsigned int n;
	char *options;
};

void entry_free(struct entry *en);
#define _cleanup_entry_ _cleanup_(entry_free)

/**
 * entry_find() - the entry that is called @name
 * @root: "" for "/"
 * @name: its file's name, with or without ".conf" or ".efi"; "default": what
 *	`default` in loader.conf matches (the highest of several, as versions are
 *	compared), or the only entry there is
 *
 * Looks below /efi, /boot and /boot/efi. ABSENT naming what there is; FORMAT
 * for an entry that is none of x86-64's or cannot be understood.
 */
_must_check_ int entry_find(const char *root, const char *name, struct entry *out, struct err *e);

/** entry_parse() - one entry's text. @boot: what its paths are relative to. */
_must_check_ int entry_parse(const char *text, const char *boot, struct entry *out, struct err *e);

#endif
