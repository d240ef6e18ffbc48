/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel parameters that the agent listens to. */
#ifndef HOLDOVER_PARAMS_H
#define HOLDOVER_PARAMS_H

#include <stdbool.h>

#include "log.h"

/* holdover-agent.service ends the agent some time after this. */
#define PARAMS_TIMEOUT_MAX_S 600

/**
 * struct params - rd.holdover and friends
 * @enabled: rd.holdover=0 (or no, off) turns the agent off; default on
 * @timeout_ms: rd.holdover.timeout=SECONDS (1 to 600) bounds the whole run; default 120 s
 * @log_level: rd.holdover.log=err|warning|info|debug; default info
 */
struct params {
	bool enabled;
	int timeout_ms;
	enum log_level log_level;
};

/** params_parse() - read a command line; the last of repeated ones wins, as
 * the kernel has it. What cannot be understood keeps its default and is added
 * to @complaint (size bytes), since a typing error must not lose VMs. */
void params_parse(const char *cmdline, struct params *out, char *complaint, size_t size);

/** params_load() - parse /etc/cmdline.d/ *.conf and /proc/cmdline, in the order
 * in which dracut does. */
void params_load(struct params *out, char *complaint, size_t size);

#endif
