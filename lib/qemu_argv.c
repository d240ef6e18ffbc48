/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "io.h"
#include "qemu.h"

#define PLUMBING_MAX (32 + 2 * VM_PARTS_MAX)

struct argv {
	char **v;
	size_t n, cap;
	bool failed;
};

static void add(struct argv *a, const char *fmt, ...) _printf_(2, 3);

static void add(struct argv *a, const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	if (a->failed || a->n + 1 >= a->cap) {
		a->failed = true;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		a->failed = true;
	else
		a->v[a->n++] = s;
	va_end(ap);
}

/* The seed wires its backend through -numa; QEMU refuses -machine
 * memory-backend= beside that. */
bool qemu_backend_in_numa(const struct vm *vm)
{
	return vm_numa_users(vm, vm->memdev) > 0;
}

static void add_backend(struct argv *a, const struct vm_part *p, const struct ram *ram)
{
	uint64_t granule = ram->align ? ram->align : 2 << 20;
	char size[32], align[32], offset[64] = "";

	io_format_size(p->size, size, sizeof(size));
	io_format_size(p->align > granule ? p->align : granule, align, sizeof(align));
	if (ram->offset)
		snprintf(offset, sizeof(offset), ",offset=%" PRIu64, ram->offset);
	add(a, "-object");
	add(a,
	    "memory-backend-file,id=%s,size=%s,mem-path=%s,share=on,pmem=%s,"
	    "align=%s%s",
	    p->memdev, size, ram->path, p->no_pmem ? "off" : "on", align, offset);
}

static void add_memory(struct argv *a, const struct qemu_launch *launch)
{
	const struct vm *vm = launch->vm;
	char size[32];

	io_format_size(vm->memory, size, sizeof(size));
	add(a, "-m");
	add(a, "%s", size);
	for (unsigned int i = 0; i < vm_parts(vm); i++) {
		struct vm_part p = vm_part(vm, i);

		add_backend(a, &p, &launch->ram[i]);
	}
	add(a, "-machine");
	if (qemu_backend_in_numa(vm))
		add(a, "%s", vm->machine);
	else
		add(a, "%s,memory-backend=%s", vm->machine, vm->memdev);
}

static void add_monitor(struct argv *a, const char *id, int fd)
{
	add(a, "-chardev");
	add(a, "socket,id=%s,fd=%d,server=on,wait=off", id, fd);
	add(a, "-mon");
	add(a, "chardev=%s,mode=control", id);
}

char **qemu_argv(const struct qemu_launch *launch, int ctl_fd, int qmp_fd, struct err *e)
{
	const struct vm *vm = launch->vm;
	struct argv a = { .cap = vm->nargs + PLUMBING_MAX };

	a.v = calloc(a.cap, sizeof(char *));
	if (!a.v) {
		err_sys(e, ENOMEM, "command line of QEMU");
		return NULL;
	}
	add(&a, "%s%s", launch->survive ? "@" : "", vm->qemu);
	add(&a, "-name");
	add(&a, "%s", vm->name);
	add_memory(&a, launch);
	add_monitor(&a, "holdover.ctl", ctl_fd);
	add_monitor(&a, "holdover.qmp", qmp_fd);
	for (unsigned int i = 0; i < vm->nargs; i++)
		add(&a, "%s", vm->args[i]);
	add(&a, "-S");
	if (launch->incoming) {
		add(&a, "-incoming");
		add(&a, "defer");
	}
	if (a.failed) {
		qemu_argv_free(a.v);
		err_sys(e, ENOMEM, "command line of QEMU");
		return NULL;
	}
	return a.v;
}

void qemu_argv_free(char **argv)
{
	for (char **p = argv; p && *p; p++)
		free(*p);
	free(argv);
}
