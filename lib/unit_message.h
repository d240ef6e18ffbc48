/* SPDX-License-Identifier: GPL-2.0-only */
/* The messages that unit.c sends to systemd's manager. */
#ifndef HOLDOVER_UNIT_MESSAGE_H
#define HOLDOVER_UNIT_MESSAGE_H

#include <dbus/dbus.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNIT "org.freedesktop.systemd1.Unit"

/** struct unit_scope - what unit_msg_start() asks for; see unit_start_scope()
 * @limits: VM_LIMITS values for vm_limit_property(), 0 for none; may be NULL
 * @survive: set SurviveFinalKillSignal */
struct unit_scope {
	const char *name;
	const char *description;
	pid_t pid;
	const uint64_t *limits;
	bool survive;
};

/* Each returns a new message, or NULL when memory is gone. */
DBusMessage *unit_msg_start(const struct unit_scope *s);
DBusMessage *unit_msg_reset_failed(const char *name);
DBusMessage *unit_msg_version(void);
DBusMessage *unit_msg_ping(void); /* that wants no answer */
DBusMessage *unit_msg_start_unit(const char *name, const char *mode);
DBusMessage *unit_msg_property(const char *path, const char *interface, const char *name);

/** unit_msg_variant_string() - the string in the variant that an answer
 * consists of; NULL if it is anything else. Borrowed from @reply. */
const char *unit_msg_variant_string(DBusMessage *reply);

#endif
