/* SPDX-License-Identifier: GPL-2.0-only */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "shutdown.h"
#include "stop.h"

#define STOP_TIMEOUT_MS 60000

struct opts {
	const char *name;
	int timeout_ms;
	enum stop_how how;
	bool all;
	bool shutdown;
};

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ "force", no_argument, NULL, 'f' },
		{ "all", no_argument, NULL, 'a' },
		{ "shutdown", no_argument, NULL, 's' },
		{ 0 },
	};
	int c;

	o->timeout_ms = STOP_TIMEOUT_MS;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			if (config_parse_seconds(optarg, &o->timeout_ms, e) < 0)
				return -1;
			break;
		case 'f':
			o->how = STOP_END;
			break;
		case 'a':
			o->all = true;
			break;
		case 's':
			o->all = o->shutdown = true;
			break;
		default:
			return err_set(e, ERR_USAGE, "unknown option, or its value is missing: %s",
				       argv[optind - 1]);
		}
	}
	if (optind + !o->all != argc)
		return err_set(e, ERR_USAGE, "give one VM name, or --all");
	o->name = argv[optind];
	return o->all ? 0 : vm_name_check(o->name, e);
}

static int stop_all(const struct opts *o)
{
	char names[VM_MAX][VM_NAME_MAX + 1];
	struct err e = { 0 };
	int n = runstate_names(names, &e), running = 0;
	unsigned int failed;

	if (n < 0)
		return cmd_fail(&e);
	for (int i = 0; i < n; i++)
		/* One of which nobody can tell fails by itself. */
		if (runstate_alive(names[i], NULL, &e) != 0)
			memmove(names[running++], names[i], sizeof(names[i]));
	if (!running) {
		cmd_say("holdover: no VM runs on this host");
		return EXIT_NOTHING;
	}
	failed = stop_vms(names, (unsigned int)running, o->how, o->timeout_ms);
	if (!failed)
		return EXIT_DONE;
	return failed == (unsigned int)running ? EXIT_FAILED : EXIT_PARTIAL;
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct opts o = { .how = STOP_ASK };
	struct err e = { 0 };

	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_stop, "%s", e.msg);
	if (o.shutdown)
		return shutdown_vms(app, o.timeout_ms);
	if (host_open(&h, app, HOST_LOCK, &e) < 0)
		return cmd_fail(&e);
	if (o.all)
		return stop_all(&o);
	if (stop_vm(&h, o.name, o.how, o.timeout_ms, &e) < 0) {
		err_wrap(&e, "vm %s", o.name);
		return cmd_fail(&e);
	}
	printf("%s: stopped\n", o.name);
	return EXIT_DONE;
}

const struct cmd cmd_stop = {
	.name = "stop",
	.args = "[--timeout SECONDS] [--force] NAME | --all",
	.summary = "shut a VM down, or all of them",
	.help = "Asks the guest to power down and waits for QEMU to end.\n\n"
		"  --timeout SECONDS  how long (default 60)\n"
		"  --force            end QEMU without asking the guest\n"
		"  --all              every VM of this host, all at once\n"
		"  --shutdown         for holdover-guests.service, when the host goes down: as --all,\n"
		"                     but a guest that does not obey is ended, a jump that was under\n"
		"                     way is called off, and on the way to kexec.target the VMs that\n"
		"                     jump are left alone\n",
	.run = run,
};
