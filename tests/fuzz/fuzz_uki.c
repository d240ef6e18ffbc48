/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz.h"
#include "kexec_uki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uki u = UKI_INIT;
	struct err e = { 0 };
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	int r;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	r = uki_open(fd, "fuzz", &u, &e);
	fuzz_check(r, &e);
	if (r == 1 && u.kernel < 0)
		abort();
	uki_free(&u);
	close(fd);
	return 0;
}
