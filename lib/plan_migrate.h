/* SPDX-License-Identifier: GPL-2.0-only */
/* What saving and loading have in common: steps over QEMU's migration. */
#ifndef HOLDOVER_PLAN_MIGRATE_H
#define HOLDOVER_PLAN_MIGRATE_H

#include "plan.h"

/* From 8.2 on QEMU reads and writes files (`file:` with a descriptor set); the
 * older `fd:` to a plain file is deprecated since 9.1. */
#define MIGRATE_FILE_SINCE 80200

/**
 * struct migrate_uri - where QEMU finds the descriptor it was handed
 * @fdset: number of the descriptor set, -1 if there is none
 * @text: to migrate to or from
 */
struct migrate_uri {
	int64_t fdset;
	char text[64];
};

/** migrate_reopen() - the memfd @memfd once more, with the access mode @flags:
 * QEMU looks for a descriptor of the mode it needs. Returns it, or -1. */
int migrate_reopen(int memfd, int flags, struct err *e);

/** migrate_fd_send() - begin of a step: hand @fd to QEMU. */
enum plan_verdict migrate_fd_send(struct plan *p, int fd, struct err *e);

/** migrate_fd_sent() - reply of that step: fills in @uri. */
enum plan_verdict migrate_fd_sent(struct plan *p, struct migrate_uri *uri, yyjson_val *ret,
				  struct err *e);

/** migrate_fd_drop() - begin of a step that takes the set out of QEMU again;
 * use with migrate_ignore(). PLAN_NEXT if there is none. */
enum plan_verdict migrate_fd_drop(struct plan *p, struct migrate_uri *uri, struct err *e);

/** migrate_caps_send() - begin of a step: RAM that is shared stays out of the
 * stream, and progress is told by events (@on), or back to the defaults. */
enum plan_verdict migrate_caps_send(struct plan *p, bool on, struct err *e);

/** migrate_params_reset() - begin of a step: mode and bandwidth (0: unknown)
 * as they were; use with migrate_ignore(). */
enum plan_verdict migrate_params_reset(struct plan *p, uint64_t max_bandwidth, struct err *e);

/** migrate_ignore() - for @refused: what QEMU says does not matter here. */
enum plan_verdict migrate_ignore(struct plan *p, const char *desc, struct err *e);

/** migrate_text() - string member of an object, "" if it has none. */
const char *migrate_text(yyjson_val *obj, const char *key);

/** migrate_is() - is string member @key of @obj @text? */
bool migrate_is(yyjson_val *obj, const char *key, const char *text);

/** migrate_ended() - does this event say that a migration has ended, well or
 * not? */
bool migrate_ended(const char *event, yyjson_val *data);

/** migrate_busy() - does this answer to query-migrate say that one is under
 * way? */
bool migrate_busy(yyjson_val *ret);

/** migrate_result() - 0 if this answer to query-migrate says "completed", else
 * -1 with QEMU's reason. An answer without status, as one gets it before any
 * migration, is no success. */
_must_check_ int migrate_result(yyjson_val *ret, struct err *e);

#endif
