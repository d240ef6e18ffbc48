/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One systemd scope a VM, asked for over /run/systemd/private (root's direct
 * connection to PID 1: works in the initramfs and in the host, needs no
 * D-Bus daemon).
 */
#ifndef HOLDOVER_UNIT_H
#define HOLDOVER_UNIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Where the manager listens; another path only in tests. */
extern const char *unit_manager_socket;
/* How long a scope of the same name may take to go; another one only in tests. */
extern int unit_exists_grace_ms;

/* The first systemd that has SurviveFinalKillSignal=: before it, only processes
 * of root survive the switch to the real root. */
#define UNIT_SURVIVES_SINCE 255

/** unit_manager_present() - true if PID 1 is systemd (sd_booted()'s rule). */
bool unit_manager_present(void);

/** unit_scope_name() - "holdover-NAME.scope". Every character of a valid VM
 * name may stand in a unit name, others become \\xNN. */
_must_check_ int unit_scope_name(const char *vm_name, char *out, size_t size, struct err *e);

/**
 * unit_start_scope() - StartTransientUnit() and wait for its job
 * @scope: unit name
 * @description: shown by systemctl
 * @pid: process to put into it; must not have been started by systemd
 * @limits: struct vm's, or NULL
 * @timeout_ms: for the whole of it
 *
 * Slice machine.slice, DefaultDependencies=no, Conflicts=/Before= of the
 * shutdown targets (poweroff, reboot, halt; kexec left out), Before= and Wants=
 * of holdover-guests.service, which is therefore stopped first, CollectMode
 * inactive-or-failed, and on systemd >= 255 SurviveFinalKillSignal.
 * IgnoreOnIsolate is a scope's default. A failed scope that is left over under
 * the name is reset; one whose last process has just ended is waited for, up
 * to two seconds.
 *
 * Kinds: ABSENT no manager there; REFUSED in the manager's own words, also if
 * a scope of that name is still running; EXITED the process is gone; TIMEOUT.
 *
 * On this socket a client gets the manager's signals without subscribing, and
 * must not say Hello: that is a message to a bus daemon.
 */
_must_check_ int unit_start_scope(const char *scope, const char *description, pid_t pid,
				  const uint64_t *limits, int timeout_ms, struct err *e);

/** unit_start() - have @unit started, without waiting for it. @mode: of the job,
 * "replace" or "replace-irreversibly". REFUSED in the manager's own words. */
_must_check_ int unit_start(const char *unit, const char *mode, struct err *e);

/** unit_is_starting() - does a job for @unit wait or run? Of kexec.target and
 * its like: is the machine on its way there? */
_must_check_ int unit_is_starting(const char *unit, bool *out, struct err *e);

/** unit_related() - is @other in the list @dependency ("Requires", "Conflicts",
 * ...) of @unit? */
_must_check_ int unit_related(const char *unit, const char *dependency, const char *other,
			      bool *out, struct err *e);

/** unit_systemd_version() - 0 if it does not say. */
_must_check_ int unit_systemd_version(unsigned int *out, struct err *e);

#endif
