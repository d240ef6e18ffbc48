/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "adopt.h"
#include "host.h"
#include "runstate.h"

static int run(const struct app *app, int argc, char **argv)
{
	char names[VM_MAX][VM_NAME_MAX + 1];
	struct host h _cleanup_host_ = HOST_INIT;
	unsigned int adopted = 0, failed = 0;
	struct err e = { 0 };
	int n;

	(void)argv;
	if (argc != 1)
		return cmd_usage(&cmd_adopt, "it takes no arguments");
	if (host_open(&h, app, HOST_LOCK | HOST_WAIT, &e) < 0)
		return cmd_fail(&e);
	n = runstate_names(names, &e);
	if (n < 0)
		return cmd_fail(&e);
	for (int i = 0; i < n; i++) {
		struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;

		err_clear(&e);
		if (runstate_alive(names[i], &rs, &e) == 0)
			continue;
		if (e.kind == ERR_NONE && adopt_vm(names[i], rs.pid, &e) == 0) {
			adopted++;
			continue;
		}
		cmd_say("holdover: vm %s: %s", names[i], e.msg);
		failed++;
	}
	if (failed)
		return adopted ? EXIT_PARTIAL : EXIT_FAILED;
	return adopted ? EXIT_DONE : EXIT_NOTHING;
}

const struct cmd cmd_adopt = {
	.name = "adopt",
	.args = "",
	.summary = "make the running VMs known to machinectl and the journal",
	.help = "For holdover-guests.service: registers every running VM with systemd-machined, if that\n"
		"is there, and puts what its QEMU has printed since into the journal, under the\n"
		"identifier holdover-NAME. Safe to run at any time, and twice.\n",
	.run = run,
};
