/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QMP: line-delimited JSON on a stream socket. One connection, non-blocking;
 * plan.h drives many of them at once.
 */
#ifndef HOLDOVER_QMP_H
#define HOLDOVER_QMP_H

#include <stdarg.h>

#include "err.h"
#include "io.h"
#include "json.h"

/* The longest line accepted; query-command-line-options and the like stay
 * below 300 KB. */
#define QMP_LINE_MAX (4u << 20)

enum qmp_type {
	QMP_GREETING,
	QMP_RETURN,
	QMP_ERROR,
	QMP_EVENT,
};

/**
 * struct qmp_msg - one message from QEMU
 * @type: what it is
 * @doc: owned; free with qmp_msg_free()
 * @body: GREETING: the "QMP" object; RETURN: the value; ERROR: the "error"
 *	object; EVENT: "data" or NULL
 * @name: EVENT: its name; ERROR: "desc"
 * @id: id of the command that a RETURN or ERROR answers
 */
struct qmp_msg {
	enum qmp_type type;
	yyjson_doc *doc;
	yyjson_val *body;
	const char *name;
	uint64_t id;
};

void qmp_msg_free(struct qmp_msg *m);
#define _cleanup_qmp_msg_ _cleanup_(qmp_msg_free)

/**
 * struct qmp - one connection
 * @fd: owned, O_NONBLOCK, or -1
 * @next_id: id of the next command
 */
struct qmp {
	int fd;
	uint64_t next_id;
	/* private */
	uint64_t answered;
	char *in;
	size_t in_off, in_len, in_cap, in_scanned;
	struct qmp_out *out;
};

/** qmp_init() - take ownership of the connected socket @fd. */
void qmp_init(struct qmp *q, int fd);
void qmp_close(struct qmp *q);
#define _cleanup_qmp_ _cleanup_(qmp_close)

/** qmp_connect() - connect to the unix socket @path (absolute). EXITED if
 * nobody listens there, ABSENT if there is no such socket. Returns the fd. */
int qmp_connect(const char *path, struct err *e);

/**
 * qmp_send() - queue a command and write as much as the socket takes
 * @args: object of the arguments, or NULL; must belong to @doc
 * @fd: descriptor to pass along with SCM_RIGHTS, or -1; stays the caller's
 *	(it is duplicated when it has to wait)
 *
 * Returns the command's id (> 0), or 0 with the error.
 */
uint64_t qmp_send(struct qmp *q, const char *command, yyjson_mut_doc *doc, yyjson_mut_val *args,
		  int fd, struct err *e);

/** qmp_send_text() - as qmp_send(), the arguments as a JSON text made by the
 * printf-like @fmt (NULL: none); the text is parsed before it is sent, so a
 * mistake is an error here. Strings from outside go in with %s only after
 * json_quote(). */
uint64_t qmp_send_text(struct qmp *q, const char *command, int fd, struct err *e, const char *fmt,
		       ...) _printf_(5, 6);

/** qmp_vsend_text() - as qmp_send_text(). */
uint64_t qmp_vsend_text(struct qmp *q, const char *command, int fd, struct err *e, const char *fmt,
			va_list ap) __attribute__((format(printf, 5, 0)));

/** qmp_wants_write() - true while output is queued: poll for POLLOUT. */
bool qmp_wants_write(const struct qmp *q);

/** qmp_flush() - write queued output; 0 also if some remains, and if the peer
 * is gone: what it said before it went is still to be read, so that qmp_fill()
 * is the one to report the end. */
_must_check_ int qmp_flush(struct qmp *q, struct err *e);

/** qmp_fill() - one read() of what the socket has.
 *
 * Returns 0 with something read, 1 at end of file, 2 if there is nothing to
 * read now, -1 on error. Take out the messages with qmp_next() each time.
 */
int qmp_fill(struct qmp *q, struct err *e);

/** qmp_next() - the next complete message, if there is one.
 *
 * Returns 1 with @m filled in, 0 if more input is needed, -1 PROTOCOL on
 * garbage, a line over QMP_LINE_MAX, or an answer to a command that was not
 * sent or has been answered. Events may come at any time, also before the
 * answer to qmp_capabilities (QEMU issue 2176).
 */
int qmp_next(struct qmp *q, struct qmp_msg *m, struct err *e);

/** qmp_eof() - fill in @e for an end of file: EXITED, saying so if QEMU was in
 * the middle of a line; returns -1. */
int qmp_eof(const struct qmp *q, struct err *e);

/** qmp_handshake() - greeting and qmp_capabilities, blocking, for verbs that
 * talk to one VM. @version: major * 10000 + minor * 100 + micro, may be NULL.
 * @timeout_ms <= 0: none. */
_must_check_ int qmp_handshake(struct qmp *q, int timeout_ms, unsigned int *version, struct err *e);

/** qmp_call() - one command and its answer, blocking; events in between are
 * dropped. An answer with "error" is -1 REFUSED carrying QEMU's own words.
 * @reply may be NULL. */
_must_check_ int qmp_call(struct qmp *q, const char *command, int fd, int timeout_ms,
			  struct qmp_msg *reply, struct err *e, const char *fmt, ...) _printf_(7, 8);

/** qmp_version() - version number out of a greeting, as above; 0 if absent. */
unsigned int qmp_version(yyjson_val *greeting);

#endif
