/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * qmp SOCKET COMMAND... - send QMP commands (JSON objects) to a monitor, as an operator would,
 * and print each answer on a line. Exit status 0 when every one of them was answered with "return".
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Sends one command and prints lines until one of them is its answer. */
static int command(FILE *in, int fd, const char *text)
{
	char line[65536];

	if (dprintf(fd, "%s\n", text) < 0)
		return -1;
	while (fgets(line, sizeof(line), in)) {
		fputs(line, stdout);
		if (!strncmp(line, "{\"return\"", 9))
			return 0;
		if (!strncmp(line, "{\"error\"", 8))
			return -1;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 30 };
	char greeting[4096];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *in;

	if (argc < 3 || fd < 0)
		return 2;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[1]);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		perror(argv[1]);
		return 1;
	}
	in = fdopen(fd, "r");
	if (!in || !fgets(greeting, sizeof(greeting), in) ||
	    command(in, fd, "{\"execute\":\"qmp_capabilities\"}"))
		return 1;
	for (int i = 2; i < argc; i++)
		if (command(in, fd, argv[i]))
			return 1;
	return 0;
}
