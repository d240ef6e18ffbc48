/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking over a command line that brings the guest's RAM itself, as people
 * write who have kept it in pmem by hand:
 *
 *	-object memory-backend-file,id=dimm0,size=4g,mem-path=/dev/dax0.0,share=on,
 *		pmem=on,align=2M -numa node,memdev=dimm0,cpus=0 -m 4G -M q35
 *	-m 4G -enable-dax -mem-path /dax
 *
 * The second was never part of upstream's QEMU; what it stands for, a named and
 * shared backend in a file of DIR's file system, is what Holdover makes anyway.
 */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "io.h"
#include "vm_load.h"

/* One "key=value" of a QEMU option: a comma in a value is doubled. NULL at the
 * end. @value is NULL for a lone word. */
static char *next_item(char **rest, char **value)
{
	char *item = *rest, *r = item, *w = item;

	if (!item || !*item)
		return NULL;
	while (*r && (*r != ',' || r[1] == ',')) {
		r += *r == ',';
		*w++ = *r++;
	}
	*rest = *r ? r + 1 : r;
	*w = '\0';
	*value = strchr(item, '=');
	if (*value)
		*(*value)++ = '\0';
	return item;
}

static int set_size(uint64_t *out, const char *what, const char *value, struct err *e)
{
	if (io_parse_size(value, out, e) == 0)
		return 0;
	e->kind = ERR_USAGE;
	return err_wrap(e, "args: %s", what);
}

/**
 * struct object - one -object for RAM
 * @size: 0: not given
 */
struct object {
	char *id, *path;
	uint64_t size, align;
	bool shared, no_pmem;
};

/**
 * struct backend - what is taken from the command line
 * @object: @n for the RAM
 * @dax: -enable-dax
 * @path: of -mem-path
 * @m: by -m, 0: not given
 * @machine: -M and -machine without memory-backend=, owned
 */
struct backend {
	struct object object[VM_PARTS_MAX];
	unsigned int n;
	bool dax;
	uint64_t m;
	char *path, *machine, *machine_backend;
};

static void backend_free(struct backend *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		free(b->object[i].id);
		free(b->object[i].path);
	}
	free(b->path);
	free(b->machine);
	free(b->machine_backend);
}

static int take_key(struct object *o, const char *key, const char *value, struct err *e)
{
	uint64_t offset;

	if (!strcmp(key, "id"))
		return config_set_string(&o->id, value, e);
	if (!strcmp(key, "mem-path"))
		return config_set_string(&o->path, value, e);
	if (!strcmp(key, "size"))
		return set_size(&o->size, "size of the memory backend", value, e);
	if (!strcmp(key, "align"))
		return set_size(&o->align, "align of the memory backend", value, e);
	if (!strcmp(key, "share")) {
		o->shared = !strcmp(value, "on");
		return 0;
	}
	if (!strcmp(key, "pmem")) {
		o->no_pmem = strcmp(value, "on") != 0;
		return 0;
	}
	if (strcmp(key, "offset"))
		return err_set(e, ERR_USAGE,
			       "args: '%.40s' of the memory backend is not supported; leave it out",
			       key);
	if (set_size(&offset, "offset of the memory backend", value, e) < 0)
		return -1;
	return offset ? err_set(e, ERR_USAGE,
				"args: offset= of the memory backend is chosen by Holdover, so that "
				"no two VMs share RAM; leave it out") :
			0;
}

static int take_object(struct backend *b, const char *text, struct err *e)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *value, *key;
	struct object *o;

	if (!copy)
		return err_sys(e, ENOMEM, "args");
	if (b->n == VM_PARTS_MAX)
		return err_set(e, ERR_USAGE, "args: '%.80s' is one memory backend more than %d",
			       text, VM_PARTS_MAX);
	o = &b->object[b->n++];
	next_item(&rest, &value); /* memory-backend-file */
	while ((key = next_item(&rest, &value)))
		if (take_key(o, key, value ? value : "on", e) < 0)
			return -1;
	if (!o->id || !o->size || !o->path)
		return err_set(e, ERR_USAGE, "args: '%.80s' lacks id=, size= or mem-path=", text);
	return 0;
}

