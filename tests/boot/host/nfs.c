/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nfs PORT - a file server for the kernel's NFS 3 client on the loopback address, which a scenario stops with SIGSTOP:
 * a server that has died. One folder, and in it a "disc" of zeros; whatever other name is asked for is one file, of
 * zeros, of which only the size is kept. RFC 1813, RFC 5531.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 8
#define RECORD_MAX (1u << 20)
#define BLOCK (1u << 17)

enum { MOUNT = 100005, NFS = 100003 };
enum { ROOT = 1, FILE_ID = 2, DISC_ID = 3 };
#define DISC_SIZE 65536
enum {
	GETATTR = 1,
	SETATTR,
	LOOKUP,
	ACCESS,
	READLINK,
	READ,
	WRITE,
	CREATE,
	FSSTAT = 18,
	FSINFO,
	PATHCONF,
	COMMIT
};
#define ERR_NOTSUPP 10004

static uint8_t in[RECORD_MAX], out[RECORD_MAX];
static size_t at, end, n;
static uint64_t size, change;

static _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- words of a call and of its reply ------------------------------------ */

static uint32_t get(void)
{
	uint32_t v;

	if (at + 4 > end)
		return 0;
	memcpy(&v, in + at, 4);
	at += 4;
	return ntohl(v);
}

static uint64_t get64(void)
{
	uint64_t high = get();

	return high << 32 | get();
}

/* An opaque; returns its last byte, which of a handle is the file's number. */
static uint8_t get_opaque(void)
{
	uint32_t len = get();
	uint8_t last = len && at + len <= end ? in[at + len - 1] : 0;

	at += (len + 3) & ~3u;
	return last;
}

static void put(uint32_t v)
{
	v = htonl(v);
	memcpy(out + n, &v, 4);
	n += 4;
}

static void put64(uint64_t v)
{
	put((uint32_t)(v >> 32));
	put((uint32_t)v);
}

static void put_handle(uint8_t id)
{
	put(4);
	put(id);
}

static void put_time(void)
{
	put(1700000000);
	put((uint32_t)change);
}

static uint64_t size_of(uint8_t id)
{
	return id == ROOT ? 4096 : id == DISC_ID ? DISC_SIZE : size;
}

static void put_fattr(uint8_t id)
{
	put(id == ROOT ? 2 : 1);
	put(id == ROOT ? 0755 : 0644);
	put(1);
	put(0);
	put(0);
	put64(size_of(id));
	put64(size_of(id));
	put64(0);
	put64(7);
	put64(id);
	put_time();
	put_time();
	put_time();
}

static void put_post(uint8_t id)
{
	put(1);
	put_fattr(id);
}

static void put_wcc(uint8_t id)
{
	put(0);
	put_post(id);
}

/* ---- procedures ------------------------------------------------------------ */

static void mount_call(uint32_t proc)
{
	if (proc != 1)
		return;
	put(0);
	put_handle(ROOT);
	put(1);
	put(1);
}

static void read_file(uint8_t id)
{
	uint64_t offset = get64();
	uint32_t count = get();

	if (count > BLOCK)
		count = BLOCK;
	if (offset >= size_of(id))
		count = 0;
	else if (count > size_of(id) - offset)
		count = (uint32_t)(size_of(id) - offset);
	put(0);
	put_post(id);
	put(count);
	put(offset + count >= size_of(id));
	put(count);
	memset(out + n, 0, (count + 3) & ~3u);
	n += (count + 3) & ~3u;
}

static void write_file(uint8_t id)
{
	uint64_t offset = get64();
	uint32_t count = get();

	if (offset + count > size)
		size = offset + count;
	change++;
	put(0);
	put_wcc(id);
	put(count);
	put(2);
	put64(1);
}

static void fsinfo(uint8_t id)
{
	put(0);
	put_post(id);
	for (int i = 0; i < 2; i++) {
		put(BLOCK);
		put(BLOCK);
		put(4096);
	}
	put(4096);
	put64(1ull << 40);
	put(0);
	put(1);
	put(0x1b);
}

