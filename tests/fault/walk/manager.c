/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A systemd that goes to kexec.target, for the walk, where there is none:
 *
 *	/bench/manager	there: its units are as they should be, and it starts
 *			kexec.target, or refuses to if this file says "refuse"
 *
 * Without it the real one is asked: tests/systemd has one.
 */
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "unit.h"

#define MANAGER "/bench/manager"

int __real_unit_related(const char *unit, const char *dependency, const char *other, bool *out,
			struct err *e);
int __real_unit_start(const char *unit, const char *mode, struct err *e);
int __wrap_unit_related(const char *unit, const char *dependency, const char *other, bool *out,
			struct err *e);
int __wrap_unit_start(const char *unit, const char *mode, struct err *e);

int __wrap_unit_related(const char *unit, const char *dependency, const char *other, bool *out,
			struct err *e)
{
	if (access(MANAGER, F_OK))
		return __real_unit_related(unit, dependency, other, out, e);
	*out = strcmp(dependency, "Conflicts") != 0;
	return 0;
}

int __wrap_unit_start(const char *unit, const char *mode, struct err *e)
{
	char word[16] = "";
	struct err none = { 0 };

	if (access(MANAGER, F_OK))
		return __real_unit_start(unit, mode, e);
	if (io_read_line(MANAGER, word, sizeof(word), &none) == 0 && !strcmp(word, "refuse"))
		return err_set(e, ERR_REFUSED, "%s: as was asked for", unit);
	return 0;
}
