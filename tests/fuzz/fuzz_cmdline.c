/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz.h"
#include "kexec.h"
#include "params.h"
#include "pmem_internal.h"

static int quote_open(const char *text)
{
	int open = 0;

	while ((text = strchr(text, '"'))) {
		open = !open;
		text++;
	}
	return open;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct pmem_range ranges[PMEM_RANGES_MAX];
	struct err e = { 0 };
	struct params params;
	char complaint[64];
	char *next;
	int n;

	n = pmem_iomem_parse(text, ranges, &e);
	fuzz_check(n, &e);
	err_clear(&e);
	n = kexec_cmdline_ranges(text, ranges, &e);
	fuzz_check(n, &e);
	if (n > PMEM_RANGES_MAX)
		abort();
	next = kexec_cmdline_next(text, "rd.holdover=1");
	if (next) {
		struct pmem_range again[PMEM_RANGES_MAX];
		struct err e2 = { 0 };

		/*
		 * Nothing that reserves memory may be lost on the way to the next kernel. A quote
		 * that is never closed swallows what is appended, for the kernel as well.
		 */
		if (n >= 0 && !quote_open(text) && kexec_cmdline_ranges(next, again, &e2) != n)
			abort();
	}
	free(next);
	params_parse(text, &params, complaint, sizeof(complaint));
	if (params.timeout_ms < 1000 || params.timeout_ms > PARAMS_TIMEOUT_MAX_S * 1000 ||
	    strlen(complaint) >= sizeof(complaint))
		abort();
	free(text);
	return 0;
}
