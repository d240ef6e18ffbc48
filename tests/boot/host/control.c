/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control channel's end inside the nested host.
 *
 * Opens the virtio-serial port named org.holdover.control and runs commands for
 * the harness outside. Everything on the wire is one line of printable ASCII, so
 * that a reader who comes in the middle (a kexec cuts lines in half) finds the next
 * line start again:
 *
 *	in	HELLO
 *		RUN <boot-id> <id> <timeout-ms> <base64 of a shell command>
 *		KILL <boot-id> <id>
 *	out	READY <boot-id>
 *		OUT <id> <base64>	stdout, ERR likewise for stderr
 *		EXIT <id> <code>	128+n when signal n ended it, 124 after the timeout
 *
 * A RUN that names another boot is dropped: it was meant for a kernel that is gone.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT_NAME "org.holdover.control"
#define MAX_JOBS 16
#define MAX_LINE (1 << 20)

struct job {
	char id[32];
	pid_t pid;	  /* 0: slot free */
	int out[2];	  /* read ends of stdout and stderr; -1 at end of file */
	int64_t deadline; /* CLOCK_MONOTONIC, ms */
	bool reaped, timed_out;
	int status;
};

static struct job jobs[MAX_JOBS];
static char boot_id[64];
static int port = -1;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void send_all(const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(port, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN) {
			struct pollfd pfd = { .fd = port, .events = POLLOUT };

			poll(&pfd, 1, 1000);
			continue;
		}
		if (w <= 0)
			exit(1);
		p += w;
		n -= (size_t)w;
	}
}

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t b64_encode(char *dst, const unsigned char *src, size_t n)
{
	char *d = dst;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)src[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)src[i + 1] << 8;
		if (i + 2 < n)
			v |= src[i + 2];
		*d++ = b64[v >> 18];
		*d++ = b64[v >> 12 & 63];
		*d++ = i + 1 < n ? b64[v >> 6 & 63] : '=';
		*d++ = i + 2 < n ? b64[v & 63] : '=';
	}
	return (size_t)(d - dst);
}

/* Decodes in place; stops at the first byte that is not base64. */
static void b64_decode(char *s)
{
	uint32_t acc = 0;
	int bits = 0;
	char *d = s;

	for (const char *p = s, *q; *p && (q = strchr(b64, *p)); p++) {
		acc = acc << 6 | (uint32_t)(q - b64);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*d++ = (char)(acc >> bits & 255);
		}
	}
	*d = 0;
}

static void say_ready(void)
{
	char line[96];
	int n = snprintf(line, sizeof(line), "\nREADY %s\n", boot_id);

	send_all(line, (size_t)n);
}

static void say_exit(const char *id, int code)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "EXIT %s %d\n", id, code);

	send_all(line, (size_t)n);
}

static void start_job(const char *id, int64_t timeout_ms, const char *command)
{
	struct job *j = NULL;
	int o[2], e[2];

	for (int i = 0; i < MAX_JOBS && !j; i++)
		if (!jobs[i].pid)
			j = &jobs[i];
	if (!j || pipe2(o, O_CLOEXEC) || pipe2(e, O_CLOEXEC)) {
		say_exit(id, 125);
		return;
	}
	*j = (struct job){ .out = { o[0], e[0] }, .deadline = now_ms() + timeout_ms };
	snprintf(j->id, sizeof(j->id), "%s", id);
	j->pid = fork();
	if (j->pid == 0) {
		setsid();
		int nul = open("/dev/null", O_RDONLY);

		dup2(nul, 0);
		dup2(o[1], 1);
		dup2(e[1], 2);
		close(nul);
		signal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(o[1]);
	close(e[1]);
	fcntl(o[0], F_SETFL, O_NONBLOCK);
	fcntl(e[0], F_SETFL, O_NONBLOCK);
}

static void handle_line(char *line)
{
	char *save = NULL;
	char *verb = strtok_r(line, " \r", &save);
	char *boot, *id, *timeout, *command;

	if (!verb)
		return;
	if (!strcmp(verb, "HELLO")) {
		say_ready();
		return;
	}
	boot = strtok_r(NULL, " ", &save);
	id = strtok_r(NULL, " ", &save);
	if (!boot || !id || strcmp(boot, boot_id))
		return;
	if (!strcmp(verb, "KILL")) {
		for (int i = 0; i < MAX_JOBS; i++)
			if (jobs[i].pid && !strcmp(jobs[i].id, id))
				kill(-jobs[i].pid, SIGKILL);
		return;
	}
	timeout = strtok_r(NULL, " ", &save);
	command = strtok_r(NULL, " ", &save);
	if (strcmp(verb, "RUN") || !timeout || !command)
		return;
	b64_decode(command);
	start_job(id, atoll(timeout), command);
}

/* Takes what the port has and hands on complete lines. */
static void read_port(void)
{
	static char line[MAX_LINE];
	static size_t len;
	ssize_t r = read(port, line + len, sizeof(line) - len - 1);

	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* The port reads as 0 while nobody is connected outside. */
	if (r <= 0) {
		poll(NULL, 0, 50);
		return;
	}
	len += (size_t)r;
	line[len] = 0;
	for (char *nl; (nl = memchr(line, '\n', len));) {
		*nl++ = 0;
		handle_line(line);
		len -= (size_t)(nl - line);
		memmove(line, nl, len);
	}
	if (len == sizeof(line) - 1)
		len = 0;
}

static void read_job(struct job *j, int which)
{
	unsigned char raw[3 * 4096];
	static char text[sizeof(raw) / 3 * 4 + 64];
	ssize_t r = read(j->out[which], raw, sizeof(raw));
	size_t n;

	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r <= 0) {
		close(j->out[which]);
		j->out[which] = -1;
		return;
	}
	n = (size_t)snprintf(text, 64, "%s %s ", which ? "ERR" : "OUT", j->id);
	n += b64_encode(text + n, raw, (size_t)r);
	text[n++] = '\n';
	send_all(text, n);
}

