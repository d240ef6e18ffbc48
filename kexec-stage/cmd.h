/* SPDX-License-Identifier: GPL-2.0-only */
/* The verbs of holdover: one cmd_VERB.c each over the table in main.c. */
#ifndef HOLDOVER_CMD_H
#define HOLDOVER_CMD_H

#include <stdbool.h>

#include "err.h"

/* Exit codes; 77 and the like are not used. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOTHING = 3, /* nothing staged, nothing to do */
	EXIT_PARTIAL = 4, /* some VMs */
};

/**
 * struct app - what every verb is given
 * @config_dir: holds holdover.conf and vms.d/, default /etc/holdover
 * @json: print JSON instead of text
 */
struct app {
	const char *config_dir;
	bool json;
};

/**
 * struct cmd - one verb
 * @name: as typed
 * @args: synopsis after the name
 * @summary: one line for `holdover help`
 * @help: what `holdover VERB --help` prints below the synopsis
 * @run: argc/argv begin with the verb; returns an exit code
 */
struct cmd {
	const char *name;
	const char *args;
	const char *summary;
	const char *help;
	int (*run)(const struct app *app, int argc, char **argv);
};

extern const struct cmd cmd_init, cmd_run, cmd_stop, cmd_status, cmd_show, cmd_check, cmd_kexec,
	cmd_abort, cmd_resume, cmd_discard, cmd_timeline, cmd_image_files, cmd_adopt, cmd_attach,
	cmd_detach;

/** cmd_fail() - report @e on stderr; returns the exit code for its kind. */
int cmd_fail(const struct err *e);

/** cmd_usage() - "holdover VERB: ..." on stderr; returns EXIT_USAGE. */
int cmd_usage(const struct cmd *cmd, const char *fmt, ...) _printf_(2, 3);

/** cmd_say() - a line of progress on stderr. */
void cmd_say(const char *fmt, ...) _printf_(1, 2);

#endif
