/* SPDX-License-Identifier: GPL-2.0-only */
/* Asking the manager about units, and to start them. */
#include <ctype.h>
#include <string.h>

#include "io.h"
#include "unit.h"
#include "unit_manager.h"
#include "unit_message.h"

#define ASK_TIMEOUT_MS 10000

/* sd_bus_path_encode(): all but letters and digits as _xx, and a digit in the
 * first place too. */
static int unit_path(const char *unit, char *out, size_t size, struct err *e)
{
	char escaped[256];
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)unit; *p; p++) {
		if (n + 4 > sizeof(escaped))
			return err_set(e, ERR_REFUSED, "%.60s... is too long for a unit", unit);
		if (*p < 0x80 && (isalpha(*p) || (isdigit(*p) && n)))
			escaped[n++] = (char)*p;
		else
			n += (size_t)snprintf(escaped + n, sizeof(escaped) - n, "_%02x", *p);
	}
	escaped[n] = '\0';
	return io_path(out, size, e, "/org/freedesktop/systemd1/unit/%s", escaped);
}

/* The variant that is the value of a property of @unit; owned by the caller. */
static DBusMessage *get(struct unit_manager *m, const char *property, DBusMessageIter *value,
			struct err *e)
{
	_cleanup_message_ DBusMessage *msg = NULL, *reply = NULL;
	char path[320];
	DBusMessageIter it;

	if (unit_path(m->unit, path, sizeof(path), e) < 0 || unit_manager_open(m, e) < 0)
		return NULL;
	msg = unit_msg_property(path, SYSTEMD_UNIT, property);
	reply = unit_manager_call(m, msg, e);
	if (!reply)
		return NULL;
	if (dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_ERROR) {
		unit_manager_refused(m, reply, e);
		return NULL;
	}
	if (!dbus_message_iter_init(reply, &it) ||
	    dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_VARIANT) {
		err_set(e, ERR_PROTOCOL, "%s: systemd answered without %s", m->unit, property);
		return NULL;
	}
	dbus_message_iter_recurse(&it, value);
	return steal_ptr(&reply);
}

int unit_is_starting(const char *unit, bool *out, struct err *e)
{
	_cleanup_unit_manager_ struct unit_manager m = { .unit = unit,
							 .deadline = io_now_ms() + ASK_TIMEOUT_MS };
	DBusMessageIter value, job;
	_cleanup_message_ DBusMessage *reply = get(&m, "Job", &value, e);
	dbus_uint32_t id;

	if (!reply)
		return -1;
	if (dbus_message_iter_get_arg_type(&value) != DBUS_TYPE_STRUCT)
		return err_set(e, ERR_PROTOCOL, "%s: its Job is of another type", unit);
	dbus_message_iter_recurse(&value, &job);
	if (dbus_message_iter_get_arg_type(&job) != DBUS_TYPE_UINT32)
		return err_set(e, ERR_PROTOCOL, "%s: its Job is of another type", unit);
	dbus_message_iter_get_basic(&job, &id);
	*out = id != 0;
	return 0;
}

int unit_related(const char *unit, const char *dependency, const char *other, bool *out,
		 struct err *e)
{
	_cleanup_unit_manager_ struct unit_manager m = { .unit = unit,
							 .deadline = io_now_ms() + ASK_TIMEOUT_MS };
	DBusMessageIter value, item;
	_cleanup_message_ DBusMessage *reply = get(&m, dependency, &value, e);

	if (!reply)
		return -1;
	if (dbus_message_iter_get_arg_type(&value) != DBUS_TYPE_ARRAY)
		return err_set(e, ERR_PROTOCOL, "%s: its %s is of another type", unit, dependency);
	*out = false;
	for (dbus_message_iter_recurse(&value, &item);
	     dbus_message_iter_get_arg_type(&item) == DBUS_TYPE_STRING;
	     dbus_message_iter_next(&item)) {
		const char *name;

		dbus_message_iter_get_basic(&item, &name);
		*out |= !strcmp(name, other);
	}
	return 0;
}

int unit_start(const char *unit, const char *mode, struct err *e)
{
	_cleanup_unit_manager_ struct unit_manager m = { .unit = unit,
							 .deadline = io_now_ms() + ASK_TIMEOUT_MS };
	_cleanup_message_ DBusMessage *msg = NULL, *reply = NULL;

	if (unit_manager_open(&m, e) < 0)
		return -1;
	msg = unit_msg_start_unit(unit, mode);
	reply = unit_manager_call(&m, msg, e);
	if (!reply)
		return -1;
	if (dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_ERROR)
		return unit_manager_refused(&m, reply, e);
	return 0;
}

int unit_systemd_version(unsigned int *out, struct err *e)
{
	_cleanup_unit_manager_ struct unit_manager m = { .unit = "systemd",
							 .deadline = io_now_ms() + ASK_TIMEOUT_MS };

	return unit_manager_open(&m, e) < 0 ? -1 : unit_manager_version(&m, out, e);
}
