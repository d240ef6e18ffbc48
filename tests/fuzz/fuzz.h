/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzzers share. Each has one entry point, which libFuzzer calls with one input. */
#ifndef HOLDOVER_FUZZ_H
#define HOLDOVER_FUZZ_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** fuzz_text() - the input as a string; to be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/** fuzz_check() - a failure must say what kind it is and why; success must say nothing. */
static inline void fuzz_check(int rc, const struct err *e)
{
	if (rc < 0 ? !e->kind || !e->msg[0] : e->kind != ERR_NONE)
		abort();
}

#endif
