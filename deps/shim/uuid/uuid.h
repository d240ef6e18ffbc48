/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of libuuid's <uuid/uuid.h> that libndctl and libdaxctl 81 use. Implemented in ../uuid.c:
 * three functions are no reason for util-linux.
 */
#ifndef SHIM_UUID_H
#define SHIM_UUID_H

/** typedef uuid_t - a UUID in network byte order, as RFC 4122 lays it out. */
typedef unsigned char uuid_t[16];

/**
 * uuid_parse() - read the 36-character text form.
 * @in: text, upper or lower case, nothing before or after it.
 * @uu: the result; untouched on error.
 *
 * Return: 0, or -1 when @in is not exactly such a text.
 */
int uuid_parse(const char *in, uuid_t uu);

/**
 * uuid_unparse() - write the text form, in lower case.
 * @uu: the UUID.
 * @out: at least 37 bytes; NUL-terminated.
 */
void uuid_unparse(const uuid_t uu, char *out);

/** uuid_copy() - copy @src to @dst. */
void uuid_copy(uuid_t dst, const uuid_t src);

#endif
