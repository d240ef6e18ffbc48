/* SPDX-License-Identifier: GPL-2.0-only */
#include "mkfs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 512

/* Nothing is left for the kernel to initialize later: it would write while VMs
 * run. XFS: until Linux 6.2 reflink and DAX exclude each other. */
static const char *const ext4_argv[] = {
	"mkfs.ext4",
	"-q",
	"-F",
	"-L",
	DAXFS_LABEL,
	"-b",
	"4096",
	"-m",
	"0",
	"-E",
	"stride=512,lazy_itable_init=0,lazy_journal_init=0",
	NULL,
};
static const char *const xfs_argv[] = {
	"mkfs.xfs",
	"-q",
	"-f",
	"-L",
	DAXFS_LABEL,
	"-b",
	"size=4096",
	"-m",
	"reflink=0,rmapbt=0",
	"-d",
	"su=2m,sw=1,extszinherit=512",
	"-l",
	"su=32k",
	NULL,
};

#define ARGS_MAX 16

static const char *find_program(const char *name, char *out, size_t size, struct err *e)
{
	static const char *const dirs[] = { "/usr/sbin", "/sbin" };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (io_path(out, size, e, "%s/%s", dirs[i], name) == 0 && access(out, X_OK) == 0)
			return out;
	err_set(e, ERR_ABSENT, "%s is not installed; it is part of %s", name,
		strstr(name, "xfs") ? "xfsprogs" : "e2fsprogs");
	return NULL;
}

int mkfs_check(enum daxfs_type type, struct err *e)
{
	char path[64];

	return find_program(type == DAXFS_XFS ? xfs_argv[0] : ext4_argv[0], path, sizeof(path), e) ?
		0 :
		-1;
}

/* The last line of what the program has said. */
static void last_words(int fd, char *out, size_t size)
{
	off_t end = lseek(fd, 0, SEEK_END);
	ssize_t n = pread(fd, out, size - 1, end > (off_t)size - 1 ? end - (off_t)size + 1 : 0);
	char *line;

	if (n < 0)
		n = 0;
	while (n && isspace((unsigned char)out[n - 1]))
		n--;
	out[n] = '\0';
	for (char *p = out; *p; p++)
		if (*p != '\n' && !isprint((unsigned char)*p))
			*p = '?';
	line = strrchr(out, '\n');
	if (line)
		memmove(out, line + 1, strlen(line));
}

int mkfs_dax(const char *device, enum daxfs_type type, struct err *e)
{
	static char *const env[] = { (char *)"LC_ALL=C",
				     (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	const char *const *fixed = type == DAXFS_XFS ? xfs_argv : ext4_argv;
	_cleanup_close_ int said = memfd_create("mkfs", MFD_CLOEXEC);
	char path[64], words[WORDS_MAX], *argv[ARGS_MAX + 2];
	posix_spawn_file_actions_t fa;
	int rc, n = 0;
	pid_t pid;

	if (said < 0)
		return err_sys(e, errno, "memfd");
	if (!find_program(fixed[0], path, sizeof(path), e))
		return -1;
	for (; fixed[n] && n < ARGS_MAX; n++)
		argv[n] = (char *)fixed[n];
	argv[n++] = (char *)device;
	argv[n] = NULL;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, said, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&fa, said, STDERR_FILENO);
	rc = posix_spawn(&pid, path, &fa, NULL, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	if (rc)
		return err_sys(e, rc, "starting %s", path);
	while (waitpid(pid, &rc, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(rc) && WEXITSTATUS(rc) == 0)
		return 0;
	last_words(said, words, sizeof(words));
	return err_set(e, ERR_IO, "%s: %s failed: %s", device, path,
		       *words ? words : "without a word");
}
