/* SPDX-License-Identifier: GPL-2.0-only */
#include <sys/socket.h>

#include "fuzz.h"
#include "qmp.h"

static void drain(struct qmp *q)
{
	struct err e = { 0 };
	int filled;

	while ((filled = qmp_fill(q, &e)) == 0) {
		int got;

		do {
			struct qmp_msg m _cleanup_qmp_msg_ = { 0 };

			got = qmp_next(q, &m, &e);
			fuzz_check(got, &e);
			if (got > 0 && m.type == QMP_GREETING)
				qmp_version(m.body);
		} while (got > 0);
		if (got < 0)
			return;
	}
	fuzz_check(filled, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct err e = { 0 };
	int pair[2];

	if (size > 64 << 10 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return 0;
	qmp_init(&q, pair[0]);
	/* one command is open, so that answers to it are possible */
	if (!qmp_send_text(&q, "query-status", -1, &e, NULL))
		abort();
	if (write(pair[1], data, size) != (ssize_t)size)
		abort();
	close(pair[1]);
	drain(&q);
	return 0;
}
