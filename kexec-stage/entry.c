/* SPDX-License-Identifier: GPL-2.0-only */
#define _GNU_SOURCE
#include "entry.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 65536

/* Where the partition is mounted that holds loader/ and EFI/. */
static const char *const boots[] = { "/efi", "/boot", "/boot/efi" };

static const struct {
	const char *dir, *suffix;
} kinds[] = {
	{ "loader/entries", ".conf" },
	{ "EFI/Linux", ".efi" },
};

void entry_free(struct entry *en)
{
	free(en->kernel);
	for (unsigned int i = 0; i < en->n; i++)
		free(en->initrds[i]);
	free(en->options);
	memset(en, 0, sizeof(*en));
}

static char *path_of(const char *boot, const char *value)
{
	size_t n = strlen(boot) + strlen(value) + 2;
	char *out = malloc(n);

	/* Relative to the partition, with or without a slash before it. */
	if (out)
		snprintf(out, n, "%s/%s", boot, value + strspn(value, "/"));
	return out;
}

static int add_options(struct entry *en, const char *value, struct err *e)
{
	size_t have = en->options ? strlen(en->options) : 0;
	char *bigger = realloc(en->options, have + strlen(value) + 2);

	if (!bigger)
		return err_sys(e, ENOMEM, "options");
	en->options = bigger;
	snprintf(bigger + have, strlen(value) + 2, "%s%s", have ? " " : "", value);
	/* GRUB's variables are nowhere but in its environment. */
	if (strchr(value, '$'))
		return err_set(e, ERR_FORMAT,
			       "its options hold a variable ('%.60s'); give --kernel, --initrd and "
			       "--cmdline instead",
			       strchr(value, '$'));
	return 0;
}

static int set(struct entry *en, const char *boot, const char *key, const char *value, struct err *e)
{
	if (!strcmp(key, "linux") || !strcmp(key, "efi") || !strcmp(key, "uki")) {
		free(en->kernel);
		en->kernel = path_of(boot, value);
		return en->kernel ? 0 : err_sys(e, ENOMEM, "%s", key);
	}
	if (!strcmp(key, "initrd")) {
		if (en->n == ENTRY_INITRDS_MAX)
			return err_set(e, ERR_FORMAT, "more than %d initrds", ENTRY_INITRDS_MAX);
		en->initrds[en->n] = path_of(boot, value);
		return en->initrds[en->n++] ? 0 : err_sys(e, ENOMEM, "initrd");
	}
	if (!strcmp(key, "options"))
		return add_options(en, value, e);
	if (!strcmp(key, "architecture") && strcasecmp(value, "x64"))
		return err_set(e, ERR_FORMAT, "it is for another architecture, '%.20s'", value);
	return 0; /* title, version, sort-key, ...: for people and menus */
}

int entry_parse(const char *text, const char *boot, struct entry *out, struct err *e)
{
	struct entry en _cleanup_entry_ = { 0 };
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line;

	if (!copy)
		return err_sys(e, ENOMEM, "entry");
	while ((line = strsep(&rest, "\n"))) {
		char *key, *value;
		size_t n;

		line += strspn(line, " \t");
		if (!*line || *line == '#')
			continue;
		key = strsep(&line, " \t");
		value = line ? line + strspn(line, " \t") : NULL;
		for (n = value ? strlen(value) : 0; n && strchr(" \t\r", value[n - 1]); n--)
			value[n - 1] = '\0';
		if (n && set(&en, boot, key, value, e) < 0)
			return -1;
	}
	if (!en.kernel)
		return err_set(e, ERR_FORMAT, "it names no kernel");
	*out = en;
	memset(&en, 0, sizeof(en));
	return 0;
}

static int load(const char *boot, unsigned int kind, const char *path, struct entry *out,
		struct err *e)
{
	_cleanup_buf_ struct buf text = { 0 };

