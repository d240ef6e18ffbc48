/* SPDX-License-Identifier: GPL-2.0-only */
#include "kexec_mounts.h"

#include <errno.h>
#include <string.h>

/* proc_pid_mountinfo(5): ID PARENT MAJ:MIN ROOT MOUNTPOINT OPTIONS TAG... - TYPE SOURCE SUPER_OPTIONS */
enum { F_DEV = 2, F_PATH = 4, FIXED = 6 };

static void unescape(char *s)
{
	char *out = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

static bool has_option(const char *options, const char *want)
{
	size_t n = strlen(want);

	for (const char *p = options; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, want, n) && (p[n] == ',' || !p[n]))
			return true;
	}
	return false;
}

/* Cut @line up. 1 if it is of interest, 0 if not, -1 if it is no such line. */
static int parse_line(char *line, bool all, struct mount_fs *out)
{
	char *fields[FIXED], *word, *type, *source, *super;
	int n = 0;

	while (n < FIXED && (word = strsep(&line, " ")))
		fields[n++] = word;
	if (n < FIXED)
		return -1;
	do
		word = strsep(&line, " ");
	while (word && strcmp(word, "-"));
	type = strsep(&line, " ");
	source = strsep(&line, " ");
	super = strsep(&line, " ");
	if (!type || !source || !super ||
	    sscanf(fields[F_DEV], "%u:%u", &out->major, &out->minor) != 2)
		return -1;
	if (has_option(super, "ro") || !strcmp(type, "autofs") ||
	    (!all && !out->major && strncmp(source, "/dev/", 5)))
		return 0;
	unescape(fields[F_PATH]);
	out->path = fields[F_PATH];
	return 1;
}

static void find_first(struct mount_fs *list, size_t i)
{
	for (list[i].first = 0; list[i].first < i; list[i].first++) {
		const struct mount_fs *m = &list[list[i].first];

		if (m->major == list[i].major && m->minor == list[i].minor)
			return;
	}
}

static int add(struct mount_fs **list, size_t *n, const struct mount_fs *m)
{
	struct mount_fs *bigger = realloc(*list, (*n + 1) * sizeof(**list));

	if (!bigger)
		return -1;
	*list = bigger;
	bigger[*n] = *m;
	bigger[*n].path = strdup(m->path);
	if (!bigger[*n].path)
		return -1;
	find_first(bigger, (*n)++);
	return 0;
}

static int parse(const char *text, bool all, struct mount_fs **list, size_t *n, struct err *e)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line;

	*list = NULL;
	*n = 0;
	if (!copy)
		return err_sys(e, ENOMEM, "mountinfo");
	while ((line = strsep(&rest, "\n"))) {
		struct mount_fs m = { 0 };
		int rc = *line ? parse_line(line, all, &m) : 0;

		if (rc < 0)
			err_set(e, ERR_FORMAT, "mountinfo: unknown form of line");
		else if (rc > 0 && add(list, n, &m))
			rc = err_sys(e, ENOMEM, "mountinfo");
		if (rc < 0) {
			mounts_free(*list, *n);
			*list = NULL;
			*n = 0;
			return -1;
		}
	}
	return 0;
}

int mounts_parse(const char *text, struct mount_fs **list, size_t *n, struct err *e)
{
	return parse(text, false, list, n, e);
}

int mounts_parse_all(const char *text, struct mount_fs **list, size_t *n, struct err *e)
{
	return parse(text, true, list, n, e);
}

void mounts_free(struct mount_fs *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].path);
	free(list);
}
