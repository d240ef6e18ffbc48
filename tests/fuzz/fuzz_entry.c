/* SPDX-License-Identifier: GPL-2.0-only */
#include "entry.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct entry en = { 0 };
	struct err e = { 0 };
	int r = entry_parse(text, "/boot", &en, &e);

	fuzz_check(r, &e);
	if (r == 0 && (!en.kernel || strncmp(en.kernel, "/boot/", 6)))
		abort();
	entry_free(&en);
	free(text);
	return 0;
}
