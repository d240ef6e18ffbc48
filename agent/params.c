/* SPDX-License-Identifier: GPL-2.0-only */
#include "params.h"

#include <ctype.h>
#include <glob.h>
#include <string.h>

#include "io.h"

#define CMDLINE_MAX (64u << 10)

static void complain(char *complaint, size_t size, const char *word)
{
	size_t n = strlen(complaint);

	snprintf(complaint + n, size - n, "%s%.60s", n ? ", " : "", word);
}

static bool parse_bool(const char *v, bool *out)
{
	static const char *const no[] = { "0", "no", "off" };
	static const char *const yes[] = { "1", "yes", "on" };

	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		if (strcmp(v, no[i]) && strcmp(v, yes[i]))
			continue;
		*out = !strcmp(v, yes[i]);
		return true;
	}
	return false;
}

static bool parse_seconds(const char *v, long least, long most, int *ms)
{
	char *end;
	long n = strtol(v, &end, 10);

	if (end == v || *end || n < least || n > most)
		return false;
	*ms = (int)n * 1000;
	return true;
}

static bool parse_level(const char *v, enum log_level *out)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "err", LOG_LEVEL_ERR },
		{ "warning", LOG_LEVEL_WARNING },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(v, levels[i].name))
			continue;
		*out = levels[i].level;
		return true;
	}
	return false;
}

static const char *value_of(const char *word, const char *key)
{
	size_t n = strlen(key);

	return !strncmp(word, key, n) && word[n] == '=' ? word + n + 1 : NULL;
}

static bool parse_time(const char *word, struct params *p, bool *ok)
{
	const struct {
		const char *key;
		long least, most;
		int *ms;
	} times[] = {
		{ "rd.holdover.timeout", 1, PARAMS_TIMEOUT_MAX_S, &p->timeout_ms },
		{ "rd.holdover.timeout.initramfs", 1, PARAMS_TIMEOUT_MAX_S, &p->early_timeout_ms },
		{ "rd.holdover.timeout.sysroot", 1, PARAMS_TIMEOUT_MAX_S, &p->timeout_ms },
		{ "rd.holdover.timeout.late", 1, PARAMS_TIMEOUT_MAX_S, &p->late_timeout_ms },
		{ "rd.holdover.wait", 0, PARAMS_WAIT_MAX_S, &p->wait_ms },
	};

	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		const char *v = value_of(word, times[i].key);

		if (!v)
			continue;
		*ok = parse_seconds(v, times[i].least, times[i].most, times[i].ms);
		return true;
	}
	return false;
}

static void parse_word(const char *word, struct params *p, char *complaint, size_t size)
{
	const char *v;
	bool ok = true;

	if (!strcmp(word, "rd.holdover"))
		p->enabled = true;
	else if (!strcmp(word, "rd.holdover.remount-rw"))
		p->remount_rw = true;
	else if ((v = value_of(word, "rd.holdover")))
		ok = parse_bool(v, &p->enabled);
	else if ((v = value_of(word, "rd.holdover.remount-rw")))
		ok = parse_bool(v, &p->remount_rw);
	else if (parse_time(word, p, &ok))
		;
	else if ((v = value_of(word, "rd.holdover.log")))
		ok = parse_level(v, &p->log_level);
	else if (!strncmp(word, "rd.holdover.", 12))
		ok = false;
	if (!ok)
		complain(complaint, size, word);
}

static void parse_text(const char *text, struct params *out, char *complaint, size_t size)
{
	char word[256];

	while (*text) {
		size_t n = 0;
		bool quoted = false;

		while (isspace((unsigned char)*text))
			text++;
		for (; *text && (quoted || !isspace((unsigned char)*text)); text++) {
			quoted ^= *text == '"';
			if (*text != '"' && n < sizeof(word) - 1)
				word[n++] = *text;
		}
		word[n] = '\0';
		if (n)
			parse_word(word, out, complaint, size);
	}
}

static void params_default(struct params *out)
{
	*out = (struct params){
		.enabled = true,
		.timeout_ms = 120000,
		.early_timeout_ms = 20000,
		.late_timeout_ms = 600000,
		.wait_ms = 5000,
		.log_level = LOG_LEVEL_INFO,
	};
}

void params_parse(const char *cmdline, struct params *out, char *complaint, size_t size)
{
	complaint[0] = '\0';
	params_default(out);
	parse_text(cmdline, out, complaint, size);
}

static void load_one(const char *path, struct params *out, char *complaint, size_t size)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct err ignored = { 0 };

	if (io_read_file(path, CMDLINE_MAX, &text, &ignored) == 0)
		parse_text(text.data, out, complaint, size);
}

void params_load(struct params *out, char *complaint, size_t size)
{
	glob_t g;

	complaint[0] = '\0';
	params_default(out);
	if (glob("/etc/cmdline.d/*.conf", 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			load_one(g.gl_pathv[i], out, complaint, size);
		globfree(&g);
	}
	load_one("/etc/cmdline", out, complaint, size);
	load_one("/proc/cmdline", out, complaint, size);
}
