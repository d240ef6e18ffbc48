/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hear unix:PATH|tcp:PORT TEXT [SAY] - connect (tcp: on the loopback, which is brought up), say SAY
 * and a newline, and listen until TEXT has come. Exit status 0 when it has, within a time limit.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -1;
}

static int connect_tcp(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &up))
		return -1;
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -1;
}

int main(int argc, char **argv)
{
	struct timeval limit = { .tv_sec = 30 };
	char heard[65536];
	size_t n = 0;
	int fd;

	if (argc < 3)
		return 2;
	fd = strncmp(argv[1], "tcp:", 4) ? connect_unix(argv[1] + 5) : connect_tcp(atoi(argv[1] + 4));
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (argc > 3 && dprintf(fd, "%s\n", argv[3]) < 0)
		return 1;
	while (n < sizeof(heard) - 1) {
		ssize_t got = read(fd, heard + n, sizeof(heard) - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
		if (memmem(heard, n, argv[2], strlen(argv[2]))) {
			printf("%.*s\n", (int)n, heard);
			return 0;
		}
	}
	fprintf(stderr, "heard only: %.*s\n", (int)n, heard);
	return 1;
}
