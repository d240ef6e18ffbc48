/* SPDX-License-Identifier: GPL-2.0-only */
/* A peer that follows a script on the other end of a socket pair. */
#ifndef HOLDOVER_QMP_PEER_H
#define HOLDOVER_QMP_PEER_H

#include <sys/types.h>

#include "scope.h"

/**
 * enum peer_do - one line of a script
 * @PEER_SAY: write @text as it is, with $ID replaced by the last command's id
 * @PEER_HEAR: read a line, which must contain @text
 * @PEER_HEAR_FD: as HEAR; a descriptor must come with the line, of a file
 *	whose first byte is @arg
 * @PEER_HEAR_OUT: as HEAR; a write-only descriptor must come with the line, and
 *	gets @arg bytes
 * @PEER_FLOOD: write @arg bytes without a newline
 * @PEER_WAIT: read one byte from the descriptor @arg (a pipe of the test)
 * @PEER_POST: write one byte to the descriptor @arg
 * @PEER_SHUT: close the connection
 * @PEER_EXIT: exit with status @arg at once
 * @PEER_DIE: end by signal @arg
 * @PEER_QUIET: the other side must close without another word
 * @PEER_SILENT: the other side must say nothing for @arg milliseconds
 * @PEER_HANG: answer nothing more until the other side closes
 */
enum peer_do {
	PEER_SAY,
	PEER_HEAR,
	PEER_HEAR_FD,
	PEER_HEAR_OUT,
	PEER_FLOOD,
	PEER_WAIT,
	PEER_POST,
	PEER_SHUT,
	PEER_EXIT,
	PEER_DIE,
	PEER_QUIET,
	PEER_SILENT,
	PEER_HANG,
};

struct peer_op {
	enum peer_do what;
	const char *text;
	int arg;
};

#define SAY(t)                        \
	{                             \
		PEER_SAY, t "\r\n", 0 \
	}
#define SAY_RAW(t)             \
	{                      \
		PEER_SAY, t, 0 \
	}
#define HEAR(t)                 \
	{                       \
		PEER_HEAR, t, 0 \
	}
#define HEAR_FD(t, byte)              \
	{                             \
		PEER_HEAR_FD, t, byte \
	}
#define HEAR_OUT(t, n)              \
	{                           \
		PEER_HEAR_OUT, t, n \
	}
#define ANSWER(t)                                                   \
	{                                                           \
		PEER_SAY, "{\"return\": " t ", \"id\": $ID}\r\n", 0 \
	}
#define REFUSE(t)                                                                               \
	{                                                                                       \
		PEER_SAY,                                                                       \
			"{\"id\": $ID, \"error\": {\"class\": \"GenericError\", \"desc\": \"" t \
			"\"}}\r\n",                                                             \
			0                                                                       \
	}
#define FLOOD(n)                    \
	{                           \
		PEER_FLOOD, NULL, n \
	}
#define SHUT                       \
	{                          \
		PEER_SHUT, NULL, 0 \
	}
#define EXIT(n)                    \
	{                          \
		PEER_EXIT, NULL, n \
	}
#define DIE(sig)                    \
	{                           \
		PEER_DIE, NULL, sig \
	}
#define QUIET                       \
	{                           \
		PEER_QUIET, NULL, 0 \
	}
#define SILENT(ms)                    \
	{                             \
		PEER_SILENT, NULL, ms \
	}
#define HANG                       \
	{                          \
		PEER_HANG, NULL, 0 \
	}

#define GREETING                                                            \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, " \
	"\"major\": 7}, \"package\": \"Debian\"}, \"capabilities\": [\"oob\"]}}"
#define HANDSHAKE SAY(GREETING), HEAR("\"execute\":\"qmp_capabilities\""), ANSWER("{}")

/**
 * struct qmp_peer - a running peer
 * @fd: the test's end of the connection; owned until qmp_peer_end(), or taken
 *	out with steal_fd()
 * @pidfd: owned
 */
struct qmp_peer {
	int fd;
	int pidfd;
	pid_t pid;
};

/** qmp_peer_start() - fork a peer; a failure here ends the test program. */
void qmp_peer_start(struct qmp_peer *f, const struct peer_op *ops, unsigned int n);

/** qmp_peer_end() - close our end and reap. Returns its exit status: 0 when
 * the whole script was played, PEER_MISMATCH when the peer heard something
 * else (it says what on stderr), 128 + signal when it was killed. */
int qmp_peer_end(struct qmp_peer *f);
#define PEER_MISMATCH 99

#endif
