/* SPDX-License-Identifier: GPL-2.0-only */
#include "config.h"
#include "fuzz.h"
#include "vm.h"

/* Both kinds of configuration file are tried on each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char dir[] = "/tmp/holdover-fuzz-XXXXXX";
	static char path[sizeof(dir) + 16];
	struct config c _cleanup_config_ = { 0 };
	struct vm vm _cleanup_vm_ = { 0 };
	struct err e = { 0 };
	FILE *f;

	if (!path[0]) {
		if (!mkdtemp(dir))
			abort();
		snprintf(path, sizeof(path), "%s/vm.conf", dir);
	}
	f = fopen(path, "we");
	if (!f || fwrite(data, 1, size, f) != size || fclose(f))
		abort();
	fuzz_check(config_load(path, &c, &e), &e);
	err_clear(&e);
	fuzz_check(vm_load(dir, "vm", &vm, &e), &e);
	return 0;
}
