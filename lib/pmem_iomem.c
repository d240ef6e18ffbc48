/* SPDX-License-Identifier: GPL-2.0-only */
#include "pmem.h"

#include <inttypes.h>
#include <string.h>

#include "pmem_internal.h"

#define IOMEM_MAX (1u << 20)

static const char legacy[] = "Persistent Memory (legacy)";

/* One line of /proc/iomem: "  START-END : NAME", END included. Returns 1 if it
 * is a legacy-pmem range, 0 if it is anything else. */
static int parse_line(const char *line, size_t len, struct pmem_range *out)
{
	uint64_t start, end;
	char text[160];
	int name = 0;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, line, len);
	text[len] = '\0';
	if (sscanf(text, " %" SCNx64 "-%" SCNx64 " : %n", &start, &end, &name) != 2 || !name ||
	    strcmp(text + name, legacy) || end < start)
		return 0;
	out->start = start;
	out->size = end - start + 1;
	return 1;
}

int pmem_iomem_parse(const char *text, struct pmem_range out[PMEM_RANGES_MAX], struct err *e)
{
	int n = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");
		struct pmem_range r;

		if (parse_line(text, len, &r)) {
			/* The kernel hides addresses from the unprivileged by
			 * writing zeroes, not by refusing to be read. */
			if (r.start == 0 && r.size == 1)
				return err_set(e, ERR_REFUSED,
					       "/proc/iomem hides its addresses: run this as root");
			if (n == PMEM_RANGES_MAX)
				return err_set(e, ERR_REFUSED,
					       "/proc/iomem: more than %d legacy-pmem ranges",
					       PMEM_RANGES_MAX);
			out[n++] = r;
		}
		text += len;
		if (*text == '\n')
			text++;
	}
	return n;
}

int pmem_iomem_ranges(struct pmem_range out[PMEM_RANGES_MAX], struct err *e)
{
	_cleanup_buf_ struct buf b = { 0 };

	if (io_read_file("/proc/iomem", IOMEM_MAX, &b, e))
		return -1;
	return pmem_iomem_parse(b.data, out, e);
}
