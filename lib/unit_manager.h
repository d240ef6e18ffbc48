/* SPDX-License-Identifier: GPL-2.0-only */
/* A connection to systemd's manager, for unit.c and unit_ask.c. */
#ifndef HOLDOVER_UNIT_MANAGER_H
#define HOLDOVER_UNIT_MANAGER_H

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/**
 * struct unit_manager - a connection to PID 1
 * @deadline: of everything asked over it, on io_now_ms()'s clock
 * @unit: what it is about; its jobs are awaited
 * @job: path of a finished job of that unit, and its @result; signals may be
 *	seen while another answer is waited for
 * @gone: the unit was removed
 */
struct unit_manager {
	DBusConnection *conn;
	int64_t deadline;
	const char *unit;
	char job[128];
	char result[32];
	bool gone;
};

_must_check_ int unit_manager_open(struct unit_manager *m, struct err *e);
/** unit_manager_open_at() - a connection to another of systemd's programs. */
_must_check_ int unit_manager_open_at(struct unit_manager *m, const char *socket, struct err *e);
void unit_manager_close(struct unit_manager *m);
#define _cleanup_unit_manager_ _cleanup_(unit_manager_close)

void unit_message_drop(DBusMessage **m);
#define _cleanup_message_ _cleanup_(unit_message_drop)

/** unit_manager_next() - the next message before @until, or NULL with the error. */
DBusMessage *unit_manager_next(struct unit_manager *m, int64_t until, struct err *e);

/** unit_manager_note() - note JobRemoved(id, job, unit, result) and
 * UnitRemoved(unit, path) if they are about our unit. */
void unit_manager_note(struct unit_manager *m, DBusMessage *msg);

/** unit_manager_call() - send @msg (NULL: there was no memory for it) and wait
 * for its answer, which may be an error; NULL with the error if none comes. */
DBusMessage *unit_manager_call(struct unit_manager *m, DBusMessage *msg, struct err *e);

/** unit_manager_refused() - put the manager's own words into @e; EXITED if it
 * knows no such process, else REFUSED. Returns -1. */
int unit_manager_refused(const struct unit_manager *m, DBusMessage *reply, struct err *e);

/** unit_manager_version() - of systemd; 0, which is taken as old, if it does not
 * say. */
_must_check_ int unit_manager_version(struct unit_manager *m, unsigned int *version, struct err *e);

#endif
