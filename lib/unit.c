/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit.h"

#include <ctype.h>
#include <dbus/dbus.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "io.h"
#include "unit_message.h"

#define SURVIVES_SINCE 255

const char *unit_manager_socket = "/run/systemd/private";
int unit_exists_grace_ms = 2000;

/**
 * struct manager - a connection to PID 1
 * @scope: the unit whose job is awaited
 * @job: path of a finished job of that unit, and its @result; signals may be
 *	seen while another answer is waited for
 * @gone: the scope's unit was removed
 */
struct manager {
	DBusConnection *conn;
	int64_t deadline;
	const char *scope;
	char job[128];
	char result[32];
	bool gone;
};

static void scope_message(DBusMessage **m)
{
	if (*m)
		dbus_message_unref(*m);
}
#define _cleanup_message_ _cleanup_(scope_message)

static void manager_close(struct manager *m)
{
	if (!m->conn)
		return;
	dbus_connection_close(m->conn);
	dbus_connection_unref(m->conn);
}
#define _cleanup_manager_ _cleanup_(manager_close)

bool unit_manager_present(void)
{
	struct stat st;

	return lstat("/run/systemd/system/", &st) == 0 && S_ISDIR(st.st_mode);
}

int unit_scope_name(const char *vm_name, char *out, size_t size, struct err *e)
{
	static const char valid[] = "-_.:";
	char escaped[256];
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)vm_name; *p; p++) {
		if (n + 5 > sizeof(escaped))
			return err_set(e, ERR_REFUSED, "VM name %.40s... is too long for a unit",
				       vm_name);
		if ((*p < 0x80 && isalnum(*p)) || strchr(valid, *p))
			escaped[n++] = (char)*p;
		else
			n += (size_t)snprintf(escaped + n, sizeof(escaped) - n, "\\x%02x", *p);
	}
	escaped[n] = '\0';
	return io_path(out, size, e, "holdover-%s.scope", escaped);
}

static int manager_open(struct manager *m, struct err *e)
{
	DBusError why = DBUS_ERROR_INIT;
	char address[256];

	if (io_path(address, sizeof(address), e, "unix:path=%s", unit_manager_socket))
		return -1;
	/* libdbus would ignore SIGPIPE for the whole process, and QEMU inherit it. */
	dbus_connection_set_change_sigpipe(FALSE);
	m->conn = dbus_connection_open_private(address, &why);
	if (!m->conn) {
		err_set(e, ERR_ABSENT, "systemd does not answer on %s: %s", unit_manager_socket,
			why.message);
		dbus_error_free(&why);
		return -1;
	}
	dbus_connection_set_exit_on_disconnect(m->conn, FALSE);
	return 0;
}

static int no_memory(struct err *e)
{
	return err_sys(e, ENOMEM, "message to systemd");
}

/* Note JobRemoved(id, job, unit, result) and UnitRemoved(unit, path) if they
 * are about our scope. */
static void note_signal(struct manager *m, DBusMessage *msg)
{
	const char *job, *unit, *result, *path;
	dbus_uint32_t id;

	if (dbus_message_is_signal(msg, SYSTEMD_MANAGER, "UnitRemoved") &&
	    dbus_message_get_args(msg, NULL, DBUS_TYPE_STRING, &unit, DBUS_TYPE_OBJECT_PATH, &path,
				  DBUS_TYPE_INVALID) &&
	    !strcmp(unit, m->scope))
		m->gone = true;
	if (!dbus_message_is_signal(msg, SYSTEMD_MANAGER, "JobRemoved") ||
	    !dbus_message_get_args(msg, NULL, DBUS_TYPE_UINT32, &id, DBUS_TYPE_OBJECT_PATH, &job,
				   DBUS_TYPE_STRING, &unit, DBUS_TYPE_STRING, &result,
				   DBUS_TYPE_INVALID) ||
	    strcmp(unit, m->scope))
		return;
	snprintf(m->job, sizeof(m->job), "%s", job);
	snprintf(m->result, sizeof(m->result), "%s", result);
}

/* The next message before @until, or NULL with the error. */
static DBusMessage *next_message(struct manager *m, int64_t until, struct err *e)
{
	for (;;) {
		DBusMessage *msg = dbus_connection_pop_message(m->conn);
		int64_t left;

		if (msg)
			return msg;
		left = until - io_now_ms();
		if (left <= 0) {
			err_set(e, ERR_TIMEOUT, "%s: systemd did not answer in time", m->scope);
			return NULL;
		}
		if (dbus_connection_read_write(m->conn, (int)left))
			continue;
		if (dbus_connection_get_dispatch_status(m->conn) == DBUS_DISPATCH_DATA_REMAINS)
			continue;
		err_set(e, ERR_PROTOCOL, "%s: systemd closed the connection to %s", m->scope,
			unit_manager_socket);
		return NULL;
	}
}

