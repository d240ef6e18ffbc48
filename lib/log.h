/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that prints diagnostics. Only main() of a program and the
 * code of agent/ and kexec-stage/ call it; nothing else in lib/ does.
 */
#ifndef HOLDOVER_LOG_H
#define HOLDOVER_LOG_H

#include "scope.h"

/* The syslog levels that kmsg understands. */
enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/** log_to_kmsg() - write records to /dev/kmsg, one write() a record.
 *
 * Records longer than 900 bytes are cut (the kernel's limit is 1024 with its
 * prefix, and a longer write fails with EINVAL), control characters are
 * escaped. Falls back to stderr when /dev/kmsg cannot be opened.
 */
void log_to_kmsg(void);

/** log_to_stderr() - plain lines, "holdover: text"; the default. */
void log_to_stderr(void);

/** log_set_level() - drop records less severe than @level (default info). */
void log_set_level(enum log_level level);

/** log_msg() - one record, without newline. */
void log_msg(enum log_level level, const char *fmt, ...) _printf_(2, 3);

/** log_always() - one record whatever log_set_level() said: the marker that
 * monitors wait for. */
void log_always(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_err(...) log_msg(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_msg(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_msg(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_LEVEL_DEBUG, __VA_ARGS__)

/** log_raw() - write a ready-made kmsg record; async-signal-safe. */
void log_raw(const char *record, size_t len);

/** log_escape() - copy @src into @dst, control characters as \xNN. */
void log_escape(char *dst, size_t size, const char *src);

#endif
