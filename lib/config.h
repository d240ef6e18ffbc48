/* SPDX-License-Identifier: GPL-2.0-only */
/* /etc/holdover/holdover.conf, and the INI reader that vm_load() shares. */
#ifndef HOLDOVER_CONFIG_H
#define HOLDOVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define CONFIG_LEDGER_SIZE (32ULL << 20)

/** enum canary_mode - how much of the guests' RAM is compared after the jump */
enum canary_mode {
	CANARY_NONE,
	CANARY_SAMPLE,
	CANARY_FULL,
	CANARY_MODES,
};

/** canary_mode_name() - "none", "sample", "full"; "?" when out of range. */
const char *canary_mode_name(enum canary_mode m);
/** canary_mode_parse() - USAGE listing what there is. */
_must_check_ int canary_mode_parse(const char *text, enum canary_mode *out, struct err *e);

#define CONFIG_LABEL_MAX 31
#define CONFIG_REGIONS 16

/** struct config_region - a name for a region */
struct config_region {
	char label[CONFIG_LABEL_MAX + 1];
	uint64_t start;
	uint64_t size;
};

/**
 * struct config - what holdover.conf says; the defaults need no file at all
 * @have_region: [region] memmap is set; otherwise the only legacy-pmem region
 *	of the host is used
 * @region_start: physical address
 * @region_size: bytes
 * @ledger_size: [region] ledger-size, bytes, default 32M
 * @regions: [regions] LABEL = SIZE!START, @nregions of them
 * @kernel: [kexec] kernel, default: the running kernel's image in /boot
 * @initrd: [kexec] initrd, default: the running kernel's initrd in /boot
 * @entry: [kexec] entry, a boot loader entry in place of the two
 * @append: [kexec] append, added to the next command line
 * @flush_timeout_ms: [kexec] flush-timeout (seconds), default 30
 * @save_timeout_ms: [kexec] save-timeout (seconds), default 30
 * @canaries: [kexec] canaries, default sample
 * @clock_by_tsc: [kexec] host-clock = tsc, default rtc
 */
struct config {
	bool have_region;
	uint64_t region_start;
	uint64_t region_size;
	uint64_t ledger_size;
	struct config_region regions[CONFIG_REGIONS];
	unsigned int nregions;
	char *kernel;
	char *initrd;
	char *entry;
	char *append;
	int flush_timeout_ms;
	int save_timeout_ms;
	enum canary_mode canaries;
	bool clock_by_tsc;
};

void config_free(struct config *c);
#define _cleanup_config_ _cleanup_(config_free)

/** config_load() - read @path; a file that does not exist gives the defaults.
 * USAGE naming file, line and key for anything unknown or malformed. */
_must_check_ int config_load(const char *path, struct config *out, struct err *e);

/**
 * config_ini() - read one INI file
 * @set: called for each "key = value", also for continuation lines (with
 *	@more true); returns -1 with an error, to which file and line are added
 *
 * ABSENT if there is no file; USAGE otherwise, naming file and line.
 */
_must_check_ int config_ini(const char *path,
			    int (*set)(void *ctx, const char *section, const char *key,
				       const char *value, bool more, struct err *e),
			    void *ctx, struct err *e);

/** config_unknown() - the USAGE error for a section or key nobody knows. */
int config_unknown(const char *section, const char *key, struct err *e);

/** config_set_string() - replace *@dst by a copy of @value. */
_must_check_ int config_set_string(char **dst, const char *value, struct err *e);

/** config_parse_seconds() - 1 to 86400, into milliseconds. */
_must_check_ int config_parse_seconds(const char *value, int *ms, struct err *e);

/** config_parse_memmap() - "SIZE!START", as the kernel parameter has it. */
_must_check_ int config_parse_memmap(const char *value, uint64_t *size, uint64_t *start,
				     struct err *e);

/** config_find_region() - "SIZE!START", or a label of [regions]. */
_must_check_ int config_find_region(const struct config *c, const char *text, uint64_t *start,
				    uint64_t *size, struct err *e);

#endif
