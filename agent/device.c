/* SPDX-License-Identifier: GPL-2.0-only */
#include "device.h"

#include <limits.h>
#include <string.h>

int device_each(const struct vm *vm, int (*fn)(void *ctx, const char *path), void *ctx)
{
	int r = 0;

	for (unsigned int i = 0; i < vm->nargs && r == 0; i++) {
		const char *at = vm->args[i];

		while (r == 0 && (at = strstr(at, "=/dev/"))) {
			char path[PATH_MAX];
			size_t n = strcspn(++at, ",");

			if (n >= sizeof(path))
				continue;
			memcpy(path, at, n);
			path[n] = '\0';
			r = fn(ctx, path);
		}
	}
	return r;
}