/*
 * A job is over when its process has ended; what a daemon it started still holds
 * open must not hold up the answer, so the pipes are drained and dropped.
 */
static void finish_job(struct job *j)
{
	int code = WIFEXITED(j->status) ? WEXITSTATUS(j->status) : 128 + WTERMSIG(j->status);

	for (int w = 0; w < 2; w++) {
		int avail = 1;

		while (j->out[w] >= 0 && avail > 0) {
			struct pollfd pfd = { .fd = j->out[w], .events = POLLIN };

			avail = poll(&pfd, 1, 0);
			if (avail > 0)
				read_job(j, w);
		}
		if (j->out[w] >= 0)
			close(j->out[w]);
	}
	say_exit(j->id, j->timed_out ? 124 : code);
	j->pid = 0;
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < MAX_JOBS; i++)
			if (jobs[i].pid == pid) {
				jobs[i].reaped = true;
				jobs[i].status = status;
			}
	for (int i = 0; i < MAX_JOBS; i++) {
		struct job *j = &jobs[i];

		if (j->pid && j->reaped) {
			finish_job(j);
		} else if (j->pid && !j->timed_out && now_ms() > j->deadline) {
			j->timed_out = true;
			kill(-j->pid, SIGKILL);
		}
	}
}

/* Found through sysfs, so that udev need not have made its link yet. */
static int open_port(void)
{
	DIR *d = opendir("/sys/class/virtio-ports");
	int fd = -1;

	for (struct dirent *e; d && fd < 0 && (e = readdir(d));) {
		char path[512], name[64] = "";
		int f;
		ssize_t n;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
		f = open(path, O_RDONLY | O_CLOEXEC);
		if (f < 0)
			continue;
		n = read(f, name, sizeof(name) - 1);
		close(f);
		if (n <= 0 || strncmp(name, PORT_NAME "\n", sizeof(PORT_NAME)))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	}
	if (d)
		closedir(d);
	return fd;
}

static int wake[2];

static void on_sigchld(int sig)
{
	int saved = errno;

	(void)sig;
	(void)!write(wake[1], "", 1);
	errno = saved;
}

static void serve(void)
{
	struct pollfd p[2 + 2 * MAX_JOBS];
	char drop[64];

	p[0] = (struct pollfd){ .fd = port, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = wake[0], .events = POLLIN };
	for (int i = 0; i < 2 * MAX_JOBS; i++) {
		struct job *j = &jobs[i / 2];

		p[2 + i] = (struct pollfd){ .fd = j->pid ? j->out[i & 1] : -1, .events = POLLIN };
	}
	if (poll(p, sizeof(p) / sizeof(p[0]), 1000) > 0) {
		/* POLLHUP alone means that nobody is connected: do not spin on it. */
		if (p[0].revents == POLLHUP)
			poll(NULL, 0, 50);
		else if (p[0].revents)
			read_port();
		if (p[1].revents)
			(void)!read(wake[0], drop, sizeof(drop));
		for (int i = 0; i < 2 * MAX_JOBS; i++)
			if (p[2 + i].revents)
				read_job(&jobs[i / 2], i & 1);
	}
	reap();
}

int main(void)
{
	int f = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (f < 0 || read(f, boot_id, 36) != 36)
		return 1;
	close(f);
	while ((port = open_port()) < 0)
		poll(NULL, 0, 50);
	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, on_sigchld);
	say_ready();
	for (;;)
		serve();
}
