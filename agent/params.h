/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel parameters that the agent listens to. */
#ifndef HOLDOVER_PARAMS_H
#define HOLDOVER_PARAMS_H

#include <stdbool.h>

#include "log.h"

/* What holds for the agent's passes; `holdover resume --boot`, the last of
 * them, is bounded by holdover-resume.service too. */
#define PARAMS_TIMEOUT_MAX_S 600
#define PARAMS_WAIT_MAX_S 600

/**
 * struct params - rd.holdover and friends
 * @enabled: rd.holdover=0 (or no, off) turns the agent off; default on
 * @timeout_ms: rd.holdover.timeout=SECONDS (1 to 600) bounds what is done at
 *	the sysroot placement; default 120 s
 * @early_timeout_ms: rd.holdover.timeout.initramfs=, that of the placement
 *	initramfs, the wait for disks included; default 20 s
 * @late_timeout_ms: rd.holdover.timeout.late=; default 600 s
 * @wait_ms: rd.holdover.wait=SECONDS (0 to 600): how long the boot is held up
 *	for VMs that are under way; default 5 s
 * @remount_rw: rd.holdover.remount-rw: make a read-only root writable, so that
 *	VMs with disks on it are not left to the late placement; default off
 * @log_level: rd.holdover.log=err|warning|info|debug; default info
 */
struct params {
	bool enabled;
	int timeout_ms;
	int early_timeout_ms;
	int late_timeout_ms;
	int wait_ms;
	bool remount_rw;
	enum log_level log_level;
};

/** params_parse() - read a command line; the last of repeated ones wins, as
 * the kernel has it. What cannot be understood keeps its default and is added
 * to @complaint (size bytes), since a typing error must not lose VMs. */
void params_parse(const char *cmdline, struct params *out, char *complaint, size_t size);

/** params_load() - parse /etc/cmdline.d/ *.conf, /etc/cmdline and /proc/cmdline, in
 * the order in which dracut does. */
void params_load(struct params *out, char *complaint, size_t size);

#endif