/* QEMU counts in MiB where no unit is given. */
static int take_m(struct backend *b, const char *text, struct err *e)
{
	const char *size = strncmp(text, "size=", 5) ? text : text + 5;

	if (strchr(size, ','))
		return err_set(e, ERR_USAGE,
			       "args: -m %.60s: memory that is plugged later (slots, maxmem) would not "
			       "lie in pmem; give the size alone",
			       text);
	if (set_size(&b->m, "-m", size, e) < 0)
		return -1;
	if (!size[strspn(size, "0123456789")])
		b->m = b->m > UINT64_MAX >> 20 ? UINT64_MAX : b->m << 20;
	return 0;
}

static int append_machine(struct backend *b, const char *key, const char *value, struct err *e)
{
	char *longer = NULL;

	if (asprintf(&longer, "%s%s%s%s%s", b->machine ? b->machine : "", b->machine ? "," : "",
		     key, value ? "=" : "", value ? value : "") < 0)
		return err_sys(e, ENOMEM, "args");
	free(b->machine);
	b->machine = longer;
	return 0;
}

static int take_machine(struct backend *b, const char *text, struct err *e)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *value, *key;

	if (!copy)
		return err_sys(e, ENOMEM, "args");
	while ((key = next_item(&rest, &value))) {
		if (!strcmp(key, "memory-backend") && value) {
			if (config_set_string(&b->machine_backend, value, e) < 0)
				return -1;
		} else if (!strcmp(key, "type") && value) {
			if (append_machine(b, value, NULL, e) < 0)
				return -1;
		} else if (append_machine(b, key, value, e) < 0) {
			return -1;
		}
	}
	return 0;
}

/* The name of an option, with one dash or two; NULL if it is none. */
static const char *option_name(const char *arg)
{
	return *arg != '-' ? NULL : arg + 1 + (arg[1] == '-');
}

static bool is_ram_object(const char *option, const char *value)
{
	return !strcmp(option, "object") && !strncmp(value, "memory-backend-file,", 20);
}

/* Whether the command line brings RAM of its own; if not, its -m and -M are
 * refused as ever. */
static bool brings_ram(const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nargs; i++) {
		const char *o = option_name(vm->args[i]);

		if (o &&
		    (!strcmp(o, "enable-dax") ||
		     (i + 1 < vm->nargs && is_ram_object(o, vm->args[i + 1]) &&
		      strstr(vm->args[i + 1], ",share=on"))))
			return true;
	}
	return false;
}

/* 2: option and value were taken, 1: the option, 0: neither, -1. */
static int take_option(struct backend *b, const char *o, const char *value, struct err *e)
{
	if (!strcmp(o, "enable-dax")) {
		b->dax = true;
		return 1;
	}
	if (!value)
		return 0;
	if (is_ram_object(o, value))
		return take_object(b, value, e) < 0 ? -1 : 2;
	if (!strcmp(o, "m"))
		return take_m(b, value, e) < 0 ? -1 : 2;
	if (!strcmp(o, "M") || !strcmp(o, "machine"))
		return take_machine(b, value, e) < 0 ? -1 : 2;
	if (!strcmp(o, "mem-path"))
		return config_set_string(&b->path, value, e) < 0 ? -1 : 2;
	return 0;
}

static int take_options(struct backend *b, struct vm *vm, struct err *e)
{
	unsigned int kept = 0;
	int r = 0;

	for (unsigned int i = 0; i < vm->nargs;) {
		const char *o = option_name(vm->args[i]);

		if (r >= 0 && o)
			r = take_option(b, o, i + 1 < vm->nargs ? vm->args[i + 1] : NULL, e);
		for (int k = 0; o && k < r; k++)
			free(vm->args[i++]);
		/* A value that looks like an option is none. */
		if (!o || r <= 0)
			vm->args[kept++] = vm->args[i++];
	}
	vm->nargs = kept;
	vm->args[kept] = NULL;
	return r < 0 ? -1 : 0;
}

static int check_sizes(const struct backend *b, const struct vm *vm, uint64_t size, struct err *e)
{
	char have[32], want[32];

	io_format_size(size, want, sizeof(want));
	if (!size)
		return err_set(e, ERR_USAGE, "args: the size of the RAM is missing; add -m SIZE");
	io_format_size(b->m, have, sizeof(have));
	if (b->m && b->m != size && b->n > 1)
		return err_set(e, ERR_USAGE,
			       "args: -m %s is not the %s of the %u backends together, and QEMU "
			       "demands that they agree; write -m %s",
			       have, want, b->n, want);
	if (b->m && b->m != size)
		return err_set(e, ERR_USAGE,
			       "args: -m %s is not the %s of the backend %s, and QEMU demands that "
			       "they agree; write -m %s, or size=%s",
			       have, want, b->object[0].id, want, have);
	io_format_size(vm->memory, have, sizeof(have));
	if (vm->memory && vm->memory != size)
		return err_set(e, ERR_USAGE,
			       "memory = %s contradicts the %s in args; leave one of them out",
			       have, want);
	return 0;
}

