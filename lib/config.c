/* SPDX-License-Identifier: GPL-2.0-only */
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

#include "io.h"

#define KEYS_MAX 128

/* State of one file: inih cannot tell a repeated key from a continuation
 * line, so the keys seen are remembered here. */
struct ini_run {
	int (*set)(void *ctx, const char *section, const char *key, const char *value, bool more,
		   struct err *e);
	void *ctx;
	const char *path;
	struct err *e;
	bool failed;
	char *seen[KEYS_MAX];
	unsigned int nseen;
};

/* 1 if the key came before, 0 if it is new, -1 if there are too many. */
static int remember_key(struct ini_run *run, const char *section, const char *key)
{
	char full[256];

	snprintf(full, sizeof(full), "%s\n%s", section, key);
	for (unsigned int i = 0; i < run->nseen; i++)
		if (!strcmp(run->seen[i], full))
			return 1;
	if (run->nseen == KEYS_MAX)
		return -1;
	run->seen[run->nseen] = strdup(full);
	if (!run->seen[run->nseen])
		return -1;
	run->nseen++;
	return 0;
}

static int on_value(void *user, const char *section, const char *name, const char *value, int lineno)
{
	struct ini_run *run = user;
	int more = remember_key(run, section, name);

	if (more < 0)
		err_set(run->e, ERR_USAGE, "more than %d keys", KEYS_MAX);
	else if (run->set(run->ctx, section, name, value, more, run->e) == 0)
		return 1;
	if (run->e->kind == ERR_FORMAT)
		run->e->kind = ERR_USAGE;
	err_wrap(run->e, "%s:%d", run->path, lineno);
	run->failed = true;
	return 0;
}

int config_ini(const char *path,
	       int (*set)(void *ctx, const char *section, const char *key, const char *value,
			  bool more, struct err *e),
	       void *ctx, struct err *e)
{
	struct ini_run run = { .set = set, .ctx = ctx, .path = path, .e = e };
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	int r, errnum;

	if (!f && errno == ENOENT)
		return err_set(e, ERR_ABSENT, "%s does not exist", path);
	if (!f) {
		err_sys(e, errno, "opening %s", path);
		e->kind = ERR_USAGE;
		return -1;
	}
	r = ini_parse_file(f, on_value, &run);
	errnum = errno;
	for (unsigned int i = 0; i < run.nseen; i++)
		free(run.seen[i]);
	if (run.failed)
		return -1;
	/* inih takes a read error for the end of the file. */
	if (ferror(f)) {
		err_sys(e, errnum, "reading %s", path);
		e->kind = ERR_USAGE;
		return -1;
	}
	if (r != 0)
		return err_set(e, ERR_USAGE,
			       "%s:%d: not 'key = value', '[section]' or a "
			       "comment",
			       path, r < 0 ? 0 : r);
	return 0;
}

int config_unknown(const char *section, const char *key, struct err *e)
{
	return err_set(e, ERR_USAGE, "unknown key '%.60s' in section [%.60s]", key, section);
}

int config_set_string(char **dst, const char *value, struct err *e)
{
	char *copy = strdup(value);

	if (!copy)
		return err_sys(e, ENOMEM, "out of memory");
	free(*dst);
	*dst = copy;
	return 0;
}

int config_parse_seconds(const char *value, int *ms, struct err *e)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno || end == value || *end || n < 1 || n > 86400)
		return err_set(e, ERR_USAGE,
			       "'%.40s' is not a number of seconds from 1 to "
			       "86400",
			       value);
	*ms = (int)n * 1000;
	return 0;
}

int config_parse_memmap(const char *value, uint64_t *size, uint64_t *start, struct err *e)
{
	char text[64];
	char *mark;

	snprintf(text, sizeof(text), "%s", value);
	mark = strchr(text, '!');
	if (strlen(value) < sizeof(text) && mark) {
		*mark = '\0';
		if (io_parse_size(text, size, e) == 0 && io_parse_size(mark + 1, start, e) == 0 &&
		    *size)
			return 0;
	}
	return err_set(e, ERR_USAGE,
		       "'%.60s' is not a region; write it as in the kernel "
		       "parameter memmap=, e.g. 16G!4G",
		       value);
}

static const char *const canary_modes[CANARY_MODES] = {
	[CANARY_NONE] = "none",
	[CANARY_SAMPLE] = "sample",
	[CANARY_FULL] = "full",
};

const char *canary_mode_name(enum canary_mode m)
{
	return (unsigned int)m < CANARY_MODES ? canary_modes[m] : "?";
}

int canary_mode_parse(const char *text, enum canary_mode *out, struct err *e)
{
	for (unsigned int i = 0; i < CANARY_MODES; i++) {
		if (strcmp(text, canary_modes[i]))
			continue;
		*out = (enum canary_mode)i;
		return 0;
	}
	return err_set(e, ERR_USAGE, "'%.40s' is not one of none, sample and full", text);
}