/* Send @msg and wait for its answer, which may be an error. */
static DBusMessage *call(struct manager *m, DBusMessage *msg, struct err *e)
{
	dbus_uint32_t serial;

	if (!dbus_connection_send(m->conn, msg, &serial)) {
		no_memory(e);
		return NULL;
	}
	for (;;) {
		DBusMessage *reply = next_message(m, m->deadline, e);

		if (!reply || dbus_message_get_reply_serial(reply) == serial)
			return reply;
		note_signal(m, reply);
		dbus_message_unref(reply);
	}
}

static bool is_error(DBusMessage *reply, const char *name)
{
	return dbus_message_is_error(reply, name);
}

/* Put the manager's own words into @e. */
static int refused(struct manager *m, DBusMessage *reply, struct err *e)
{
	const char *text = dbus_message_get_error_name(reply);
	enum err_kind kind = ERR_REFUSED;

	if (is_error(reply, "org.freedesktop.systemd1.NoSuchProcess") ||
	    is_error(reply, "System.Error.ESRCH") ||
	    is_error(reply, "org.freedesktop.DBus.Error.UnixProcessIdUnknown"))
		kind = ERR_EXITED;
	dbus_message_get_args(reply, NULL, DBUS_TYPE_STRING, &text, DBUS_TYPE_INVALID);
	return err_set(e, kind, "%s: systemd: %s", m->scope, text ? text : "unnamed error");
}

/* Version is free text that begins with the number, as "257.9-1~deb13u1" or
 * "v252". A manager that does not say is taken as old. */
static int manager_version(struct manager *m, unsigned long *version, struct err *e)
{
	_cleanup_message_ DBusMessage *msg = unit_msg_version(), *reply = NULL;
	const char *text;

	*version = 0;
	if (!msg)
		return no_memory(e);
	reply = call(m, msg, e);
	if (!reply)
		return -1;
	text = unit_msg_variant_string(reply);
	if (text)
		*version = strtoul(text + strcspn(text, "0123456789"), NULL, 10);
	return 0;
}

/* Forget a failed unit of that name. If there is nothing to forget, the next
 * StartTransientUnit() says why it is refused. */
static int reset_failed(struct manager *m, struct err *e)
{
	_cleanup_message_ DBusMessage *msg = unit_msg_reset_failed(m->scope), *reply = NULL;

	if (!msg)
		return no_memory(e);
	reply = call(m, msg, e);
	return reply ? 0 : -1;
}

/* systemd takes a moment to notice that a scope's last process has ended. */
static int wait_gone(struct manager *m, int64_t until, struct err *e)
{
	if (until > m->deadline)
		until = m->deadline;
	m->gone = false;
	while (!m->gone) {
		_cleanup_message_ DBusMessage *msg = next_message(m, until, e);

		if (!msg && e->kind != ERR_TIMEOUT)
			return -1;
		if (!msg) {
			err_clear(e);
			return 0;
		}
		note_signal(m, msg);
	}
	return 0;
}

static int wait_job(struct manager *m, const char *job, struct err *e)
{
	while (strcmp(m->job, job)) {
		_cleanup_message_ DBusMessage *msg = next_message(m, m->deadline, e);

		if (!msg)
			return -1;
		note_signal(m, msg);
	}
	if (strcmp(m->result, "done"))
		return err_set(e, ERR_REFUSED,
			       "%s: systemd could not start it: its job ended as '%s'", m->scope,
			       m->result);
	return 0;
}

static int start(struct manager *m, struct unit_scope *s, struct err *e)
{
	int64_t until = io_now_ms() + unit_exists_grace_ms;
	bool reset = false;

	for (;;) {
		_cleanup_message_ DBusMessage *msg = unit_msg_start(s), *reply = NULL;
		const char *job;

		if (!msg)
			return no_memory(e);
		reply = call(m, msg, e);
		if (!reply)
			return -1;
		if (is_error(reply, "org.freedesktop.systemd1.UnitExists") && !reset) {
			if (reset_failed(m, e))
				return -1;
			reset = true;
			continue;
		}
		if (is_error(reply, "org.freedesktop.systemd1.UnitExists") && io_now_ms() < until) {
			if (wait_gone(m, until, e))
				return -1;
			continue;
		}
		if (is_error(reply, DBUS_ERROR_PROPERTY_READ_ONLY) && s->survive) {
			s->survive = false;
			continue;
		}
		if (dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_ERROR)
			return refused(m, reply, e);
		if (!dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &job,
					   DBUS_TYPE_INVALID))
			return err_set(e, ERR_PROTOCOL, "%s: systemd answered without a job",
				       m->scope);
		return wait_job(m, job, e);
	}
}

int unit_start_scope(const char *scope, const char *description, pid_t pid, int timeout_ms,
		     struct err *e)
{
	_cleanup_manager_ struct manager m = { .scope = scope, .deadline = io_now_ms() + timeout_ms };
	struct unit_scope s = { .name = scope, .description = description, .pid = pid };
	unsigned long version;

	if (manager_open(&m, e) || manager_version(&m, &version, e))
		return -1;
	s.survive = version >= SURVIVES_SINCE;
	return start(&m, &s, e);
}