static int check_objects(const struct backend *b, const struct vm *vm, struct err *e)
{
	for (unsigned int i = 0; i < b->n; i++)
		if (!b->object[i].shared)
			return err_set(e, ERR_USAGE,
				       "args: the backend %s is not share=on and would be lost in the "
				       "jump",
				       b->object[i].id);
	if (b->n > 1 && vm->region)
		return err_set(e, ERR_USAGE,
			       "region = %.60s: where each of several memory backends shall be is said "
			       "by its mem-path=; leave it out",
			       vm->region);
	if (b->machine_backend && (b->n != 1 || strcmp(b->machine_backend, b->object[0].id)))
		return err_set(e, ERR_USAGE,
			       "args: memory-backend=%.60s is not the backend that args define",
			       b->machine_backend);
	return 0;
}

static int check_backend(const struct backend *b, const struct vm *vm, bool machine_set,
			 uint64_t size, struct err *e)
{
	if (b->dax ? b->n || !b->path : b->path != NULL)
		return err_set(e, ERR_USAGE,
			       "args: -enable-dax goes with -mem-path DIR and without an -object for "
			       "the RAM");
	if (check_objects(b, vm, e) < 0)
		return -1;
	if (machine_set && b->machine && strcmp(vm->machine, b->machine))
		return err_set(e, ERR_USAGE,
			       "machine = %s contradicts the %s in args; leave one of them out",
			       vm->machine, b->machine);
	return check_sizes(b, vm, size, e);
}

/* All of the RAM. A sum that wraps would be taken for a small one. */
static int sum_up(const struct backend *b, uint64_t *out, struct err *e)
{
	*out = b->n ? 0 : b->m;
	for (unsigned int i = 0; i < b->n; i++) {
		if (b->object[i].size > UINT64_MAX - *out)
			return err_set(e, ERR_USAGE, "args: so much RAM is impossible");
		*out += b->object[i].size;
	}
	return 0;
}

static void give(struct backend *b, struct vm *vm)
{
	for (unsigned int i = 0; i < b->n; i++) {
		struct object *o = &b->object[i];
		struct vm_part p = { .memdev = steal_ptr(&o->id),
				     .size = o->size,
				     .align = o->align,
				     .no_pmem = o->no_pmem,
				     .mem_path = steal_ptr(&o->path) };

		if (i) {
			vm->more[vm->nmore++] = p;
			continue;
		}
		free(vm->memdev);
		vm->memdev = p.memdev;
		vm->align = p.align;
		vm->no_pmem = p.no_pmem;
		vm->mem_path = p.mem_path;
	}
	if (!b->n)
		vm->mem_path = steal_ptr(&b->path);
}

int vm_take_backend(struct vm *vm, bool machine_set, struct err *e)
{
	_cleanup_(backend_free) struct backend b = { 0 };
	uint64_t size;

	if (!brings_ram(vm))
		return 0;
	if (take_options(&b, vm, e) < 0 || sum_up(&b, &size, e) < 0 ||
	    check_backend(&b, vm, machine_set, size, e) < 0)
		return -1;
	vm->memory = size;
	give(&b, vm);
	return b.machine ? config_set_string(&vm->machine, b.machine, e) : 0;
}

int vm_take_monitor(struct vm *vm, struct err *e)
{
	for (unsigned int i = 0; i + 1 < vm->nargs; i++) {
		const char *o = option_name(vm->args[i]);
		char *unix_socket = NULL;

		if (!o || strcmp(o, "monitor") || strcmp(vm->args[i + 1], "stdio"))
			continue;
		if (asprintf(&unix_socket, "unix:/run/holdover/%s/monitor.sock,server=on,wait=off",
			     vm->name) < 0)
			return err_sys(e, ENOMEM, "args");
		free(vm->args[i + 1]);
		vm->args[i + 1] = unix_socket;
	}
	return 0;
}