static void fsstat(uint8_t id)
{
	put(0);
	put_post(id);
	for (int i = 0; i < 6; i++)
		put64(1 << 30);
	put(0);
}

static void path_limits(uint8_t id)
{
	put(0);
	put_post(id);
	put(1);
	put(255);
	put(1);
	put(1);
	put(0);
	put(1);
}

static void nfs_call(uint32_t proc)
{
	uint8_t id = proc ? get_opaque() : 0;

	switch (proc) {
	case 0:
		break;
	case GETATTR:
		put(0);
		put_fattr(id);
		break;
	case LOOKUP:
		id = get_opaque() == 'c' ? DISC_ID : FILE_ID;
		put(0);
		put_handle(id);
		put_post(id);
		put_post(ROOT);
		break;
	case ACCESS:
		put(0);
		put_post(id);
		put(get());
		break;
	case READ:
		read_file(id);
		break;
	case WRITE:
		write_file(id);
		break;
	case CREATE:
		put(0);
		put(1);
		put_handle(FILE_ID);
		put_post(FILE_ID);
		put_wcc(ROOT);
		break;
	case SETATTR:
		put(0);
		put_wcc(id);
		break;
	case COMMIT:
		put(0);
		put_wcc(id);
		put64(1);
		break;
	case FSSTAT:
		fsstat(id);
		break;
	case FSINFO:
		fsinfo(id);
		break;
	case PATHCONF:
		path_limits(id);
		break;
	default:
		put(ERR_NOTSUPP);
		put(0);
		put(0);
	}
}

/* ---- calls --------------------------------------------------------------- */

static int whole(int fd, uint8_t *to, size_t len)
{
	while (len) {
		ssize_t r = recv(fd, to, len, 0);

		if (r <= 0)
			return -1;
		to += r;
		len -= (size_t)r;
	}
	return 0;
}

/* One record of one fragment: a call; -1 when the client has gone. */
static int serve(int fd)
{
	uint32_t mark, xid, program, proc;

	if (whole(fd, (uint8_t *)&mark, 4) < 0)
		return -1;
	end = ntohl(mark) & 0x7fffffff;
	if (end > RECORD_MAX || whole(fd, in, end) < 0)
		return -1;
	at = 0;
	n = 4;
	xid = get();
	at += 8;
	program = get();
	at += 4;
	proc = get();
	/* Credentials and verifier, each a flavour and an opaque. */
	for (int i = 0; i < 2; i++) {
		get();
		get_opaque();
	}
	put(xid);
	put(1);
	for (int i = 0; i < 3; i++)
		put(0);
	/* Of ACLs there are none: PROG_UNAVAIL. */
	put(program != MOUNT && program != NFS);
	if (program == MOUNT)
		mount_call(proc);
	else if (program == NFS)
		nfs_call(proc);
	mark = htonl((uint32_t)(n - 4) | 0x80000000);
	memcpy(out, &mark, 4);
	return send(fd, out, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	struct pollfd p[1 + CLIENTS];
	int one = 1;

	if (argc != 2)
		return 2;
	sa.sin_port = htons((uint16_t)atoi(argv[1]));
	for (int i = 0; i <= CLIENTS; i++)
		p[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	p[0].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(p[0].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* In the minimal host nobody else does it. */
	if (ioctl(p[0].fd, SIOCSIFFLAGS, &lo))
		fail("loopback interface");
	if (bind(p[0].fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(p[0].fd, CLIENTS))
		fail("listening");
	if (daemon(0, 0))
		fail("daemon");
	for (;;) {
		if (poll(p, 1 + CLIENTS, -1) < 0 && errno != EINTR)
			fail("poll");
		for (int i = 1; i <= CLIENTS; i++)
			if (p[i].fd >= 0 && p[i].revents && serve(p[i].fd)) {
				close(p[i].fd);
				p[i].fd = -1;
			}
		for (int i = 1; i <= CLIENTS && p[0].revents; i++)
			if (p[i].fd < 0) {
				p[i].fd = accept4(p[0].fd, NULL, NULL, SOCK_CLOEXEC);
				break;
			}
	}
}
