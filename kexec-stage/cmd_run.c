/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "adopt.h"
#include "out.h"
#include "qemu.h"
#include "start.h"

/**
 * struct found - where the RAM of a VM is
 * @extent, @ram: of each of @parts
 * @size, @huge: bytes of all, and of these what can be mapped as huge pages
 */
struct found {
	unsigned int parts;
	struct extent extent[VM_PARTS_MAX];
	struct ram ram[VM_PARTS_MAX];
	uint64_t size, huge;
};

static int find(struct host *h, const struct manifest_vm *mv, struct found *f, struct err *e)
{
	*f = (struct found){ .parts = vm_parts(&mv->vm) };
	for (unsigned int i = 0; i < f->parts; i++) {
		const struct store *store;
		uint64_t huge;

		f->extent[i] = *manifest_extent(mv, i);
		if (host_ram(h, &f->extent[i], &f->ram[i], e) < 0 ||
		    host_store(h, f->extent[i].region, &store, NULL, e) < 0 ||
		    store_huge(store, &f->ram[i], &huge, e) < 0)
			return -1;
		f->size += f->ram[i].size;
		f->huge += huge;
	}
	return 0;
}

static void print_text(const struct runstate *rs, const struct found *f)
{
	const struct manifest_vm *mv = &rs->m.vms[0];

	printf("%s: running, pid %d, RAM", mv->vm.name, (int)rs->pid);
	for (unsigned int i = 0; i < f->parts; i++) {
		char size[32], offset[32];

		io_format_size(f->extent[i].size, size, sizeof(size));
		io_format_size(f->extent[i].offset, offset, sizeof(offset));
		printf("%s %s at %s+%s", i ? " and" : "", size, f->ram[i].path, offset);
	}
	printf(", %s, QMP " HOLDOVER_RUN_DIR "/%s/qmp.sock\n", mv->vm.machine, mv->vm.name);
}

static int print(const struct app *app, struct host *h, const struct runstate *rs)
{
	const struct manifest_vm *mv = &rs->m.vms[0];
	struct err e = { 0 };
	yyjson_mut_doc *d;
	yyjson_mut_val *o;
	struct found f;

	if (find(h, mv, &f, &e) < 0)
		return cmd_fail(&e);
	if (f.huge < f.size)
		cmd_say("  note: %llu of the %llu bytes of RAM lie so that they cannot be mapped as "
			"huge pages; the file system is nearly full or was made without alignment",
			(unsigned long long)(f.size - f.huge), (unsigned long long)f.size);
	if (!app->json) {
		print_text(rs, &f);
		return EXIT_DONE;
	}
	d = out_begin();
	o = yyjson_mut_doc_get_root(d);
	out_str(d, o, "name", mv->vm.name);
	out_u64(d, o, "pid", (uint64_t)rs->pid);
	out_str(d, o, "machine", mv->vm.machine);
	out_str(d, o, "scope", mv->scope);
	out_add_ram(d, o, f.extent, f.parts, f.ram);
	out_u64(d, o, "huge", f.huge);
	return out_end(d);
}

/* Not refused: it has worked, and the guest may be one that is trusted. */
static void warn_of_log(const struct vm *vm)
{
	const char *option = vm_talks_to_log(vm);

	if (option)
		cmd_say("  note: %s: what the guest says goes to " HOLDOVER_RUN_DIR
			"/%s/qemu.log, in the host's memory, and nothing bounds it; give it a "
			"-chardev of its own, such as a socket",
			option, vm->name);
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
	warn_of_log(&vm);
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
