/* SPDX-License-Identifier: GPL-2.0-only */
/* The words with which a VM says what becomes of it, and when. */
#include <ctype.h>
#include <string.h>

#include "vm.h"

static const char *const placement_names[] = {
	[VM_PLACE_SYSROOT] = "sysroot",
	[VM_PLACE_LATE] = "late",
	[VM_PLACE_INITRAMFS] = "initramfs",
};

static const char *const transport_names[] = {
	[VM_STATE_LEDGER] = "ledger",
	[VM_STATE_SNAPSHOT] = "snapshot",
};

static const char *const on_failure_names[] = {
	[VM_FAIL_KEEP] = "keep",
	[VM_FAIL_COLD_BOOT] = "cold-boot",
	[VM_FAIL_IGNORE] = "ignore",
};

static const char *const on_kexec_names[] = {
	[VM_KEXEC_STOP] = "stop",
	[VM_KEXEC_HOLD] = "hold",
};

static int name_index(const char *s, const char *const *names, size_t n, const char *what,
		      struct err *e)
{
	char list[128] = "";

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(s, names[i]))
			return (int)i;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			 names[i]);
	}
	return err_set(e, ERR_USAGE, "%s: '%.40s' is none of %s", what, s, list);
}

const char *vm_placement_name(enum vm_placement p)
{
	return placement_names[p];
}

const char *vm_transport_name(enum vm_transport t)
{
	return transport_names[t];
}

const char *vm_on_failure_name(enum vm_on_failure f)
{
	return on_failure_names[f];
}

int vm_placement_parse(const char *s, enum vm_placement *out, struct err *e)
{
	int i = name_index(s, placement_names, ARRAY_LEN(placement_names), "placement", e);

	if (i < 0)
		return -1;
	*out = (enum vm_placement)i;
	return 0;
}

int vm_transport_parse(const char *s, enum vm_transport *out, struct err *e)
{
	int i = name_index(s, transport_names, ARRAY_LEN(transport_names), "transport", e);

	if (i < 0)
		return -1;
	*out = (enum vm_transport)i;
	return 0;
}

int vm_on_failure_parse(const char *s, enum vm_on_failure *out, struct err *e)
{
	int i = name_index(s, on_failure_names, ARRAY_LEN(on_failure_names), "on-failure", e);

	if (i < 0)
		return -1;
	*out = (enum vm_on_failure)i;
	return 0;
}

static bool names_a_user(const char *value, bool plain)
{
	const char *p = plain ? value : NULL;
	size_t n;

	for (const char *at = plain ? NULL : value; at; at = strchr(at, ','), at += at != NULL)
		if (!strncmp(at, "user=", 5))
			p = at + 5;
	n = p ? strcspn(p, ",") : 0;
	return n && !(n == 4 && !strncmp(p, "root", n)) && !(n == 1 && *p == '0') &&
		strncmp(p, "0:", 2);
}

bool vm_unprivileged(const struct vm *vm)
{
	for (unsigned int i = 0; i + 1 < vm->nargs; i++) {
		const char *a = vm->args[i] + (vm->args[i][0] == '-' && vm->args[i][1] == '-');

		if ((!strcmp(a, "-runas") && names_a_user(vm->args[i + 1], true)) ||
		    (!strcmp(a, "-run-with") && names_a_user(vm->args[i + 1], false)))
			return true;
	}
	return false;
}

const char *vm_on_kexec_name(enum vm_on_kexec k)
{
	return on_kexec_names[k];
}

int vm_on_kexec_parse(const char *s, enum vm_on_kexec *out, struct err *e)
{
	int i = name_index(s, on_kexec_names, ARRAY_LEN(on_kexec_names), "on-kexec", e);

	if (i < 0)
		return -1;
	*out = (enum vm_on_kexec)i;
	return 0;
}

/* What goes between is a VM's name, all of whose characters may stand there. */
int vm_failure_unit_check(const char *name, struct err *e)
{
	static const char suffix[] = "@.service";
	size_t n = strlen(name), s = sizeof(suffix) - 1;
	bool ok = n > s && n + VM_NAME_MAX < 256 && !strcmp(name + n - s, suffix);

	for (size_t i = 0; ok && i < n - s; i++)
		ok = isalnum((unsigned char)name[i]) || strchr("_.-:\\", name[i]);
	if (!ok)
		return err_set(e, ERR_USAGE,
			       "on-failure-unit: '%.80s' is not the template of a service; write "
			       "NAME@.service",
			       name);
	return 0;
}

char *vm_failure_instance(const struct vm *vm)
{
	size_t n = vm->failure_unit ? strlen(vm->failure_unit) + strlen(vm->name) + 1 : 0;
	char *out = n ? malloc(n) : NULL;

	if (out)
		snprintf(out, n, "%.*s@%s.service",
			 (int)(strlen(vm->failure_unit) - strlen("@.service")), vm->failure_unit,
			 vm->name);
	return out;
}
