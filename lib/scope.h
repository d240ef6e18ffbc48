/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cleanup attributes: what a function acquires is given back on every return.
 * File descriptors start at -1 and pointers at NULL; ownership leaves a
 * function only through steal_fd() or steal_ptr().
 */
#ifndef HOLDOVER_SCOPE_H
#define HOLDOVER_SCOPE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void scope_free(void *p)
{
	free(*(void **)p);
}

static inline void scope_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void scope_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void scope_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _cleanup_free_ _cleanup_(scope_free)
#define _cleanup_close_ _cleanup_(scope_close)
#define _cleanup_fclose_ _cleanup_(scope_fclose)
#define _cleanup_closedir_ _cleanup_(scope_closedir)

#define _must_check_ __attribute__((warn_unused_result))
#define _printf_(a, b) __attribute__((format(printf, a, b)))

/** steal_fd() - take ownership of a descriptor out of a cleanup variable. */
static inline int steal_fd(int *fd)
{
	int got = *fd;

	*fd = -1;
	return got;
}

/** steal_ptr() - take ownership of a pointer out of a cleanup variable. */
#define steal_ptr(p)                          \
	({                                    \
		__typeof__(*(p)) got_ = *(p); \
		*(p) = NULL;                  \
		got_;                         \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
