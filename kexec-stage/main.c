/* SPDX-License-Identifier: GPL-2.0-only */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "version.h"

static const struct cmd *const commands[] = {
	&cmd_init,     &cmd_run,	 &cmd_stop,  &cmd_status, &cmd_show,
	&cmd_check,    &cmd_kexec,	 &cmd_abort, &cmd_resume, &cmd_discard,
	&cmd_timeline, &cmd_image_files, &cmd_adopt, &cmd_attach, &cmd_detach,
};

static void usage(FILE *to)
{
	fputs("usage: holdover [--config DIR] [--json] VERB ...\n\n"
	      "Virtual machines that outlive their host's kernel.\n\n",
	      to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-11s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n'holdover VERB --help' tells more of each; see also holdover(8).\n", to);
}

static void verb_help(const struct cmd *cmd)
{
	printf("usage: holdover %s%s%s\n\n%s", cmd->name, *cmd->args ? " " : "", cmd->args,
	       cmd->help);
}

int cmd_fail(const struct err *e)
{
	fprintf(stderr, "holdover: %s\n", e->msg);
	return e->kind == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

int cmd_usage(const struct cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "holdover %s: ", cmd->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "; usage: holdover %s %s\n", cmd->name, cmd->args);
	return EXIT_USAGE;
}

void cmd_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static const struct cmd *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int run_verb(struct app *app, int argc, char **argv)
{
	const struct cmd *cmd = find(argv[0]);
	int kept = 1;

	if (!strcmp(argv[0], "help")) {
		cmd = argc > 1 ? find(argv[1]) : NULL;
		if (cmd)
			verb_help(cmd);
		else
			usage(stdout);
		return EXIT_DONE;
	}
	if (!cmd) {
		fprintf(stderr, "holdover: no verb '%.40s'; 'holdover help' lists them\n", argv[0]);
		return EXIT_USAGE;
	}
	/* --help and --json may stand anywhere. */
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			verb_help(cmd);
			return EXIT_DONE;
		}
		if (!strcmp(argv[i], "--json"))
			app->json = true;
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return cmd->run(app, kept, argv);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct app app = { .config_dir = "/etc/holdover" };
	int c;

	/* A pager that is closed must not end a program that has VMs paused. */
	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			app.config_dir = optarg;
			break;
		case 'j':
			app.json = true;
			break;
		case 'V':
			printf("holdover %s\n", holdover_version);
			return EXIT_DONE;
		case 'h':
			usage(stdout);
			return EXIT_DONE;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	argc -= optind;
	argv += optind;
	/* Verbs parse their own options from the start. */
	optind = 1;
	return run_verb(&app, argc, argv);
}
