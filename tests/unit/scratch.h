/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder of its own for each test case, and files in it. */
#ifndef HOLDOVER_TEST_SCRATCH_H
#define HOLDOVER_TEST_SCRATCH_H

#include <stddef.h>

/** scratch_setup(), scratch_teardown() - cmocka fixtures: make the folder, remove it with
 * everything in it. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/** scratch_path() - a path in the folder; one of eight static buffers, used in turn. */
const char *scratch_path(const char *name);

/** scratch_write() - put @text into file @name; returns its path like scratch_path(). */
const char *scratch_write(const char *name, const char *text);

/** scratch_entries() - how many files and folders lie directly in the folder. */
unsigned int scratch_entries(void);

#endif
