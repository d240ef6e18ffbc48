/* SPDX-License-Identifier: GPL-2.0-only */
/* Between qmp.c and qmp_io.c only. */
#ifndef HOLDOVER_QMP_IO_H
#define HOLDOVER_QMP_IO_H

#include "qmp.h"

/**
 * struct qmp_out - a command that waits to be written
 * @text: owned
 * @fd: to pass along with the first byte, owned, or -1
 */
struct qmp_out {
	struct qmp_out *next;
	char *text;
	size_t len, off;
	int fd;
};

/** qmp_queue() - queue @text (taken over, also on failure) and flush; @fd
 * stays the caller's. */
_must_check_ int qmp_queue(struct qmp *q, char *text, size_t len, int fd, struct err *e);

/** qmp_line() - 1 and the next line, valid until qmp_fill(), without its
 * newline; 0 if there is none yet; -1 if it is too long. */
int qmp_line(struct qmp *q, const char **line, size_t *len, struct err *e);

#endif
