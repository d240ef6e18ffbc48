/* SPDX-License-Identifier: GPL-2.0-only */
#include "machined.h"

#include <dbus/dbus.h>
#include <errno.h>

#include "io.h"
#include "unit_manager.h"

#define MACHINED "org.freedesktop.machine1"
#define TIMEOUT_MS 10000

const char *machined_bus = "/run/dbus/system_bus_socket";

/* org.freedesktop.machine1(5): name, id, service, class, leader, root */
static DBusMessage *message(const char *name, pid_t pid)
{
	DBusMessage *msg = dbus_message_new_method_call(MACHINED, "/org/freedesktop/machine1",
							MACHINED ".Manager", "RegisterMachine");
	const char *service = "holdover", *class = "vm", *root = "";
	dbus_uint32_t leader = (dbus_uint32_t)pid;
	DBusMessageIter args, id;

	if (!msg)
		return NULL;
	dbus_message_iter_init_append(msg, &args);
	if (dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &name) &&
	    dbus_message_iter_open_container(&args, DBUS_TYPE_ARRAY, "y", &id) &&
	    dbus_message_iter_close_container(&args, &id) &&
	    dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &service) &&
	    dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &class) &&
	    dbus_message_iter_append_basic(&args, DBUS_TYPE_UINT32, &leader) &&
	    dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &root))
		return msg;
	dbus_message_unref(msg);
	return NULL;
}

/* A bus, unlike the manager's own socket, wants to be greeted. */
static int hello(struct unit_manager *m, struct err *e)
{
	_cleanup_message_ DBusMessage *msg = NULL, *reply = NULL;

	msg = dbus_message_new_method_call(DBUS_SERVICE_DBUS, DBUS_PATH_DBUS, DBUS_INTERFACE_DBUS,
					   "Hello");
	reply = unit_manager_call(m, msg, e);
	if (!reply)
		return -1;
	return dbus_message_get_type(reply) == DBUS_MESSAGE_TYPE_ERROR ?
		unit_manager_refused(m, reply, e) :
		0;
}

int machined_register(const char *name, pid_t pid, struct err *e)
{
	_cleanup_unit_manager_ struct unit_manager m = { .unit = "systemd-machined",
							 .deadline = io_now_ms() + TIMEOUT_MS };
	_cleanup_message_ DBusMessage *msg = NULL, *reply = NULL;

	if (unit_manager_open_at(&m, machined_bus, e) < 0 || hello(&m, e) < 0)
		return -1;
	msg = message(name, pid);
	reply = unit_manager_call(&m, msg, e);
	if (!reply)
		return -1;
	if (dbus_message_get_type(reply) != DBUS_MESSAGE_TYPE_ERROR ||
	    dbus_message_is_error(reply, MACHINED ".MachineExists") ||
	    dbus_message_is_error(reply, "System.Error.EEXIST"))
		return 0;
	unit_manager_refused(&m, reply, e);
	if (dbus_message_is_error(reply, DBUS_ERROR_SERVICE_UNKNOWN) ||
	    dbus_message_is_error(reply, DBUS_ERROR_NAME_HAS_NO_OWNER) ||
	    dbus_message_is_error(reply, "org.freedesktop.systemd1.NoSuchUnit"))
		e->kind = ERR_ABSENT;
	return -1;
}
