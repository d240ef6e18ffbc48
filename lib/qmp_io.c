/* SPDX-License-Identifier: GPL-2.0-only */
/* The byte side of QMP: connecting, queueing, reading. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "qmp.h"
#include "qmp_io.h"

#define READ_CHUNK (64u << 10)

void qmp_init(struct qmp *q, int fd)
{
	memset(q, 0, sizeof(*q));
	q->fd = fd;
	q->next_id = 1;
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void out_pop(struct qmp *q)
{
	struct qmp_out *o = q->out;

	q->out = o->next;
	scope_close(&o->fd);
	free(o->text);
	free(o);
}

void qmp_close(struct qmp *q)
{
	while (q->out)
		out_pop(q);
	free(q->in);
	scope_close(&q->fd);
	memset(q, 0, sizeof(*q));
	q->fd = -1;
}

int qmp_connect(const char *path, struct err *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	size_t len = strlen(path);

	if (path[0] != '/' || len >= sizeof(sun.sun_path))
		return err_set(e, ERR_USAGE,
			       "%s: a QMP socket needs an absolute path of at most %zu bytes", path,
			       sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, path, len + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "%s: socket", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return steal_fd(&fd);
	switch (errno) {
	case ENOENT:
		return err_set(e, ERR_ABSENT, "%s: no such QMP socket", path);
	case ECONNREFUSED:
		return err_set(e, ERR_EXITED,
			       "%s: nobody listens on this QMP socket, its QEMU has ended", path);
	case EAGAIN:
		return err_set(e, ERR_REFUSED,
			       "%s: too many clients wait for this QMP socket; disconnect the others",
			       path);
	default:
		return err_sys(e, errno, "%s: connect", path);
	}
}

int qmp_queue(struct qmp *q, char *text, size_t len, int fd, struct err *e)
{
	struct qmp_out *o = calloc(1, sizeof(*o)), **tail = &q->out;

	if (!o) {
		free(text);
		return err_sys(e, ENOMEM, "QMP command");
	}
	o->text = text;
	o->len = len;
	o->fd = -1;
	if (fd >= 0) {
		o->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (o->fd < 0) {
			err_sys(e, errno, "descriptor %d for QEMU", fd);
			free(text);
			free(o);
			return -1;
		}
	}
	while (*tail)
		tail = &(*tail)->next;
	*tail = o;
	return qmp_flush(q, e);
}

bool qmp_wants_write(const struct qmp *q)
{
	return q->out;
}

/* The descriptor goes with the first byte of its command: QEMU takes the one
 * that came last when it executes getfd or add-fd. */
static ssize_t send_some(int sock, const struct qmp_out *o)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} ctl = { 0 };
	struct iovec iov = { .iov_base = o->text + o->off, .iov_len = o->len - o->off };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	if (o->fd >= 0) {
		msg.msg_control = ctl.buf;
		msg.msg_controllen = sizeof(ctl.buf);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &o->fd, sizeof(int));
	}
	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n;
}

int qmp_flush(struct qmp *q, struct err *e)
{
	while (q->out) {
		struct qmp_out *o = q->out;
		ssize_t n = send_some(q->fd, o);

		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
			return 0;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
			while (q->out)
				out_pop(q);
			return 0;
		}
		if (n < 0)
			return err_sys(e, errno, "write to the QMP socket");
		o->off += (size_t)n;
		if (n > 0) {
			scope_close(&o->fd);
			o->fd = -1;
		}
		if (o->off == o->len)
			out_pop(q);
	}
	return 0;
}

/* Room for one more chunk behind what is still unread. */
static int make_room(struct qmp *q, struct err *e)
{
	size_t cap;
	char *in;

	if (q->in_off) {
		q->in_len -= q->in_off;
		memmove(q->in, q->in + q->in_off, q->in_len);
		q->in_off = 0;
	}
	if (q->in_cap - q->in_len >= READ_CHUNK)
		return 0;
	cap = q->in_len + READ_CHUNK;
	if (cap < 2 * q->in_cap)
		cap = 2 * q->in_cap;
	in = realloc(q->in, cap);
	if (!in)
		return err_sys(e, ENOMEM, "QMP input");
	q->in = in;
	q->in_cap = cap;
	return 0;
}

int qmp_fill(struct qmp *q, struct err *e)
{
	ssize_t n;

	if (make_room(q, e) < 0)
		return -1;
	do {
		n = recv(q->fd, q->in + q->in_len, READ_CHUNK, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 2;
	/* A peer that closes with our command unread. */
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 1;
	if (n < 0)
		return err_sys(e, errno, "read from the QMP socket");
	q->in_len += (size_t)n;
	return 0;
}

int qmp_eof(const struct qmp *q, struct err *e)
{
	if (q->in_len > q->in_off)
		return err_set(e, ERR_EXITED,
			       "QEMU closed its monitor in the middle of a line of %zu bytes so far",
			       q->in_len - q->in_off);
	return err_set(e, ERR_EXITED, "QEMU closed its monitor");
}

int qmp_line(struct qmp *q, const char **line, size_t *len, struct err *e)
{
	size_t from = q->in_off + q->in_scanned, n;
	char *nl = NULL;

	if (q->in_len > from)
		nl = memchr(q->in + from, '\n', q->in_len - from);
	n = nl ? (size_t)(nl - (q->in + q->in_off)) : q->in_len - q->in_off;
	if (n > QMP_LINE_MAX)
		return err_set(e, ERR_PROTOCOL, "QEMU sent a line of more than %u bytes",
			       QMP_LINE_MAX);
	if (!nl) {
		q->in_scanned = n;
		return 0;
	}
	*line = q->in + q->in_off;
	*len = n;
	q->in_off += n + 1;
	q->in_scanned = 0;
	return 1;
}
