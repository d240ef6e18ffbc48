/* SPDX-License-Identifier: GPL-2.0-only */
#include "journal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io.h"
#include "qemu.h"

#define CHUNK_MAX 65536
#define LINE_MAX_BYTES 1024

const char *journal_socket = "/run/systemd/journal/socket";

/* -1 without a journald. Never waits: an entry that does not fit is for later. */
static int journal_open(void)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (fd < 0 || strlen(journal_socket) >= sizeof(sa.sun_path))
		return -1;
	memcpy(sa.sun_path, journal_socket, strlen(journal_socket) + 1);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -1;
	return steal_fd(&fd);
}

/* systemd's "Native Journal Protocol": lines KEY=VALUE. A line of a log has no
 * newline in it, so the binary form is never needed; journald escapes the rest. */
static bool send_line(int fd, const char *name, pid_t pid, const char *line, size_t len)
{
	char entry[LINE_MAX_BYTES + 256];
	int n;

	if (len > LINE_MAX_BYTES)
		len = LINE_MAX_BYTES;
	n = snprintf(entry, sizeof(entry),
		     "SYSLOG_IDENTIFIER=holdover-%s\nPRIORITY=5\nSYSLOG_FACILITY=3\n", name);
	if (pid > 0)
		n += snprintf(entry + n, sizeof(entry) - (size_t)n, "OBJECT_PID=%d\n", (int)pid);
	n += snprintf(entry + n, sizeof(entry) - (size_t)n, "MESSAGE=%.*s\n", (int)len, line);
	return send(fd, entry, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Sends whole lines of @text; returns how many bytes are done with. */
static size_t send_lines(int fd, const char *name, pid_t pid, const char *text, size_t n)
{
	size_t done = 0;

	while (done < n) {
		const char *end = memchr(text + done, '\n', n - done);
		size_t len = end ? (size_t)(end - text) - done : n - done;

		/* The rest of an unfinished line comes later, unless QEMU has
		 * ended or never finishes one. */
		if (!end && pid > 0 && len < LINE_MAX_BYTES)
			break;
		if (len && !send_line(fd, name, pid, text + done, len))
			break;
		done += len + (end != NULL);
	}
	return done;
}

void journal_forward(const char *name, pid_t pid)
{
	_cleanup_close_ int log = -1, fd = -1;
	_cleanup_free_ char *text = NULL;
	char path[256], note[256], number[32];
	struct err ignored = { 0 };
	uint64_t at = 0;
	size_t done;
	ssize_t n;

	if (io_path(path, sizeof(path), &ignored, HOLDOVER_RUN_DIR "/%s/qemu.log", name) < 0 ||
	    io_path(note, sizeof(note), &ignored, "%s.sent", path) < 0)
		return;
	log = open(path, O_RDONLY | O_CLOEXEC);
	fd = log < 0 ? -1 : journal_open();
	if (fd < 0 || (io_read_u64(note, &at, &ignored) < 0 && ignored.kind != ERR_ABSENT))
		return;
	/* Begun anew by a fresh start. */
	if (lseek(log, 0, SEEK_END) < (off_t)at)
		at = 0;
	text = malloc(CHUNK_MAX);
	n = text ? pread(log, text, CHUNK_MAX, (off_t)at) : -1;
	if (n <= 0)
		return;
	done = send_lines(fd, name, pid, text, (size_t)n);
	snprintf(number, sizeof(number), "%" PRIu64 "\n", at + done);
	if (done && io_write_file(note, number, strlen(number), 0600, &ignored) < 0)
		return;
}
