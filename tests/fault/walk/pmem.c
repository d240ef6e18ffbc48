/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A region that is a file, for the walk: in place of lib/pmem_*.c except for
 * pmem_map.c, which can map files.
 *
 *	/bench/region		"START SIZE UUID", absent: this kernel has none
 *	/dev/dax0.0		the device
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "pmem.h"

#define DEVICE "/dev/dax0.0"
#define DATAOFF (2ULL << 20)

/* 0 if there is none, else 1. */
static int region(struct pmem_range *r, uint8_t uuid[16], struct err *e)
{
	char line[128], text[64];
	struct err ignored = { 0 };

	if (io_read_line("/bench/region", line, sizeof(line), &ignored) < 0)
		return 0;
	if (sscanf(line, "%" SCNx64 " %" SCNx64 " %63s", &r->start, &r->size, text) != 3)
		return err_set(e, ERR_FORMAT, "/bench/region: '%s'", line);
	return io_uuid_parse(text, uuid, e) < 0 ? -1 : 1;
}

int pmem_iomem_ranges(struct pmem_range out[PMEM_RANGES_MAX], struct err *e)
{
	uint8_t uuid[16];

	return region(&out[0], uuid, e);
}

int pmem_load_modules(struct err *e)
{
	(void)e;
	return 0;
}

int pmem_load_named_modules(const char *const *names, size_t n, struct err *e)
{
	(void)names;
	(void)n;
	(void)e;
	return 0;
}

int pmem_find(uint64_t start, uint64_t size, const uint8_t *want_uuid, struct pmem_device *out,
	      struct err *e)
{
	struct pmem_range r;
	struct stat st;

	memset(out, 0, sizeof(*out));
	switch (region(&r, out->namespace_uuid, e)) {
	case -1:
		return -1;
	case 0:
		return err_set(e, ERR_ABSENT, "no pmem region: this kernel has none; check memmap=");
	}
	if (r.start != start || r.size != size)
		return err_set(e, ERR_MISMATCH, "no pmem region of this start and size");
	if (want_uuid && memcmp(want_uuid, out->namespace_uuid, 16))
		return err_set(e, ERR_MISMATCH, DEVICE ": its namespace has another uuid");
	if (stat(DEVICE, &st) < 0)
		return err_sys(e, errno, DEVICE);
	memcpy(out->path, DEVICE, sizeof(DEVICE));
	out->region_start = r.start;
	out->region_size = r.size;
	out->size = (uint64_t)st.st_size;
	out->align = 2 << 20;
	out->dataoff = DATAOFF;
	return 0;
}

int pmem_create(uint64_t start, uint64_t size, bool force, struct pmem_device *out, struct err *e)
{
	(void)force;
	return pmem_find(start, size, NULL, out, e);
}

int pmem_info_block(struct pmem_device *dev, uint8_t out[4096], struct err *e)
{
	(void)e;
	dev->page_struct_size = 64;
	memset(out, 0x5a, 4096);
	return 0;
}
