/* SPDX-License-Identifier: GPL-2.0-only */
#include "kexec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kexec_cpio.h"
#include "ledger_format.h"

#define COPY_PIECE (1u << 20)
#define AGENT "holdover-agent"

static int open_initrd(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_ABSENT, "initrd %s: no such file", path);
	if (fd < 0)
		return err_sys(e, errno, "initrd %s", path);
	return fd;
}

static int copy(int from, int to, const char *path, uint64_t *total, struct err *e)
{
	_cleanup_free_ char *buf = malloc(COPY_PIECE);

	if (!buf)
		return err_sys(e, ENOMEM, "initrd %s", path);
	for (*total = 0;;) {
		ssize_t n = read(from, buf, COPY_PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "initrd %s", path);
		if (n == 0)
			return 0;
		if (io_write_all(to, buf, (size_t)n, "the next kernel's initrd", e))
			return -1;
		*total += (uint64_t)n;
	}
}

int kexec_initrd(const char *initrd_path, const struct buf *cpio, struct err *e)
{
	_cleanup_close_ int in = open_initrd(initrd_path, e), out = -1;
	static const char zero[4];
	uint64_t total = 0;

	if (in < 0)
		return -1;
	out = io_memfd("holdover-initrd", NULL, 0, e);
	if (out < 0 || copy(in, out, initrd_path, &total, e))
		return -1;
	if (!total)
		return err_set(e, ERR_FORMAT, "initrd %s: is empty", initrd_path);
	/* The kernel takes a cpio header only at a multiple of four. */
	if (io_write_all(out, zero, -total & 3, "the next kernel's initrd", e) ||
	    io_write_all(out, cpio->data, cpio->len, "the next kernel's initrd", e))
		return -1;
	if (lseek(out, 0, SEEK_SET) ||
	    fcntl(out, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
		return err_sys(e, errno, "the next kernel's initrd");
	return steal_fd(&out);
}

/**
 * struct unpacker - how one compression is undone
 * @magic: first bytes of the compressed data
 * @argv: the host's program for it, reading stdin and writing stdout
 */
struct unpacker {
	const char *magic;
	size_t len;
	const char *argv[4];
};

static const struct unpacker unpackers[] = {
	{ "\x1f\x8b", 2, { "gzip", "-dc" } },
	{ "\xfd\x37zXZ", 5, { "xz", "-dc" } },
	{ "\x28\xb5\x2f\xfd", 4, { "zstd", "-dcq" } },
	{ "\x02\x21\x4c\x18", 4, { "lz4", "-dc" } },
	{ "\x5d\x00\x00", 3, { "xz", "--format=lzma", "-dc" } },
	{ "BZh", 3, { "bzip2", "-dc" } },
	{ "\x89LZO", 4, { "lzop", "-dc" } },
};

static const struct unpacker *find_unpacker(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(unpackers); i++)
		if (len >= unpackers[i].len && !memcmp(head, unpackers[i].magic, unpackers[i].len))
			return &unpackers[i];
	return NULL;
}

/* Not the caller's PATH: what runs as root here is the system's program. */
static int find_program(const char *name, char *path, size_t size, struct err *e)
{
	static const char *const folders[] = { "/usr/bin", "/bin", "/usr/local/bin" };

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		if (io_path(path, size, e, "%s/%s", folders[i], name))
			return -1;
		if (access(path, X_OK) == 0)
			return 0;
	}
	return err_set(e, ERR_ABSENT, "looking into the initrd needs %s; install it", name);
}

/* Run @u on @in from its current position on; returns the reading end. */
static int spawn_unpacker(const struct unpacker *u, int in, pid_t *pid, struct err *e)
{
	static char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	_cleanup_close_ int rd = -1, wr = -1;
	posix_spawn_file_actions_t fa;
	char path[64];
	int fds[2], rc;

	if (find_program(u->argv[0], path, sizeof(path), e))
		return -1;
	if (pipe2(fds, O_CLOEXEC))
		return err_sys(e, errno, "pipe");
	rd = fds[0];
	wr = fds[1];
	rc = posix_spawn_file_actions_init(&fa);
	if (rc)
		return err_sys(e, rc, "%s", path);
	rc = posix_spawn_file_actions_adddup2(&fa, in, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&fa, wr, 1);
	if (!rc)
		rc = posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	if (!rc)
		rc = posix_spawn(pid, path, &fa, NULL, (char *const *)u->argv, env);
	posix_spawn_file_actions_destroy(&fa);
	if (rc)
		return err_set(e, ERR_SPAWN, "%s: %s", path, strerror(rc));
	return steal_fd(&rd);
}