static int set_region(struct config *c, const char *key, const char *value, struct err *e)
{
	if (!strcmp(key, "memmap")) {
		c->have_region = true;
		return config_parse_memmap(value, &c->region_size, &c->region_start, e);
	}
	if (!strcmp(key, "ledger-size")) {
		if (io_parse_size(value, &c->ledger_size, e) < 0)
			return -1;
		if (c->ledger_size < (2 << 20) || c->ledger_size % (2 << 20) ||
		    c->ledger_size > (1ULL << 32))
			return err_set(e, ERR_USAGE,
				       "must be a multiple of 2M "
				       "from 2M to 4G");
		return 0;
	}
	return config_unknown("region", key, e);
}

static int set_label(struct config *c, const char *key, const char *value, struct err *e)
{
	struct config_region *r = &c->regions[c->nregions];

	if (c->nregions == CONFIG_REGIONS)
		return err_set(e, ERR_USAGE, "more than %d regions", CONFIG_REGIONS);
	if (strlen(key) > CONFIG_LABEL_MAX || strchr(key, '!'))
		return err_set(e, ERR_USAGE, "not a label of at most %d characters without '!'",
			       CONFIG_LABEL_MAX);
	if (config_parse_memmap(value, &r->size, &r->start, e) < 0)
		return -1;
	memcpy(r->label, key, strlen(key) + 1);
	c->nregions++;
	return 0;
}

int config_find_region(const struct config *c, const char *text, uint64_t *start, uint64_t *size,
		       struct err *e)
{
	if (strchr(text, '!'))
		return config_parse_memmap(text, size, start, e);
	for (unsigned int i = 0; i < c->nregions; i++) {
		if (strcmp(c->regions[i].label, text))
			continue;
		*start = c->regions[i].start;
		*size = c->regions[i].size;
		return 0;
	}
	return err_set(e, ERR_USAGE,
		       "region '%.40s' is neither SIZE!START nor a label in [regions] of holdover.conf",
		       text);
}

static int set_kexec(struct config *c, const char *key, const char *value, struct err *e)
{
	if (!strcmp(key, "entry"))
		return config_set_string(&c->entry, value, e);
	if (!strcmp(key, "kernel"))
		return config_set_string(&c->kernel, value, e);
	if (!strcmp(key, "initrd"))
		return config_set_string(&c->initrd, value, e);
	if (!strcmp(key, "append"))
		return config_set_string(&c->append, value, e);
	if (!strcmp(key, "flush-timeout"))
		return config_parse_seconds(value, &c->flush_timeout_ms, e);
	if (!strcmp(key, "save-timeout"))
		return config_parse_seconds(value, &c->save_timeout_ms, e);
	if (!strcmp(key, "canaries"))
		return canary_mode_parse(value, &c->canaries, e);
	if (!strcmp(key, "host-clock")) {
		c->clock_by_tsc = !strcmp(value, "tsc");
		if (c->clock_by_tsc || !strcmp(value, "rtc"))
			return 0;
		return err_set(e, ERR_USAGE, "host-clock: '%.40s' is not one of rtc and tsc", value);
	}
	return config_unknown("kexec", key, e);
}

static int set_key(void *ctx, const char *section, const char *key, const char *value, bool more,
		   struct err *e)
{
	int r;

	if (more)
		return err_set(e, ERR_USAGE,
			       "'%.60s' is given twice, or continued by an "
			       "indented line",
			       key);
	if (!strcmp(section, "region"))
		r = set_region(ctx, key, value, e);
	else if (!strcmp(section, "regions"))
		r = set_label(ctx, key, value, e);
	else if (!strcmp(section, "kexec"))
		r = set_kexec(ctx, key, value, e);
	else
		return err_set(e, ERR_USAGE,
			       "unknown section [%.60s]; there are [region], "
			       "[regions] and [kexec]",
			       section);
	if (r < 0)
		return err_wrap(e, "%s", key);
	return 0;
}

void config_free(struct config *c)
{
	free(c->kernel);
	free(c->entry);
	free(c->initrd);
	free(c->append);
	memset(c, 0, sizeof(*c));
}

int config_load(const char *path, struct config *out, struct err *e)
{
	_cleanup_config_ struct config c = {
		.ledger_size = CONFIG_LEDGER_SIZE,
		.flush_timeout_ms = 30000,
		.save_timeout_ms = 30000,
		.canaries = CANARY_SAMPLE,
	};

	if (config_ini(path, set_key, &c, e) < 0) {
		if (e->kind != ERR_ABSENT)
			return -1;
		err_clear(e);
	}
	*out = c;
	memset(&c, 0, sizeof(c));
	return 0;
}
