/* SPDX-License-Identifier: GPL-2.0-only */
/* A peer that follows a script on the other end of a socket pair. */
#ifndef HOLDOVER_FAKE_QMP_H
#define HOLDOVER_FAKE_QMP_H

#include <sys/types.h>

#include "scope.h"

/**
 * enum fake_do - one line of a script
 * @FAKE_SAY: write @text as it is, with $ID replaced by the last command's id
 * @FAKE_HEAR: read a line, which must contain @text
 * @FAKE_HEAR_FD: as HEAR; a descriptor must come with the line, of a file
 *	whose first byte is @arg
 * @FAKE_FLOOD: write @arg bytes without a newline
 * @FAKE_WAIT: read one byte from the descriptor @arg (a pipe of the test)
 * @FAKE_POST: write one byte to the descriptor @arg
 * @FAKE_SHUT: close the connection
 * @FAKE_EXIT: exit with status @arg at once
 * @FAKE_DIE: end by signal @arg
 * @FAKE_HANG: answer nothing more until the other side closes
 */
enum fake_do {
	FAKE_SAY,
	FAKE_HEAR,
	FAKE_HEAR_FD,
	FAKE_FLOOD,
	FAKE_WAIT,
	FAKE_POST,
	FAKE_SHUT,
	FAKE_EXIT,
	FAKE_DIE,
	FAKE_HANG,
};

struct fake_op {
	enum fake_do what;
	const char *text;
	int arg;
};

#define SAY(t) { FAKE_SAY, t "\r\n", 0 }
#define SAY_RAW(t) { FAKE_SAY, t, 0 }
#define HEAR(t) { FAKE_HEAR, t, 0 }
#define HEAR_FD(t, byte) { FAKE_HEAR_FD, t, byte }
#define ANSWER(t) { FAKE_SAY, "{\"return\": " t ", \"id\": $ID}\r\n", 0 }
#define REFUSE(t)                                                           \
	{ FAKE_SAY,                                                         \
	  "{\"id\": $ID, \"error\": {\"class\": \"GenericError\", \"desc\": \"" \
	  t "\"}}\r\n", 0 }
#define FLOOD(n) { FAKE_FLOOD, NULL, n }
#define SHUT { FAKE_SHUT, NULL, 0 }
#define EXIT(n) { FAKE_EXIT, NULL, n }
#define DIE(sig) { FAKE_DIE, NULL, sig }
#define HANG { FAKE_HANG, NULL, 0 }

#define GREETING                                                              \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, "   \
	"\"major\": 7}, \"package\": \"Debian\"}, \"capabilities\": [\"oob\"]}}"
#define HANDSHAKE \
	SAY(GREETING), HEAR("\"execute\":\"qmp_capabilities\""), ANSWER("{}")

/**
 * struct fake_qmp - a running peer
 * @fd: the test's end of the connection; owned until fake_qmp_end(), or taken
 *	out with steal_fd()
 * @pidfd: owned
 */
struct fake_qmp {
	int fd;
	int pidfd;
	pid_t pid;
};

/** fake_qmp_start() - fork a peer; a failure here ends the test program. */
void fake_qmp_start(struct fake_qmp *f, const struct fake_op *ops,
		    unsigned int n);

/** fake_qmp_end() - close our end and reap. Returns its exit status: 0 when
 * the whole script was played, FAKE_MISMATCH when the peer heard something
 * else (it says what on stderr), 128 + signal when it was killed. */
int fake_qmp_end(struct fake_qmp *f);
#define FAKE_MISMATCH 99

#endif
