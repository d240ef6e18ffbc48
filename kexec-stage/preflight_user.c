/* SPDX-License-Identifier: GPL-2.0-only */
/* A QEMU that gave up root opened its images before: can it do so again? */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"
#include "preflight.h"

#define GROUPS_MAX 256

/* Who a process is, by the numbers that count for opening files. */
struct identity {
	uid_t uid;
	gid_t gid;
	gid_t group[GROUPS_MAX];
	size_t ngroups;
};

/* "Uid:	real effective saved fs", and likewise "Gid:": the last one counts. */
static int last_id(const char *status, const char *key, unsigned int *out)
{
	const char *line = strstr(status, key);

	return line && sscanf(line + strlen(key), "%*u %*u %*u %u", out) == 1 ? 0 : -1;
}

static int read_identity(pid_t pid, struct identity *id, struct err *e)
{
	_cleanup_buf_ struct buf text = { 0 };
	const char *p;
	char path[64], *end;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (io_read_file(path, 65536, &text, e) < 0)
		return -1;
	p = strstr(text.data, "\nGroups:");
	if (last_id(text.data, "\nUid:", &id->uid) < 0 ||
	    last_id(text.data, "\nGid:", &id->gid) < 0 || !p)
		return err_set(e, ERR_FORMAT, "%s does not say whose process it is", path);
	p += strlen("\nGroups:");
	for (id->ngroups = 0; id->ngroups < GROUPS_MAX; p = end) {
		unsigned long gid;

		p += strspn(p, " \t");
		gid = strtoul(p, &end, 10);
		if (end == p || *p == '\n')
			break;
		id->group[id->ngroups++] = (gid_t)gid;
	}
	return 0;
}

/* 0, or the errno with which the kernel would turn @id away. */
static int try_as(const struct identity *id, const char *path, int mode, struct err *e)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return err_sys(e, errno, "fork");
	if (child == 0) {
		/* access() asks for the real ids. */
		if ((geteuid() == 0 && setgroups(id->ngroups, id->group) < 0) ||
		    setresgid(id->gid, id->gid, id->gid) < 0 ||
		    setresuid(id->uid, id->uid, id->uid) < 0 || access(path, mode) < 0)
			_exit(errno);
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "waiting for a child");
	if (!WIFEXITED(status))
		return err_set(e, ERR_IO, "the child that looked at %s was killed", path);
	return WEXITSTATUS(status);
}

int preflight_reopen(pid_t pid, const struct disk *d, struct err *e)
{
	struct identity id;
	int errnum;

	if (read_identity(pid, &id, e) < 0)
		return -1;
	if (id.uid == 0)
		return 0;
	errnum = try_as(&id, d->path, d->writable ? R_OK | W_OK : R_OK, e);
	if (errnum <= 0)
		return errnum;
	return err_set(e, ERR_REFUSED,
		       "QEMU gave up root and runs as user %u, who may not open %s (%s), as it has to "
		       "after a save; give that user the right to %s it, or let QEMU stay root",
		       id.uid, d->path, strerror(errnum), d->writable ? "read and write" : "read");
}
