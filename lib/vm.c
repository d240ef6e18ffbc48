/* SPDX-License-Identifier: GPL-2.0-only */
#include "vm.h"

#include <ctype.h>
#include <string.h>

void vm_free(struct vm *vm)
{
	free(vm->failure_unit);
	free(vm->qemu);
	free(vm->machine);
	free(vm->memdev);
	free(vm->region);
	free(vm->mem_path);
	for (unsigned int i = 0; i < vm->nmore; i++) {
		free(vm->more[i].memdev);
		free(vm->more[i].region);
		free(vm->more[i].mem_path);
	}
	for (unsigned int i = 0; i < vm->nargs; i++)
		free(vm->args[i]);
	free(vm->args);
	memset(vm, 0, sizeof(*vm));
}

int vm_name_check(const char *name, struct err *e)
{
	size_t n = strlen(name);
	bool ok = n && n <= VM_NAME_MAX && isalnum((unsigned char)*name);

	for (size_t i = 0; ok && i < n; i++)
		ok = isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	if (!ok)
		return err_set(e, ERR_USAGE,
			       "'%.80s' is not a VM name: use 1 to %d letters, "
			       "digits, '.', '_' and '-', beginning with a "
			       "letter or digit",
			       name, VM_NAME_MAX);
	return 0;
}

/**
 * next_word() - unquote one word in place
 * @p: in: start of the word; out: the byte after it
 *
 * Returns the word, or NULL when a quote is left open. Unquoting only ever
 * shortens, so the text is its own buffer.
 */
static char *next_word(char **p)
{
	char *word = *p, *w = *p, *r = *p, quote = 0;

	for (; *r && (quote || !isspace((unsigned char)*r)); r++) {
		if (quote ? *r == quote : (*r == '\'' || *r == '"')) {
			quote = quote ? 0 : *r;
			continue;
		}
		if (*r == '\\' && quote != '\'' && r[1])
			r++;
		*w++ = *r;
	}
	if (*r)
		r++;
	*p = r;
	*w = '\0';
	return quote ? NULL : word;
}

int vm_split_args(const char *text, char ***args, unsigned int *nargs, struct err *e)
{
	_cleanup_free_ char *copy = strdup(text);
	struct vm tmp = { 0 };
	char *p = copy;

	tmp.args = calloc(VM_ARGS_MAX + 1, sizeof(char *));
	if (!copy || !tmp.args)
		goto nomem;
	for (;;) {
		char *word;

		while (isspace((unsigned char)*p))
			p++;
		if (!*p)
			break;
		word = next_word(&p);
		if (!word) {
			vm_free(&tmp);
			return err_set(e, ERR_USAGE, "a quote is left open; close it");
		}
		if (tmp.nargs == VM_ARGS_MAX) {
			vm_free(&tmp);
			return err_set(e, ERR_USAGE, "more than %d words", VM_ARGS_MAX);
		}
		tmp.args[tmp.nargs] = strdup(word);
		if (!tmp.args[tmp.nargs++])
			goto nomem;
	}
	*args = tmp.args;
	*nargs = tmp.nargs;
	return 0;
nomem:
	vm_free(&tmp);
	return err_set(e, ERR_IO, "out of memory");
}

/* What Holdover itself puts on QEMU's command line, and what would make a
 * resume impossible. */
static const struct {
	const char *option, *remedy;
} owned_options[] = {
	{ "m", "set 'memory =' instead" },
	{ "machine", "set 'machine =' instead" },
	{ "M", "set 'machine =' instead" },
	{ "name", "the file's name is the VM's name" },
	{ "S", "Holdover starts and resumes the VM itself" },
	{ "incoming", "Holdover starts and resumes the VM itself" },
	{ "loadvm", "Holdover starts and resumes the VM itself" },
	{ "daemonize", "Holdover keeps the process in a scope of its own" },
	{ "pidfile", "see /run/holdover/NAME/state.json" },
	{ "chroot", "Holdover chooses the root of the process" },
	{ "mem-path", "QEMU would map an unlinked file there; set 'memory ='" },
	{ "enable-dax", "no QEMU knows it" },
	{ "mem-prealloc", "RAM on pmem is always there" },
	{ "readconfig", "write the options themselves into 'args ='" },
};

static int args_check(const struct vm *vm, struct err *e)
{
	for (unsigned int i = 0; i < vm->nargs; i++) {
		const char *a = vm->args[i];

		if (*a != '-')
			continue;
		a += 1 + (a[1] == '-');
		for (size_t k = 0; k < ARRAY_LEN(owned_options); k++)
			if (!strcmp(a, owned_options[k].option))
				return err_set(e, ERR_USAGE, "args: %s is Holdover's own; %s",
					       vm->args[i], owned_options[k].remedy);
	}
	return 0;
}

/* The seed's own command line has the backend among the arguments; say how it
 * is written here instead of leaving it to QEMU's duplicate-id message. */
static int backend_check(const struct vm *vm, struct err *e)
{
	for (unsigned int i = 0; i + 1 < vm->nargs; i++) {
		const char *v = vm->args[i + 1];

		if (strcmp(vm->args[i], "-object") && strcmp(vm->args[i], "--object"))
			continue;
		/* Also in JSON, and as id=ram,qom-type=memory-backend-ram. */
		if (!strstr(v, "memory-backend-"))
			continue;
		if (!strncmp(v, "memory-backend-file,", 20) && strstr(v, "share=on"))
			return err_set(e, ERR_USAGE,
				       "args: '%.80s': the RAM backend is "
				       "Holdover's own; set 'memory =' and "
				       "'memdev =' (its id) instead",
				       v);
		return err_set(e, ERR_USAGE,
			       "args: '%.80s' is RAM that is not share=on and "
			       "would be lost in the jump; set 'memory =' so "
			       "that the RAM lies on pmem",
			       v);
	}
	return 0;
}

int vm_check(const struct vm *vm, struct err *e)
{
	if (vm_name_check(vm->name, e) < 0)
		return -1;
	if (!vm->qemu || *vm->qemu != '/')
		return err_set(e, ERR_USAGE, "qemu: '%.80s' is not an absolute path",
			       vm->qemu ? vm->qemu : "");
	if (!vm->machine || !*vm->machine)
		return err_set(e, ERR_USAGE, "machine is missing; write 'machine = q35'");
	if (!vm->memory)
		return err_set(e, ERR_USAGE, "memory is missing; write 'memory = 2G'");
	if (vm_parts_check(vm, e) < 0)
		return -1;
	if (vm->memory % (2 << 20))
		return err_set(e, ERR_USAGE,
			       "memory: %llu bytes is not a multiple of 2M, "
			       "the alignment of a DAX device",
			       (unsigned long long)vm->memory);
	if (vm->timeout_ms <= 0)
		return err_set(e, ERR_USAGE, "timeout must be at least 1");
	if (vm->attempts > VM_ATTEMPTS_MAX)
		return err_set(e, ERR_USAGE, "attempts must be from 1 to %d", VM_ATTEMPTS_MAX);
	if (vm->failure_unit && vm_failure_unit_check(vm->failure_unit, e) < 0)
		return -1;
	for (unsigned int i = 0; i < VM_LIMITS; i++)
		if (vm_limit_check((enum vm_limit)i, vm->limits[i], e) < 0)
			return -1;
	if (args_check(vm, e) < 0)
		return -1;
	return backend_check(vm, e);
}
