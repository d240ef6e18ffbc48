/* SPDX-License-Identifier: GPL-2.0-only */
#include "qemu_help.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELP_MAX (1u << 20)
#define HELP_TIMEOUT_MS 10000

/* Reads what a child prints, for a bounded time. */
static int read_output(int fd, struct buf *out, struct err *e)
{
	int64_t deadline = io_now_ms() + HELP_TIMEOUT_MS;
	_cleanup_free_ char *data = malloc(HELP_MAX);
	size_t len = 0;

	if (!data)
		return err_sys(e, ENOMEM, "QEMU's help");
	while (len < HELP_MAX - 1) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - io_now_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return err_set(e, ERR_TIMEOUT, "asking QEMU for help takes too long");
		n = read(fd, data + len, HELP_MAX - 1 - len);
		if (n < 0 && errno != EINTR)
			return err_sys(e, errno, "QEMU's help");
		if (n == 0)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	data[len] = '\0';
	out->data = steal_ptr(&data);
	out->len = len;
	return 0;
}

int qemu_help(const char *qemu, const char *option, struct buf *out, struct err *e)
{
	char *const argv[] = { (char *)qemu, (char *)option, (char *)"help", NULL };
	char *const env[] = { (char *)"LC_ALL=C", NULL };
	_cleanup_close_ int r = -1, w = -1;
	posix_spawn_file_actions_t fa;
	int fds[2], rc, ret;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	r = fds[0];
	w = fds[1];
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, w, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&fa, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	rc = posix_spawn(&pid, qemu, &fa, NULL, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	if (rc)
		return err_sys(e, rc, "starting %s", qemu);
	close(steal_fd(&w));
	ret = read_output(r, out, e);
	if (ret < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &rc, 0) < 0 && errno == EINTR)
		;
	return ret;
}
