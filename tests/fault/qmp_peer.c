/* SPDX-License-Identifier: GPL-2.0-only */
#include "qmp_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct peer {
	int sock;
	int fd; /* came with the line being read, or -1 */
	uint64_t id;
	char line[65536];
};

static void mismatch(const char *wanted, const char *got)
{
	fprintf(stderr, "QMP peer: wanted %s, got %s\n", wanted, got);
	_exit(PEER_MISMATCH);
}

/* One byte, with the descriptor that may come along. */
static int get_byte(struct peer *p, char *c)
{
	char ctl[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = c, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	ssize_t n = recvmsg(p->sock, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *cm = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (cm) {
		if (p->fd >= 0)
			mismatch("one descriptor a line", "two");
		memcpy(&p->fd, CMSG_DATA(cm), sizeof(int));
	}
	return n == 1;
}

static void hear(struct peer *p, const char *text)
{
	size_t n = 0;
	char *id;

	p->fd = -1;
	while (n < sizeof(p->line) - 1) {
		if (!get_byte(p, &p->line[n]))
			mismatch(text, "end of file");
		if (p->line[n] == '\n')
			break;
		n++;
	}
	p->line[n] = '\0';
	if (!strstr(p->line, text))
		mismatch(text, p->line);
	/* The command's own comes last: arguments may have one, too. */
	id = NULL;
	for (char *at = p->line; (at = strstr(at, "\"id\":")); at++)
		id = at;
	p->id = id ? strtoull(id + 5, NULL, 10) : 0;
}

static void hear_fd(struct peer *p, const char *text, int byte)
{
	char c = 0;

	hear(p, text);
	if (p->fd < 0)
		mismatch("a descriptor with the line", p->line);
	if (pread(p->fd, &c, 1, 0) != 1 || c != byte)
		mismatch("the right descriptor", "another");
	close(p->fd);
}

static void hear_out(struct peer *p, const char *text, int bytes)
{
	hear(p, text);
	if (p->fd < 0 || (fcntl(p->fd, F_GETFL) & O_ACCMODE) != O_WRONLY)
		mismatch("a write-only descriptor with the line", p->line);
	while (bytes-- > 0)
		if (write(p->fd, "s", 1) != 1)
			mismatch("a descriptor that can be written", strerror(errno));
	close(p->fd);
}

static void put(const struct peer *p, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(p->sock, data, len, MSG_NOSIGNAL);

		if (n < 0) /* our side may be done with us already */
			return;
		data += n;
		len -= (size_t)n;
	}
}

static void say(const struct peer *p, const char *text)
{
	const char *var;
	char id[24];

	while ((var = strstr(text, "$ID"))) {
		put(p, text, (size_t)(var - text));
		snprintf(id, sizeof(id), "%" PRIu64, p->id);
		put(p, id, strlen(id));
		text = var + 3;
	}
	put(p, text, strlen(text));
}

static void flood(const struct peer *p, int n)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	for (; n > 0; n -= (int)sizeof(block))
		put(p, block, sizeof(block));
}

static void play(struct peer *p, const struct peer_op *op)
{
	char c;

	switch (op->what) {
	case PEER_SAY:
		say(p, op->text);
		break;
	case PEER_HEAR:
		hear(p, op->text);
		if (p->fd >= 0)
			mismatch("no descriptor with the line", p->line);
		break;
	case PEER_HEAR_FD:
		hear_fd(p, op->text, op->arg);
		break;
	case PEER_HEAR_OUT:
		hear_out(p, op->text, op->arg);
		break;
	case PEER_FLOOD:
		flood(p, op->arg);
		break;
	case PEER_WAIT:
		if (read(op->arg, &c, 1) != 1)
			mismatch("a byte from the gate", "end of file");
		break;
	case PEER_POST:
		if (write(op->arg, "", 1) != 1)
			mismatch("an open gate", strerror(errno));
		break;
	case PEER_SHUT:
		close(p->sock);
		break;
	case PEER_EXIT:
		_exit(op->arg);
	case PEER_DIE:
		signal(op->arg, SIG_DFL);
		raise(op->arg);
		break;
	case PEER_QUIET:
		if (get_byte(p, &c))
			mismatch("end of file", "more");
		break;
	case PEER_SILENT:
		if (poll(&(struct pollfd){ .fd = p->sock, .events = POLLIN }, 1, op->arg))
			mismatch("silence", "something");
		break;
	case PEER_HANG:
		while (get_byte(p, &c))
			p->fd = -1;
		break;
	}
}

/* Other peers' connections would never see an end of file otherwise. */
static void close_others(int sock, const struct peer_op *ops, unsigned int n)
{
	unsigned int i;
	int fd;

	for (fd = 3; fd < 1024; fd++) {
		bool keep = fd == sock;

		for (i = 0; i < n; i++)
			keep |= (ops[i].what == PEER_WAIT || ops[i].what == PEER_POST) &&
				ops[i].arg == fd;
		if (!keep)
			close(fd);
	}
}

static void peer_main(int sock, const struct peer_op *ops, unsigned int n)
{
	static struct peer p;
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_others(sock, ops, n);
	p.sock = sock;
	p.fd = -1;
	for (i = 0; i < n; i++)
		play(&p, &ops[i]);
	_exit(0);
}

void qmp_peer_start(struct qmp_peer *f, const struct peer_op *ops, unsigned int n)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		abort();
	/* room for more than a plan reads in one turn; the kernel may allow less */
	setsockopt(sv[1], SOL_SOCKET, SO_SNDBUFFORCE, &(int){ 1 << 20 }, sizeof(int));
	fflush(NULL);
	f->pid = fork();
	if (f->pid < 0)
		abort();
	if (f->pid == 0) {
		close(sv[0]);
		peer_main(sv[1], ops, n);
	}
	close(sv[1]);
	f->fd = sv[0];
	f->pidfd = (int)syscall(SYS_pidfd_open, f->pid, 0);
	if (f->pidfd < 0)
		abort();
}

int qmp_peer_end(struct qmp_peer *f)
{
	int status;

	scope_close(&f->fd);
	f->fd = -1;
	if (waitpid(f->pid, &status, 0) < 0)
		abort();
	close(f->pidfd);
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}
