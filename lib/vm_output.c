/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a VM's command line ends up in its qemu.log. */
#include <string.h>

#include "vm.h"

static bool is_stdio(const char *option, const char *value)
{
	static const char *const ports[] = { "serial", "parallel", "debugcon", "monitor", "qmp" };

	if (!strcmp(option, "chardev"))
		return !strncmp(value, "stdio", 5) && (!value[5] || value[5] == ',');
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		if (!strcmp(option, ports[i]))
			return !strcmp(value, "stdio") || !strcmp(value, "mon:stdio");
	return false;
}

const char *vm_talks_to_log(const struct vm *vm)
{
	const char *nographic = NULL;
	bool serial = false;

	for (unsigned int i = 0; i < vm->nargs; i++) {
		const char *a = vm->args[i], *value = i + 1 < vm->nargs ? vm->args[i + 1] : "";

		if (*a != '-')
			continue;
		a += 1 + (a[1] == '-');
		if (is_stdio(a, value))
			return vm->args[i];
		serial |= !strcmp(a, "serial");
		if (!strcmp(a, "nographic"))
			nographic = vm->args[i];
	}
	/* It puts the first serial port there unless it is told another place. */
	return serial ? NULL : nographic;
}
