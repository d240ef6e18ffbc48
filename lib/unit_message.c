/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit_message.h"

#include <stddef.h>

#include "scope.h"
#include "vm.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"

static DBusMessage *method(const char *interface, const char *name)
{
	return dbus_message_new_method_call(SYSTEMD, SYSTEMD_PATH, interface, name);
}

/* One (sv) of the property list: @fill puts the value into the variant. */
static bool property(DBusMessageIter *list, const char *name, const char *type,
		     bool (*fill)(DBusMessageIter *, const void *), const void *value)
{
	DBusMessageIter pair, variant;

	return dbus_message_iter_open_container(list, DBUS_TYPE_STRUCT, NULL, &pair) &&
		dbus_message_iter_append_basic(&pair, DBUS_TYPE_STRING, &name) &&
		dbus_message_iter_open_container(&pair, DBUS_TYPE_VARIANT, type, &variant) &&
		fill(&variant, value) && dbus_message_iter_close_container(&pair, &variant) &&
		dbus_message_iter_close_container(list, &pair);
}

static bool fill_string(DBusMessageIter *it, const void *value)
{
	return dbus_message_iter_append_basic(it, DBUS_TYPE_STRING, value);
}

static bool fill_u64(DBusMessageIter *it, const void *value)
{
	const dbus_uint64_t n = *(const uint64_t *)value;

	return dbus_message_iter_append_basic(it, DBUS_TYPE_UINT64, &n);
}

static bool fill_bool(DBusMessageIter *it, const void *value)
{
	return dbus_message_iter_append_basic(it, DBUS_TYPE_BOOLEAN, value);
}

/* @value: NULL-terminated array of strings */
static bool fill_strings(DBusMessageIter *it, const void *value)
{
	const char *const *s = value;
	DBusMessageIter array;

	if (!dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "s", &array))
		return false;
	for (; *s; s++)
		if (!dbus_message_iter_append_basic(&array, DBUS_TYPE_STRING, s))
			return false;
	return dbus_message_iter_close_container(it, &array);
}

static bool fill_pid(DBusMessageIter *it, const void *value)
{
	dbus_uint32_t pid = (dbus_uint32_t) * (const pid_t *)value;
	DBusMessageIter array;

	return dbus_message_iter_open_container(it, DBUS_TYPE_ARRAY, "u", &array) &&
		dbus_message_iter_append_basic(&array, DBUS_TYPE_UINT32, &pid) &&
		dbus_message_iter_close_container(it, &array);
}

static bool limits(DBusMessageIter *list, const uint64_t *value)
{
	bool ok = true;

	for (unsigned int i = 0; ok && value && i < VM_LIMITS; i++)
		ok = !value[i] ||
			property(list, vm_limit_property((enum vm_limit)i), "t", fill_u64, &value[i]);
	return ok;
}

/* Default dependencies would stop the scope at the switch to the real root and
 * at kexec; the three targets stop it when the machine really goes down, after
 * the service that shuts the guests down in order. */
static bool properties(DBusMessageIter *args, const struct unit_scope *s)
{
	static const char *const targets[] = { "poweroff.target", "reboot.target", "halt.target",
					       NULL };
	static const char *const guests[] = { "holdover-guests.service", NULL };
	static const char *const before[] = { "poweroff.target", "reboot.target", "halt.target",
					      "holdover-guests.service", NULL };
	static const char *const slice = "machine.slice", *const collect = "inactive-or-failed";
	const dbus_bool_t no = FALSE, yes = TRUE;
	DBusMessageIter list;

	return dbus_message_iter_open_container(args, DBUS_TYPE_ARRAY, "(sv)", &list) &&
		property(&list, "Description", "s", fill_string, &s->description) &&
		property(&list, "PIDs", "au", fill_pid, &s->pid) &&
		property(&list, "Slice", "s", fill_string, &slice) &&
		property(&list, "DefaultDependencies", "b", fill_bool, &no) &&
		property(&list, "CollectMode", "s", fill_string, &collect) &&
		property(&list, "Conflicts", "as", fill_strings, targets) &&
		property(&list, "Before", "as", fill_strings, before) &&
		property(&list, "Wants", "as", fill_strings, guests) && limits(&list, s->limits) &&
		(!s->survive || property(&list, "SurviveFinalKillSignal", "b", fill_bool, &yes)) &&
		dbus_message_iter_close_container(args, &list);
}

DBusMessage *unit_msg_start(const struct unit_scope *s)
{
	DBusMessage *msg = method(SYSTEMD_MANAGER, "StartTransientUnit");
	DBusMessageIter args, aux;
	const char *mode = "fail";

	if (!msg)
		return NULL;
	dbus_message_iter_init_append(msg, &args);
	if (dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &s->name) &&
	    dbus_message_iter_append_basic(&args, DBUS_TYPE_STRING, &mode) && properties(&args, s) &&
	    dbus_message_iter_open_container(&args, DBUS_TYPE_ARRAY, "(sa(sv))", &aux) &&
	    dbus_message_iter_close_container(&args, &aux))
		return msg;
	dbus_message_unref(msg);
	return NULL;
}

static DBusMessage *with_strings(DBusMessage *msg, const char *a, const char *b)
{
	if (msg &&
	    dbus_message_append_args(msg, DBUS_TYPE_STRING, &a,
				     b ? DBUS_TYPE_STRING : DBUS_TYPE_INVALID, &b, DBUS_TYPE_INVALID))
		return msg;
	if (msg)
		dbus_message_unref(msg);
	return NULL;
}

DBusMessage *unit_msg_reset_failed(const char *name)
{
	return with_strings(method(SYSTEMD_MANAGER, "ResetFailedUnit"), name, NULL);
}

DBusMessage *unit_msg_start_unit(const char *name, const char *mode)
{
	return with_strings(method(SYSTEMD_MANAGER, "StartUnit"), name, mode);
}

DBusMessage *unit_msg_property(const char *path, const char *interface, const char *name)
{
	return with_strings(dbus_message_new_method_call(SYSTEMD, path,
							 "org.freedesktop.DBus.Properties", "Get"),
			    interface, name);
}

DBusMessage *unit_msg_ping(void)
{
	DBusMessage *msg = method("org.freedesktop.DBus.Peer", "Ping");

	if (msg)
		dbus_message_set_no_reply(msg, TRUE);
	return msg;
}

DBusMessage *unit_msg_version(void)
{
	return with_strings(method("org.freedesktop.DBus.Properties", "Get"), SYSTEMD_MANAGER,
			    "Version");
}

const char *unit_msg_variant_string(DBusMessage *reply)
{
	DBusMessageIter it, variant;
	const char *text;

	if (dbus_message_get_type(reply) != DBUS_MESSAGE_TYPE_METHOD_RETURN ||
	    !dbus_message_iter_init(reply, &it) ||
	    dbus_message_iter_get_arg_type(&it) != DBUS_TYPE_VARIANT)
		return NULL;
	dbus_message_iter_recurse(&it, &variant);
	if (dbus_message_iter_get_arg_type(&variant) != DBUS_TYPE_STRING)
		return NULL;
	dbus_message_iter_get_basic(&variant, &text);
	return text;
}
