/* SPDX-License-Identifier: GPL-2.0-only */
#include "err.h"

#include <stdarg.h>
#include <string.h>

void err_plain(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
		/* U+0080 to U+009F, whose second byte is left */
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

static void err_format(struct err *e, const char *fmt, va_list ap)
{
	char buf[sizeof(e->msg)];

	/* A wrapped error's own text may be among the arguments. */
	vsnprintf(buf, sizeof(buf), fmt, ap);
	err_plain(buf);
	memcpy(e->msg, buf, sizeof(buf));
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->errnum = 0;
	va_start(ap, fmt);
	err_format(e, fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *e, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	e->kind = ERR_IO;
	e->errnum = errnum;
	va_start(ap, fmt);
	err_format(e, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerror(errnum));
	return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char ctx[256], old[sizeof(e->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ctx, sizeof(ctx), fmt, ap);
	va_end(ap);
	err_plain(ctx);
	memcpy(old, e->msg, sizeof(old));
	old[sizeof(old) - 1] = '\0';
	snprintf(e->msg, sizeof(e->msg), "%s: %.*s", ctx, (int)(sizeof(e->msg) - strlen(ctx) - 3),
		 old);
	return -1;
}

void err_clear(struct err *e)
{
	memset(e, 0, sizeof(*e));
}

const char *err_kind_name(enum err_kind kind)
{
	static const char *const names[ERR_KINDS] = {
		[ERR_NONE] = "NONE",
		[ERR_ABSENT] = "ABSENT",
		[ERR_STALE] = "STALE",
		[ERR_FORMAT] = "FORMAT",
		[ERR_CHECKSUM] = "CHECKSUM",
		[ERR_MISMATCH] = "MISMATCH",
		[ERR_IO] = "IO",
		[ERR_SPAWN] = "SPAWN",
		[ERR_EXITED] = "EXITED",
		[ERR_PROTOCOL] = "PROTOCOL",
		[ERR_REFUSED] = "REFUSED",
		[ERR_TIMEOUT] = "TIMEOUT",
		[ERR_USAGE] = "USAGE",
	};

	return (unsigned int)kind < ERR_KINDS ? names[kind] : "?";
}
