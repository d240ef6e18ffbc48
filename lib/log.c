/* SPDX-License-Identifier: GPL-2.0-only */
#include "log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

#define RECORD_MAX 900

static int kmsg_fd = -1;
static enum log_level max_level = LOG_LEVEL_INFO;

void log_to_kmsg(void)
{
	if (kmsg_fd < 0)
		kmsg_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
}

void log_to_stderr(void)
{
	if (kmsg_fd >= 0)
		close(kmsg_fd);
	kmsg_fd = -1;
}

void log_set_level(enum log_level level)
{
	max_level = level;
}

void log_escape(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; *src && n + 5 < size; src++) {
		unsigned char c = (unsigned char)*src;

		if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(dst + n, size - n, "\\x%02x", c);
		else
			dst[n++] = (char)c;
	}
	if (size)
		dst[n] = '\0';
}

static void put(enum log_level level, const char *fmt, va_list ap)
{
	char text[2048], line[RECORD_MAX];
	int n;

	vsnprintf(text, sizeof(text), fmt, ap);
	if (kmsg_fd < 0) {
		fprintf(stderr, "holdover: %s\n", text);
		return;
	}
	n = snprintf(line, sizeof(line), "<%d>holdover: ", level);
	log_escape(line + n, sizeof(line) - (size_t)n - 1, text);
	strncat(line, "\n", sizeof(line) - strlen(line) - 1);
	if (write(kmsg_fd, line, strlen(line)) < 0)
		fprintf(stderr, "%s", line);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > max_level)
		return;
	va_start(ap, fmt);
	put(level, fmt, ap);
	va_end(ap);
}

void log_always(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(level, fmt, ap);
	va_end(ap);
}

void log_raw(const char *record, size_t len)
{
	/* The level prefix is for kmsg alone. */
	size_t skip = kmsg_fd < 0 && len > 3 ? 3 : 0;

	if (write(kmsg_fd < 0 ? STDERR_FILENO : kmsg_fd, record + skip, len - skip) < 0)
		return;
}
