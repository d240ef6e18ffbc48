/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * holdover-agent: run by the initramfs of the new kernel, before the root is
 * mounted and again after that. Whatever happens, each pass ends, with one marker
 * line on kmsg; that of the second is
 *
 *	holdover: DONE vms=3 running=2 failed=1 kept=0 ms=412
 *
 * The work is done by a process of its own (worker.c), which outlives switch-root:
 * the boot waits for it a moment, and not until a VM that hangs has had its time.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "io.h"
#include "ledger.h"
#include "log.h"
#include "pass.h"
#include "version.h"
#include "worker.h"

static const char usage[] =
	"usage: holdover-agent [--initramfs | --sysroot DIR] [--foreground]\n"
	"\n"
	"Resumes the virtual machines that 'holdover kexec' sealed before the jump.\n"
	"Meant for an initramfs; in a running system use 'holdover resume'.\n"
	"\n"
	"  --initramfs    before the root is mounted: VMs with placement = initramfs\n"
	"  --sysroot DIR  where the host's root is mounted (default /sysroot)\n"
	"  --foreground   do not return before the work is done\n"
	"  --version      print the version\n"
	"  --help         this text\n";

/* What `holdover-agent` in a shell or in the unit sees as the outcome. */
static int run(struct pass *p, char *name, bool foreground)
{
	/* Nothing waits for the first pass: the boot goes on beside it. */
	int wait_ms = p->who == RESTORE_EARLY ? 0 : p->params->wait_ms;
	struct err e = { 0 };
	int status = 1, r;

	if (foreground)
		return pass_run(p);
	r = worker_run(pass_run, p, name, wait_ms, &status, &e);
	if (r < 0) {
		log_err("%s; what was sealed is kept, see 'holdover status'", e.msg);
		return 1;
	}
	if (r == 0 && wait_ms)
		log_notice("the boot goes on while VMs are being resumed (rd.holdover.wait)");
	return r ? status : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "initramfs", no_argument, NULL, 'i' },
		{ "sysroot", required_argument, NULL, 's' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct params params;
	struct pass pass = { .who = RESTORE_AGENT, .root = "/sysroot", .params = &params };
	char complaint[256];
	bool foreground = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			pass.who = RESTORE_EARLY;
			break;
		case 's':
			pass.root = optarg;
			break;
		case 'f':
			foreground = true;
			break;
		case 'V':
			printf("holdover-agent %s\n%s\n", holdover_version,
			       ledger_reads + strlen("@(#)"));
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	pass.started = io_now_ms();
	log_to_kmsg();
	params_load(&params, complaint, sizeof(complaint));
	log_set_level(params.log_level);
	/* Once is enough. */
	if (*complaint && pass.who == RESTORE_AGENT)
		log_warn("kernel parameters not understood: %s", complaint);
	if (params.enabled)
		return run(&pass, argv[0], foreground);
	if (pass.who == RESTORE_AGENT)
		log_always(LOG_LEVEL_INFO,
			   "DONE vms=0 running=0 failed=0 kept=0 ms=0 (rd.holdover=0)");
	return 0;
}
