/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading an initrd: newc cpio archives in a row, the last ones compressed. */
#ifndef HOLDOVER_KEXEC_CPIO_H
#define HOLDOVER_KEXEC_CPIO_H

#include "io.h"

/**
 * struct cpio_stream - buffered reading of a file or a pipe
 * @fd: stays the caller's
 * @what: names it in errors
 * @pos: bytes taken so far
 * @found: bytes of the file that cpio_find() has found, and that come next
 */
struct cpio_stream {
	int fd;
	const char *what;
	uint64_t pos, found;
	size_t at, len;
	uint8_t buf[1 << 16];
};

enum cpio_found {
	CPIO_END,   /* end of the stream, nothing found */
	CPIO_FOUND, /* a regular file of that name */
	CPIO_OTHER, /* something that is no cpio header begins at pos */
};

/** cpio_find() - look for a regular file with the last path component @name
 * (or, if it ends with a slash, below that folder) in all archives of the
 * stream. Returns an enum cpio_found, or -1: FORMAT if an
 * archive is cut short or absurd. */
int cpio_find(struct cpio_stream *s, const char *name, struct err *e);

/** cpio_text() - look in the file that was found for @mark and take what
 * follows it, up to the end of the line or of the text, into @out. 1, 0 if
 * @mark is not in there, -1. */
int cpio_text(struct cpio_stream *s, const char *mark, char *out, size_t size, struct err *e);

#endif