	if (kind == 1) {
		out->kernel = strdup(path);
		return out->kernel ? 0 : err_sys(e, ENOMEM, "entry");
	}
	if (io_read_file(path, TEXT_MAX, &text, e) < 0)
		return -1;
	return entry_parse(text.data, boot, out, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

/* loader.conf's `default`: a pattern for names. */
static void read_default(const char *root, char *out, size_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(boots); i++) {
		_cleanup_buf_ struct buf text = { 0 };
		struct err ignored = { 0 };
		char path[4096], *rest, *line;

		if (io_path(path, sizeof(path), &ignored, "%s%s/loader/loader.conf", root,
			    boots[i]) < 0 ||
		    io_read_file(path, TEXT_MAX, &text, &ignored) < 0)
			continue;
		for (rest = text.data; (line = strsep(&rest, "\n"));)
			if (!strncmp(line, "default", 7) && strchr(" \t", line[7]) && line[7])
				snprintf(out, size, "%.*s",
					 (int)strcspn(line + 7 + strspn(line + 7, " \t"), " \t\r"),
					 line + 7 + strspn(line + 7, " \t"));
		if (*out)
			return;
	}
}

/**
 * struct hunt - for an entry
 * @name: or pattern, if @glob
 * @kind, @boot, @path: of the best so far; @best is its name
 * @seen: how many there are of whatever name, listed in @list
 */
struct hunt {
	const char *root, *name;
	bool glob;
	unsigned int kind, seen;
	char best[256], boot[256], path[4096], list[512];
};

static bool fits(const struct hunt *h, const char *file, const char *suffix)
{
	size_t n = strlen(file) - strlen(suffix);

	if (h->glob)
		return !*h->name || fnmatch(h->name, file, 0) == 0;
	return !strcmp(h->name, file) || (strlen(h->name) == n && !strncmp(h->name, file, n));
}

static void look_at(struct hunt *h, const char *boot, unsigned int kind, const char *dir,
		    const char *file)
{
	const char *suffix = kinds[kind].suffix;
	struct err ignored = { 0 };
	size_t n = strlen(file), s = strlen(suffix), at = strlen(h->list);
	char path[4096];

	if (n <= s || n >= sizeof(h->best) || strcmp(file + n - s, suffix) ||
	    io_path(path, sizeof(path), &ignored, "%s/%s", dir, file) < 0)
		return;
	h->seen++;
	snprintf(h->list + at, sizeof(h->list) - at, "%s%s", at ? ", " : "", file);
	if (!fits(h, file, suffix) || (*h->best && strverscmp(file, h->best) <= 0))
		return;
	snprintf(h->best, sizeof(h->best), "%s", file);
	snprintf(h->boot, sizeof(h->boot), "%s", boot);
	snprintf(h->path, sizeof(h->path), "%s", path);
	h->kind = kind;
}

static void look_below(struct hunt *h, const char *boot)
{
	struct err ignored = { 0 };
	char base[256], dir[512];

	if (io_path(base, sizeof(base), &ignored, "%s%s", h->root, boot) < 0)
		return;
	for (unsigned int kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		_cleanup_closedir_ DIR *d = NULL;
		struct dirent *de;

		if (io_path(dir, sizeof(dir), &ignored, "%s/%s", base, kinds[kind].dir) < 0)
			continue;
		d = opendir(dir);
		while (d && (de = readdir(d)))
			look_at(h, base, kind, dir, de->d_name);
	}
}

int entry_find(const char *root, const char *name, struct entry *out, struct err *e)
{
	struct hunt h = { .root = root, .name = name, .glob = !strcmp(name, "default") };
	char pattern[256] = "";

	if (h.glob) {
		read_default(root, pattern, sizeof(pattern));
		h.name = pattern;
	}
	for (size_t i = 0; i < ARRAY_LEN(boots); i++)
		look_below(&h, boots[i]);
	if (!h.seen)
		return err_set(e, ERR_ABSENT,
			       "there are no boot loader entries in /efi, /boot and /boot/efi; give "
			       "--kernel and --initrd");
	if (!*h.best)
		return err_set(e, ERR_ABSENT, "no boot loader entry is called '%.60s'; there are %s",
			       h.name, h.list);
	if (h.glob && !*pattern && h.seen > 1)
		return err_set(e, ERR_ABSENT,
			       "loader.conf names no default entry; give --entry one of %s", h.list);
	return load(h.boot, h.kind, h.path, out, e);
}
