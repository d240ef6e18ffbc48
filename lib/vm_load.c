/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "io.h"
#include "vm_load.h"

struct load {
	struct vm vm;
	struct buf args;
	struct vm_nodes nodes;
	bool machine_set;
};

static void load_free(struct load *l)
{
	vm_free(&l->vm);
	buf_free(&l->args);
	vm_nodes_free(&l->nodes);
}

static int append_args(struct load *l, const char *value, struct err *e)
{
	size_t add = strlen(value);
	char *bigger = realloc(l->args.data, l->args.len + add + 2);

	if (!bigger)
		return err_sys(e, ENOMEM, "args");
	l->args.data = bigger;
	bigger[l->args.len] = ' ';
	memcpy(bigger + l->args.len + 1, value, add + 1);
	l->args.len += add + 1;
	return 0;
}

static int parse_priority(const char *value, int *out, struct err *e)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno || end == value || *end || n < 0 || n > 1000)
		return err_set(e, ERR_USAGE,
			       "priority: '%.40s' is not a number from 0 to "
			       "1000",
			       value);
	*out = (int)n;
	return 0;
}

static int parse_attempts(const char *value, unsigned int *out, struct err *e)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno || end == value || *end || n < 1 || n > VM_ATTEMPTS_MAX)
		return err_set(e, ERR_USAGE, "attempts: '%.40s' is not a number from 1 to %d",
			       value, VM_ATTEMPTS_MAX);
	*out = (unsigned int)n;
	return 0;
}

/* What becomes of the VM when, and how much of the host it may have. */
static int set_policy(struct vm *vm, const char *key, const char *value, struct err *e)
{
	enum vm_limit limit;

	if (!strcmp(key, "placement"))
		return vm_placement_parse(value, &vm->placement, e);
	if (!strcmp(key, "transport"))
		return vm_transport_parse(value, &vm->transport, e);
	if (!strcmp(key, "on-failure"))
		return vm_on_failure_parse(value, &vm->on_failure, e);
	if (!strcmp(key, "on-failure-unit"))
		return config_set_string(&vm->failure_unit, value, e);
	if (!strcmp(key, "on-kexec"))
		return vm_on_kexec_parse(value, &vm->on_kexec, e);
	if (!strcmp(key, "attempts"))
		return parse_attempts(value, &vm->attempts, e);
	if (!strcmp(key, "priority"))
		return parse_priority(value, &vm->priority, e);
	if (!strcmp(key, "timeout"))
		return config_parse_seconds(value, &vm->timeout_ms, e) < 0 ? err_wrap(e, "timeout") :
									     0;
	if (vm_limit_find(key, &limit))
		return vm_limit_parse(limit, value, &vm->limits[limit], e);
	return config_unknown("vm", key, e);
}

static int set_vm(struct load *l, const char *key, const char *value, struct err *e)
{
	struct vm *vm = &l->vm;

	if (!strcmp(key, "args"))
		return append_args(l, value, e);
	if (!strcmp(key, "numa"))
		return vm_nodes_add(&l->nodes, value, e);
	if (!strcmp(key, "qemu"))
		return config_set_string(&vm->qemu, value, e);
	if (!strcmp(key, "region"))
		return config_set_string(&vm->region, value, e);
	l->machine_set |= !strcmp(key, "machine");
	if (!strcmp(key, "machine"))
		return config_set_string(&vm->machine, value, e);
	if (!strcmp(key, "memdev"))
		return config_set_string(&vm->memdev, value, e);
	if (!strcmp(key, "memory"))
		return io_parse_size(value, &vm->memory, e) < 0 ? err_wrap(e, "memory") : 0;
	return set_policy(vm, key, value, e);
}

static int set_key(void *ctx, const char *section, const char *key, const char *value, bool more,
		   struct err *e)
{
	if (strcmp(section, "vm"))
		return err_set(e, ERR_USAGE, "unknown section [%.60s]; there is only [vm]", section);
	if (more && strcmp(key, "args") && strcmp(key, "numa"))
		return err_set(e, ERR_USAGE,
			       "'%.60s' is given twice, or continued by an "
			       "indented line; only args and numa may be",
			       key);
	return set_vm(ctx, key, value, e);
}

/* Files and folders in RUN_DIR beside the VMs' own. A folder "armed" would mean
 * that a jump is, a folder "ticket" would keep every VM from its ticket. Not for
 * vm_name_check(): one that runs already must stay known. */
static int refuse_reserved(const char *name, struct err *e)
{
	static const char *const reserved[] = {
		"adopt",      "armed",		"dax",		"initramfs",   "lock",
		"pass.clock", "pass.initramfs", "pass.sysroot", "resume.json", "ticket",
	};

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (!strcmp(name, reserved[i]))
			return err_set(e, ERR_USAGE,
				       "a VM cannot be called '%s', which is a name of Holdover's own "
				       "in /run/holdover; rename its file",
				       name);
	return 0;
}

int vm_load(const char *dir, const char *name, struct vm *out, struct err *e)
{
	_cleanup_(load_free) struct load l = {
		.vm = { .priority = 100, .timeout_ms = 60000 },
	};
	char path[4096];

	if (vm_name_check(name, e) < 0 || refuse_reserved(name, e) < 0)
		return -1;
	memcpy(l.vm.name, name, strlen(name) + 1);
	if (io_path(path, sizeof(path), e, "%s/%s.conf", dir, name) < 0)
		return -1;
	if (config_set_string(&l.vm.qemu, "/usr/bin/qemu-system-x86_64", e) ||
	    config_set_string(&l.vm.machine, "q35", e) ||
	    config_set_string(&l.vm.memdev, "holdover.ram", e))
		return -1;
	if (config_ini(path, set_key, &l, e) < 0)
		return -1;
	if (vm_split_args(l.args.data ? l.args.data : "", &l.vm.args, &l.vm.nargs, e) < 0)
		return err_wrap(e, "%s: args", path);
	if (vm_take_backend(&l.vm, l.machine_set, e) < 0 || vm_take_nodes(&l.vm, &l.nodes, e) < 0 ||
	    vm_take_monitor(&l.vm, e) < 0 || vm_check(&l.vm, e) < 0)
		return err_wrap(e, "%s", path);
	*out = l.vm;
	memset(&l.vm, 0, sizeof(l.vm));
	return 0;
}
