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
 * struct backend - what is taken from the command line
 * @found: an -object for the RAM, or -enable-dax
 * @dax: -enable-dax
 * @memory: by -object size=, 0: not given
 * @m: by -m, 0: not given
 * @id: of the object, in the load's text
 * @machine: -M and -machine without memory-backend=, owned
 */
struct backend {
	bool found, dax, shared;
	uint64_t memory, m;
	char *id, *path, *machine, *machine_backend;
};

static void backend_free(struct backend *b)
{
	free(b->id);
	free(b->path);
	free(b->machine);
	free(b->machine_backend);
}

static int take_key(struct backend *b, struct vm *vm, const char *key, const char *value,
		    struct err *e)
{
	uint64_t offset;

	if (!strcmp(key, "id"))
		return config_set_string(&b->id, value, e);
	if (!strcmp(key, "mem-path"))
		return config_set_string(&b->path, value, e);
	if (!strcmp(key, "size"))
		return set_size(&b->memory, "size of the memory backend", value, e);
	if (!strcmp(key, "align"))
		return set_size(&vm->align, "align of the memory backend", value, e);
	if (!strcmp(key, "share")) {
		b->shared = !strcmp(value, "on");
		return 0;
	}
	if (!strcmp(key, "pmem")) {
		vm->no_pmem = strcmp(value, "on") != 0;
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

static int take_object(struct backend *b, struct vm *vm, const char *text, struct err *e)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *value, *key;

	if (!copy)
		return err_sys(e, ENOMEM, "args");
	if (b->id)
		return err_set(e, ERR_USAGE,
			       "args: '%.80s' is a second memory backend; a VM's RAM is one, in one "
			       "region",
			       text);
	next_item(&rest, &value); /* memory-backend-file */
	while ((key = next_item(&rest, &value)))
		if (take_key(b, vm, key, value ? value : "on", e) < 0)
			return -1;
	if (!b->id || !b->memory || !b->path)
		return err_set(e, ERR_USAGE, "args: '%.80s' lacks id=, size= or mem-path=", text);
	b->found = true;
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
static int take_option(struct backend *b, struct vm *vm, const char *o, const char *value,
		       struct err *e)
{
	if (!strcmp(o, "enable-dax")) {
		b->dax = b->found = true;
		return 1;
	}
	if (!value)
		return 0;
	if (is_ram_object(o, value))
		return take_object(b, vm, value, e) < 0 ? -1 : 2;
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
			r = take_option(b, vm, o, i + 1 < vm->nargs ? vm->args[i + 1] : NULL, e);
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

static int check_sizes(const struct backend *b, const struct vm *vm, struct err *e)
{
	uint64_t size = b->memory ? b->memory : b->m;
	char have[32], want[32];

	io_format_size(size, want, sizeof(want));
	if (!size)
		return err_set(e, ERR_USAGE, "args: the size of the RAM is missing; add -m SIZE");
	io_format_size(b->m, have, sizeof(have));
	if (b->m && b->m != size)
		return err_set(e, ERR_USAGE,
			       "args: -m %s is not the %s of the backend %s, and QEMU demands that "
			       "they agree; write -m %s, or size=%s",
			       have, want, b->id, want, have);
	io_format_size(vm->memory, have, sizeof(have));
	if (vm->memory && vm->memory != size)
		return err_set(e, ERR_USAGE,
			       "memory = %s contradicts the %s in args; leave one of them out",
			       have, want);
	return 0;
}

static int check_backend(const struct backend *b, const struct vm *vm, bool machine_set,
			 struct err *e)
{
	if (b->dax && (b->id || !b->path))
		return err_set(e, ERR_USAGE,
			       "args: -enable-dax goes with -mem-path DIR and without an -object for "
			       "the RAM");
	if (b->id && !b->shared)
		return err_set(e, ERR_USAGE,
			       "args: the backend %s is not share=on and would be lost in the jump",
			       b->id);
	if (b->machine_backend && (!b->id || strcmp(b->machine_backend, b->id)))
		return err_set(e, ERR_USAGE,
			       "args: memory-backend=%.60s is not the backend that args define",
			       b->machine_backend);
	if (machine_set && b->machine && strcmp(vm->machine, b->machine))
		return err_set(e, ERR_USAGE,
			       "machine = %s contradicts the %s in args; leave one of them out",
			       vm->machine, b->machine);
	return check_sizes(b, vm, e);
}

int vm_take_backend(struct vm *vm, bool machine_set, struct err *e)
{
	_cleanup_(backend_free) struct backend b = { 0 };

	if (!brings_ram(vm))
		return 0;
	if (take_options(&b, vm, e) < 0 || check_backend(&b, vm, machine_set, e) < 0)
		return -1;
	vm->memory = b.memory ? b.memory : b.m;
	vm->mem_path = steal_ptr(&b.path);
	if (b.id && config_set_string(&vm->memdev, b.id, e) < 0)
		return -1;
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
