/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz.h"
#include "kexec_cpio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cpio_stream s;
	struct err e = { 0 };
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	s = (struct cpio_stream){ .fd = fd, .what = "fuzz" };
	fuzz_check(cpio_find(&s, "holdover-agent", &e), &e);
	close(fd);
	return 0;
}
