/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "adopt.h"
#include "out.h"
#include "qemu.h"
#include "start.h"

static int print(const struct app *app, struct host *h, const struct runstate *rs)
{
	const struct manifest_vm *mv = &rs->m.vms[0];
	yyjson_mut_doc *d;
	yyjson_mut_val *o;
	char size[32], offset[32];
	const struct store *store;
	struct err e = { 0 };
	struct ram ram;
	uint64_t huge;

	if (host_ram(h, &mv->extent, &ram, &e) < 0 ||
	    host_store(h, mv->extent.region, &store, NULL, &e) < 0 ||
	    store_huge(store, &ram, &huge, &e) < 0)
		return cmd_fail(&e);
	if (huge < ram.size)
		cmd_say("  note: %llu of the %llu bytes of RAM lie so that they cannot be mapped as "
			"huge pages; the file system is nearly full or was made without alignment",
			(unsigned long long)(ram.size - huge), (unsigned long long)ram.size);
	if (!app->json) {
		io_format_size(mv->extent.size, size, sizeof(size));
		io_format_size(mv->extent.offset, offset, sizeof(offset));
		printf("%s: running, pid %d, RAM %s at %s+%s, %s, QMP " HOLDOVER_RUN_DIR
		       "/%s/qmp.sock\n",
		       mv->vm.name, (int)rs->pid, size, ram.path, offset, mv->vm.machine,
		       mv->vm.name);
		return EXIT_DONE;
	}
	d = out_begin();
	o = yyjson_mut_doc_get_root(d);
	out_str(d, o, "name", mv->vm.name);
	out_u64(d, o, "pid", (uint64_t)rs->pid);
	out_str(d, o, "machine", mv->vm.machine);
	out_str(d, o, "scope", mv->scope);
	out_str(d, o, "path", ram.path);
	out_u64(d, o, "region", mv->extent.region);
	out_u64(d, o, "offset", mv->extent.offset);
	out_u64(d, o, "memory", mv->extent.size);
	out_u64(d, o, "huge", huge);
	return out_end(d);
}

static int run(const struct app *app, int argc, char **argv)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct host h _cleanup_host_ = HOST_INIT;
	struct vm vm _cleanup_vm_ = { 0 };
	struct err e = { 0 };
	char dir[4096];

	if (argc != 2)
		return cmd_usage(&cmd_run, "give one VM name");
	if (host_vms_dir(app, dir, sizeof(dir), &e) < 0 || vm_load(dir, argv[1], &vm, &e) < 0 ||
	    host_open(&h, app, HOST_LOCK | HOST_LEDGER, &e) < 0 || start_vm(&h, &vm, &rs, &e) < 0)
		return cmd_fail(&e);
	if (adopt_vm(vm.name, rs.pid, &e) < 0)
		cmd_say("holdover: vm %s: %s", vm.name, e.msg);
	return print(app, &h, &rs);
}

const struct cmd cmd_run = {
	.name = "run",
	.args = "NAME",
	.summary = "start a VM from vms.d/NAME.conf with its RAM on pmem",
	.help = "Starts QEMU in a scope of its own, with an extent of the DAX device, zeroed, as RAM.\n"
		"Its monitors are /run/holdover/NAME/qmp.sock (yours) and ctl.sock (Holdover's).\n"
		"Refused while state of the VM waits in the ledger.\n",
	.run = run,
};
