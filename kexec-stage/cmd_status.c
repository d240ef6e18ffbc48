/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "out.h"
#include "overview.h"

static void print_way(const struct overview_vm *v)
{
	if (*v->moved_on)
		printf("  %s%s; %s\n", *v->resumed_at ? "resumed at " : "not resumed yet",
		       v->resumed_at, v->moved_on);
	if (v->expected && v->placement && strcmp(v->expected, v->placement))
		printf("  a jump would get it back at %s; %s\n", v->expected, v->expected_why);
	if (v->own_root)
		printf("  its root is a file system of its own: 'holdover attach %s IMAGE' gives it "
		       "disks of the host\n",
		       v->name);
	if (*v->attached)
		printf("  attached: %s; a jump waits for 'holdover detach %s ID'\n", v->attached,
		       v->name);
}

static void print_text(const struct overview *o, const char *only)
{
	printf("%-20s %-12s %8s  %-8s %-8s %s\n", "NAME", "STATE", "PID", "RAM", "RESUME", "LEDGER");
	for (unsigned int i = 0; i < o->n; i++) {
		const struct overview_vm *v = &o->vm[i];
		char size[32] = "-", pid[16] = "-";
		uint64_t memory = 0;

		if (only && strcmp(only, v->name))
			continue;
		for (unsigned int k = 0; k < v->parts; k++)
			memory += v->extent[k].size;
		if (v->index >= 0)
			io_format_size(memory, size, sizeof(size));
		if (v->pid)
			snprintf(pid, sizeof(pid), "%d", (int)v->pid);
		printf("%-20s %-12s %8s  %-8s %-8s %s\n", v->name, v->state, pid, size,
		       v->placement ? v->placement : "-",
		       v->record_bad ? "damaged" : vm_state_name(v->record.state));
		if (*v->detail)
			printf("  %s\n", v->detail);
		print_way(v);
	}
	if (!o->n)
		printf("(no VMs)\n");
}

static int print_json(const struct overview *o, const char *only)
{
	yyjson_mut_doc *d = out_begin();
	yyjson_mut_val *vms = yyjson_mut_obj_add_arr(d, yyjson_mut_doc_get_root(d), "vms");

	for (unsigned int i = 0; i < o->n; i++) {
		const struct overview_vm *v = &o->vm[i];
		yyjson_mut_val *vm;

		if (only && strcmp(only, v->name))
			continue;
		vm = yyjson_mut_arr_add_obj(d, vms);
		out_str(d, vm, "name", v->name);
		out_str(d, vm, "state", v->state);
		out_str(d, vm, "detail", v->detail);
		out_u64(d, vm, "pid", (uint64_t)v->pid);
		out_str(d, vm, "record", v->record_bad ? "damaged" : vm_state_name(v->record.state));
		out_u64(d, vm, "generation", v->record.generation);
		out_str(d, vm, "reason", err_kind_name(v->record.reason));
		if (v->placement)
			out_str(d, vm, "placement", v->placement);
		out_str(d, vm, "resumed_at", v->resumed_at);
		out_str(d, vm, "moved_on", v->moved_on);
		if (v->expected) {
			out_str(d, vm, "expected", v->expected);
			out_str(d, vm, "expected_why", v->expected_why);
		}
		yyjson_mut_obj_add_bool(d, vm, "own_root", v->own_root);
		out_str(d, vm, "attached", v->attached);
		if (v->have_lag) {
			out_u64(d, vm, "clock_lag_ms", v->lag.ms);
			yyjson_mut_obj_add_bool(d, vm, "clock_set", v->lag.set);
		}
		if (v->index >= 0)
			out_add_ram(d, vm, v->extent, v->parts, NULL);
	}
	return out_end(d);
}

static bool has(const struct overview *o, const char *name)
{
	for (unsigned int i = 0; i < o->n; i++)
		if (!strcmp(o->vm[i].name, name))
			return true;
	return false;
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	_cleanup_free_ struct overview *o = calloc(1, sizeof(*o));
	const char *only = argc > 1 ? argv[1] : NULL;
	struct err e = { 0 };
	bool ledger, idle;

	if (argc > 2)
		return cmd_usage(&cmd_status, "give at most one VM name");
	if (!o)
		return EXIT_FAILED;
	/* The lock is only tried: somebody who is at work uses the monitors. What
	 * is paused must be shown, whatever the configuration says. */
	idle = host_open(&h, app, HOST_LOCK | HOST_TRY | HOST_ANYWAY, &e) == 0;
	if (!idle && (e.kind != ERR_REFUSED || geteuid() != 0))
		return cmd_fail(&e);
	err_clear(&e);
	ledger = host_open_ledger(&h, &e) == 0;
	if (!ledger && e.kind != ERR_ABSENT)
		cmd_say("holdover: ledger: %s", e.msg);
	err_clear(&e);
	/* A QEMU that hangs must not keep others from their work. */
	scope_close(&h.lock);
	h.lock = -1;
	if (overview_collect(&h, ledger, idle, o, &e) < 0)
		return cmd_fail(&e);
	if (only && !has(o, only)) {
		err_set(&e, ERR_ABSENT, "no VM %s is known on this host", only);
		return cmd_fail(&e);
	}
	if (app->json)
		return print_json(o, only);
	print_text(o, only);
	return EXIT_DONE;
}

const struct cmd cmd_status = {
	.name = "status",
	.args = "[NAME]",
	.summary = "what runs, what waits, and what to do about it",
	.help = "One line a VM: its state, QEMU's pid, its RAM, where in the boot it is resumed, and\n"
		"what the ledger's record says; below it, when something is to be done, what.\n",
	.run = run,
};
