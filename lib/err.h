/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors are values. A fallible function takes a caller-owned struct err as
 * its last parameter and returns 0, or -1 with the error filled in; on success
 * the error is not touched.
 */
#ifndef HOLDOVER_ERR_H
#define HOLDOVER_ERR_H

#include "scope.h"

/**
 * enum err_kind - what policy decides on
 * @ERR_NONE: no error
 * @ERR_ABSENT: the object does not exist (no region, no ticket, no file)
 * @ERR_STALE: it exists but belongs to an earlier jump, boot or generation
 * @ERR_FORMAT: not our format, or a major version that this build cannot read
 * @ERR_CHECKSUM: our format, but damaged or tampered with (checksum or MAC)
 * @ERR_MISMATCH: intact, but about another object than the one at hand
 * @ERR_IO: the kernel refused an operation
 * @ERR_SPAWN: a process could not be started
 * @ERR_EXITED: a process ended before its work was done
 * @ERR_PROTOCOL: QEMU or systemd answered something that the protocol forbids
 * @ERR_REFUSED: QEMU, systemd or a rule of ours said no
 * @ERR_TIMEOUT: a deadline passed
 * @ERR_USAGE: the command line or a configuration file is wrong
 */
enum err_kind {
	ERR_NONE,
	ERR_ABSENT,
	ERR_STALE,
	ERR_FORMAT,
	ERR_CHECKSUM,
	ERR_MISMATCH,
	ERR_IO,
	ERR_SPAWN,
	ERR_EXITED,
	ERR_PROTOCOL,
	ERR_REFUSED,
	ERR_TIMEOUT,
	ERR_USAGE,
	ERR_KINDS,
};

/**
 * struct err - one error
 * @kind: what kind it is; ERR_NONE after err_clear()
 * @errnum: errno of the failing call, or 0
 * @msg: one sentence naming the object, the reason and, where there is one,
 *	the remedy; truncated rather than allocated, since an error must be
 *	reportable when memory is gone
 */
struct err {
	enum err_kind kind;
	int errnum;
	char msg[1024];
};

/** err_set() - fill in @e; returns -1, so that failing is one line. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) _printf_(3, 4);

/** err_sys() - as err_set() with kind IO; appends strerror(@errnum). */
int err_sys(struct err *e, int errnum, const char *fmt, ...) _printf_(3, 4);

/** err_wrap() - put "context: " before the message of @e; returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) _printf_(2, 3);

/** err_plain() - make control characters in @text '?', in place: what a guest or
 * a QEMU says goes to terminals. err_set() and its kin do it. */
void err_plain(char *text);

/** err_clear() - make @e empty again. */
void err_clear(struct err *e);

/** err_kind_name() - "CHECKSUM" for ERR_CHECKSUM; "?" when out of range. */
const char *err_kind_name(enum err_kind kind);

#endif