/* Wait for the unpacker; it may still be writing, so end it first. */
static int reap(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

/**
 * struct wanted - what is looked for in an initrd
 * @name: see cpio_find()
 * @mark: NULL, or what is looked for in that file, see cpio_text()
 * @text, @size: what follows it there
 */
struct wanted {
	const char *name, *mark;
	char *text;
	size_t size;
};

static int find(struct cpio_stream *s, const struct wanted *w, struct err *e)
{
	int rc = cpio_find(s, w->name, e);

	if (rc == CPIO_FOUND && w->mark && cpio_text(s, w->mark, w->text, w->size, e) < 0)
		return -1;
	return rc;
}

static int find_packed(int fd, const struct unpacker *u, const char *path, const struct wanted *w,
		       struct err *e)
{
	_cleanup_free_ struct cpio_stream *s = calloc(1, sizeof(*s));
	_cleanup_close_ int rd = -1;
	pid_t pid;
	int rc;

	if (!s)
		return err_sys(e, ENOMEM, "initrd %s", path);
	rd = spawn_unpacker(u, fd, &pid, e);
	if (rd < 0)
		return -1;
	s->fd = rd;
	s->what = path;
	rc = find(s, w, e);
	reap(pid);
	if (rc < 0)
		return err_wrap(e, "unpacked by %s", u->argv[0]);
	if (rc == CPIO_OTHER || (rc == CPIO_END && s->pos == 0))
		return err_set(e, ERR_FORMAT, "initrd %s: %s finds no cpio archive in it", path,
			       u->argv[0]);
	return rc == CPIO_FOUND;
}

static int initrd_find(const char *initrd_path, const struct wanted *w, struct err *e)
{
	_cleanup_close_ int fd = open_initrd(initrd_path, e);
	_cleanup_free_ struct cpio_stream *s = calloc(1, sizeof(*s));
	const struct unpacker *u;
	uint8_t head[8];
	ssize_t n;
	int rc;

	if (fd < 0)
		return -1;
	if (!s)
		return err_sys(e, ENOMEM, "initrd %s", initrd_path);
	s->fd = fd;
	s->what = initrd_path;
	rc = find(s, w, e);
	if (rc < 0)
		return err_wrap(e, "initrd");
	if (rc != CPIO_OTHER)
		return rc == CPIO_FOUND;
	n = pread(fd, head, sizeof(head), (off_t)s->pos);
	u = n > 0 ? find_unpacker(head, (size_t)n) : NULL;
	if (!u)
		return err_set(e, ERR_FORMAT, "initrd %s: unknown compression at byte %llu",
			       initrd_path, (unsigned long long)s->pos);
	if (lseek(fd, (off_t)s->pos, SEEK_SET) < 0)
		return err_sys(e, errno, "initrd %s", initrd_path);
	return find_packed(fd, u, initrd_path, w, e);
}

static int initrd_has(const char *initrd_path, const char *name, struct err *e)
{
	const struct wanted w = { .name = name };

	return initrd_find(initrd_path, &w, e);
}

int kexec_initrd_agent(const char *initrd_path, char *said, size_t size, struct err *e)
{
	const struct wanted w = {
		.name = AGENT, .mark = LEDGER_FORMAT_MARK, .text = said, .size = size
	};
	unsigned int major = 0, minor = 0;

	*said = '\0';
	if (initrd_find(initrd_path, &w, e) < 0)
		return -1;
	return sscanf(said, "%u.%u", &major, &minor) == 2 && major == LEDGER_MAJOR &&
		minor >= LEDGER_MINOR;
}

int kexec_initrd_has_module(const char *initrd_path, struct err *e)
{
	return initrd_has(initrd_path, AGENT, e);
}

int kexec_initrd_has_file(const char *initrd_path, const char *name, struct err *e)
{
	return initrd_has(initrd_path, name, e);
}

int kexec_initrd_has_modules(const char *initrd_path, const char *release, struct err *e)
{
	char folder[256];

	if (io_path(folder, sizeof(folder), e, "lib/modules/%s/", release) < 0)
		return -1;
	return initrd_has(initrd_path, folder, e);
}
