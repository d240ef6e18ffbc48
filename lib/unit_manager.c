/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit_manager.h"

#include <errno.h>
#include <string.h>

#include "io.h"
#include "unit.h"
#include "unit_message.h"

#define NUDGE_MS 100

const char *unit_manager_socket = "/run/systemd/private";

void unit_message_drop(DBusMessage **m)
{
	if (*m)
		dbus_message_unref(*m);
}

void unit_manager_close(struct unit_manager *m)
{
	if (!m->conn)
		return;
	dbus_connection_close(m->conn);
	dbus_connection_unref(m->conn);
}

int unit_manager_open(struct unit_manager *m, struct err *e)
{
	return unit_manager_open_at(m, unit_manager_socket, e);
}

int unit_manager_open_at(struct unit_manager *m, const char *socket, struct err *e)
{
	DBusError why = DBUS_ERROR_INIT;
	char address[256];

	if (io_path(address, sizeof(address), e, "unix:path=%s", socket))
		return -1;
	/* libdbus would ignore SIGPIPE for the whole process, and QEMU inherit it. */
	dbus_connection_set_change_sigpipe(FALSE);
	m->conn = dbus_connection_open_private(address, &why);
	if (!m->conn) {
		err_set(e, ERR_ABSENT, "systemd does not answer on %s: %s", socket, why.message);
		dbus_error_free(&why);
		return -1;
	}
	dbus_connection_set_exit_on_disconnect(m->conn, FALSE);
	return 0;
}

void unit_manager_note(struct unit_manager *m, DBusMessage *msg)
{
	const char *job, *unit, *result, *path;
	dbus_uint32_t id;

	if (dbus_message_is_signal(msg, SYSTEMD_MANAGER, "UnitRemoved") &&
	    dbus_message_get_args(msg, NULL, DBUS_TYPE_STRING, &unit, DBUS_TYPE_OBJECT_PATH, &path,
				  DBUS_TYPE_INVALID) &&
	    !strcmp(unit, m->unit))
		m->gone = true;
	if (!dbus_message_is_signal(msg, SYSTEMD_MANAGER, "JobRemoved") ||
	    !dbus_message_get_args(msg, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_OBJECT_PATH, &job,
				   DBUS_TYPE_STRING, &unit, DBUS_TYPE_STRING, &result,
				   DBUS_TYPE_INVALID) ||
	    strcmp(unit, m->unit))
		return;
	snprintf(m->job, sizeof(m->job), "%s", job);
	snprintf(m->result, sizeof(m->result), "%s", result);
}

DBusMessage *unit_manager_next(struct unit_manager *m, int64_t until, struct err *e)
{
	for (;;) {
		DBusMessage *msg = dbus_connection_pop_message(m->conn);
		int64_t left;

		if (msg)
			return msg;
		left = until - io_now_ms();
		if (left <= 0) {
			err_set(e, ERR_TIMEOUT, "%s: systemd did not answer in time", m->unit);
			return NULL;
		}
		if (dbus_connection_read_write(m->conn, (int)left))
			continue;
		if (dbus_connection_get_dispatch_status(m->conn) == DBUS_DISPATCH_DATA_REMAINS)
			continue;
		err_set(e, ERR_PROTOCOL, "%s: systemd closed the connection to %s", m->unit,
			unit_manager_socket);
		return NULL;
	}
}

/* systemd 262 leaves a message lying that has come with the end of the
 * authentication, in one piece, until something more comes. */
static void nudge(struct unit_manager *m)
{
	_cleanup_message_ DBusMessage *ping = unit_msg_ping();

	if (ping)
		dbus_connection_send(m->conn, ping, NULL);
}

/* The next message, and a nudge in between where none comes. */
static DBusMessage *next_or_nudge(struct unit_manager *m, struct err *e)
{
	for (;;) {
		int64_t until = io_now_ms() + NUDGE_MS;
		DBusMessage *msg;

		if (until >= m->deadline)
			return unit_manager_next(m, m->deadline, e);
		msg = unit_manager_next(m, until, e);
		if (msg || e->kind != ERR_TIMEOUT)
			return msg;
		err_clear(e);
		nudge(m);
	}
}

DBusMessage *unit_manager_call(struct unit_manager *m, DBusMessage *msg, struct err *e)
{
	dbus_uint32_t serial;

	if (!msg || !dbus_connection_send(m->conn, msg, &serial)) {
		err_sys(e, ENOMEM, "message to systemd");
		return NULL;
	}
	for (;;) {
		DBusMessage *reply = next_or_nudge(m, e);

		if (!reply || dbus_message_get_reply_serial(reply) == serial)
			return reply;
		unit_manager_note(m, reply);
		dbus_message_unref(reply);
	}
}

int unit_manager_refused(const struct unit_manager *m, DBusMessage *reply, struct err *e)
{
	const char *text = dbus_message_get_error_name(reply);
	enum err_kind kind = ERR_REFUSED;

	if (dbus_message_is_error(reply, "org.freedesktop.systemd1.NoSuchProcess") ||
	    dbus_message_is_error(reply, "System.Error.ESRCH") ||
	    dbus_message_is_error(reply, "org.freedesktop.DBus.Error.UnixProcessIdUnknown"))
		kind = ERR_EXITED;
	dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	return err_set(e, kind, "%s: systemd: %s", m->unit, text ? text : "unnamed error");
}

/* Version is free text that begins with the number, as "257.9-1~deb13u1" or
 * "v252". */
int unit_manager_version(struct unit_manager *m, unsigned int *version, struct err *e)
{
	_cleanup_message_ DBusMessage *msg = unit_msg_version(), *reply = NULL;
	const char *text;

	*version = 0;
	reply = unit_manager_call(m, msg, e);
	if (!reply)
		return -1;
	text = unit_msg_variant_string(reply);
	if (text)
		*version = (unsigned int)strtoul(text + strcspn(text, "0123456789"), NULL, 10);
	return 0;
}
