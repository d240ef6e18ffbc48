/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "io.h"
#include "unit_manager.h"
#include "unit_message.h"

int unit_exists_grace_ms = 2000;

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

/* Forget a failed unit of that name. If there is nothing to forget, the next
 * StartTransientUnit() says why it is refused. */
static int reset_failed(struct unit_manager *m, struct err *e)
{
	_cleanup_message_ DBusMessage *msg = unit_msg_reset_failed(m->unit), *reply = NULL;

	reply = unit_manager_call(m, msg, e);
	return reply ? 0 : -1;
}

/* systemd takes a moment to notice that a scope's last process has ended. */
static int wait_gone(struct unit_manager *m, int64_t until, struct err *e)
{
	if (until > m->deadline)
		until = m->deadline;
	m->gone = false;
	while (!m->gone) {
		_cleanup_message_ DBusMessage *msg = unit_manager_next(m, until, e);

		if (!msg && e->kind != ERR_TIMEOUT)
			return -1;
		if (!msg) {
			err_clear(e);
			return 0;
		}
		unit_manager_note(m, msg);
	}
	return 0;
}

static int wait_job(struct unit_manager *m, const char *job, struct err *e)
{
	while (strcmp(m->job, job)) {
		_cleanup_message_ DBusMessage *msg = unit_manager_next(m, m->deadline, e);

		if (!msg)
			return -1;
		unit_manager_note(m, msg);
	}
	if (strcmp(m->result, "done"))
		return err_set(e, ERR_REFUSED,
			       "%s: systemd could not start it: its job ended as '%s'", m->unit,
			       m->result);
	return 0;
}

static int start(struct unit_manager *m, struct unit_scope *s, struct err *e)
{
	int64_t until = io_now_ms() + unit_exists_grace_ms;
	bool reset = false;

	for (;;) {
		_cleanup_message_ DBusMessage *msg = unit_msg_start(s), *reply = NULL;
		const char *job;

		reply = unit_manager_call(m, msg, e);
		if (!reply)
			return -1;
		if (dbus_message_is_error(reply, "org.freedesktop.systemd1.UnitExists") && !reset) {
			if (reset_failed(m, e))
				return -1;
			reset = true;
			continue;
		}
		if (dbus_message_is_error(reply, "org.freedesktop.systemd1.UnitExists") &&
		    io_now_ms() < until) {
			if (wait_gone(m, until, e))
				return -1;
			continue;
		}
		if (dbus_message_is_error(reply, DBUS_ERROR_PROPERTY_READ_ONLY) && s->survive) {
			s->survive = false;
			continue;
		}
		if (dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_ERROR)
			return unit_manager_refused(m, reply, e);
		if (!dbus_message_get_args(reply, NULL, DBUS_TYPE_OBJECT_PATH, &job,
					   DBUS_TYPE_INVALID))
			return err_set(e, ERR_PROTOCOL, "%s: systemd answered without a job",
				       m->unit);
		return wait_job(m, job, e);
	}
}

int unit_start_scope(const char *scope, const char *description, pid_t pid, const uint64_t *limits,
		     int timeout_ms, struct err *e)
{
	_cleanup_unit_manager_ struct unit_manager m = { .unit = scope,
							 .deadline = io_now_ms() + timeout_ms };
	struct unit_scope s = {
		.name = scope, .description = description, .pid = pid, .limits = limits
	};
	unsigned int version;

	if (unit_manager_open(&m, e) || unit_manager_version(&m, &version, e))
		return -1;
	s.survive = version >= UNIT_SURVIVES_SINCE;
	return start(&m, &s, e);
}
