/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions that are files, for the walk: in place of lib/pmem_*.c except for
 * those that can work on files.
 *
 *	/bench/region		"START SIZE UUID", absent: this kernel has none
 *	/bench/head		first 8 KiB of the region, absent: as they should be
 *	/bench/refuse-block	the kernel accepts no info block
 *	/dev/dax0.0		the device
 *	/bench/region1, /dev/dax1.0	a second one, which always comes up
 *	/bench/fsdax		there: it is an fsdax namespace (daxfs.c), and the device is not used
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "fault.h"
#include "pmem_internal.h"

#define DEVICE "/dev/dax0.0"
#define HEAD "/bench/head"
#define DATAOFF (2ULL << 20)

static const struct {
	const char *file, *device;
} places[] = { { "/bench/region", DEVICE }, { "/bench/region1", "/dev/dax1.0" } };

/* Number @i. 0 if there is none, else 1. */
static int region(unsigned int i, struct pmem_range *r, uint8_t uuid[16], struct err *e)
{
	char line[128], text[64];
	struct err ignored = { 0 };

	if (io_read_line(places[i].file, line, sizeof(line), &ignored) < 0)
		return 0;
	if (sscanf(line, "%" SCNx64 " %" SCNx64 " %63s", &r->start, &r->size, text) != 3)
		return err_set(e, ERR_FORMAT, "%s: '%s'", places[i].file, line);
	return io_uuid_parse(text, uuid, e) < 0 ? -1 : 1;
}

/* The number of the one that begins at @start, or 0. */
static unsigned int number_of(uint64_t start)
{
	struct err ignored = { 0 };
	struct pmem_range r;
	uint8_t uuid[16];

	return region(1, &r, uuid, &ignored) > 0 && r.start == start;
}

int pmem_iomem_ranges(struct pmem_range out[PMEM_RANGES_MAX], struct err *e)
{
	uint8_t uuid[16];
	int n = region(0, &out[0], uuid, e), more;

	if (n < 0)
		return -1;
	more = region(1, &out[n], uuid, e);
	return more < 0 ? -1 : n + more;
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

static void put_le(uint8_t *p, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* What the driver would have written: signature, uuid, data offset, align, size of a struct page, sum. */
static void make_block(const uint8_t uuid[16], uint8_t out[PMEM_INFO_SIZE])
{
	memset(out, 0, PMEM_INFO_SIZE);
	memcpy(out, "NVDIMM_DAX_INFO", 16);
	memcpy(out + 16, uuid, 16);
	put_le(out + 56, DATAOFF, 8);
	put_le(out + 84, 2 << 20, 4);
	put_le(out + 92, 64, 2);
	put_le(out + PMEM_INFO_SIZE - 8, pmem_info_checksum(out), 8);
}

/* Has the kernel found a block that it likes? */
static bool comes_up(const uint8_t uuid[16])
{
	_cleanup_buf_ struct buf head = { 0 };
	struct pmem_device dev = { 0 };
	struct err ignored = { 0 };

	if (access(HEAD, F_OK) < 0)
		return true;
	return access("/bench/refuse-block", F_OK) < 0 &&
		io_read_file(HEAD, 1 << 20, &head, &ignored) == 0 &&
		head.len == PMEM_INFO_OFFSET + PMEM_INFO_SIZE &&
		pmem_info_decode((uint8_t *)head.data + PMEM_INFO_OFFSET, &dev, &ignored) == 0 &&
		!memcmp(dev.namespace_uuid, uuid, 16);
}

int pmem_find(uint64_t start, uint64_t size, const uint8_t *want_uuid, struct pmem_device *out,
	      struct err *e)
{
	unsigned int i = number_of(start);
	struct pmem_range r;
	struct stat st;

	memset(out, 0, sizeof(*out));
	switch (region(i, &r, out->namespace_uuid, e)) {
	case -1:
		return -1;
	case 0:
		return err_set(e, ERR_ABSENT, "no pmem region: this kernel has none; check memmap=");
	}
	if (r.start != start || r.size != size)
		return err_set(e, ERR_MISMATCH,
			       "no pmem region of this start and size; check memmap=");
	if (!i && !comes_up(out->namespace_uuid))
		return err_set(e, ERR_REFUSED, "namespace0.0: came up raw");
	if (want_uuid && memcmp(want_uuid, out->namespace_uuid, 16))
		return err_set(e, ERR_MISMATCH, "%s: its namespace has another uuid",
			       places[i].device);
	if (stat(places[i].device, &st) < 0)
		return err_sys(e, errno, "%s", places[i].device);
	snprintf(out->path, sizeof(out->path), "%s", places[i].device);
	if (!i && access("/bench/fsdax", F_OK) == 0)
		out->mode = PMEM_FSDAX;
	out->region_start = r.start;
	out->region_size = r.size;
	out->size = (uint64_t)st.st_size;
	out->align = 2 << 20;
	out->dataoff = DATAOFF;
	return 0;
}

int pmem_check_content(const char *path, struct err *e)
{
	return err_set(e, ERR_REFUSED, "%s: nothing is made anew here", path);
}

int pmem_create(uint64_t start, uint64_t size, enum pmem_mode mode, uint64_t align, bool force,
		struct pmem_device *out, struct err *e)
{
	(void)mode;
	(void)align;
	(void)force;
	return pmem_find(start, size, NULL, out, e);
}

int pmem_info_block(struct pmem_device *dev, uint8_t out[4096], struct err *e)
{
	(void)e;
	dev->page_struct_size = 64;
	make_block(dev->namespace_uuid, out);
	return 0;
}

int pmem_raw_claim(uint64_t start, uint64_t size, struct pmem_raw *out, struct err *e)
{
	struct pmem_range r;
	uint8_t uuid[16];

	out->fd = -1;
	if (number_of(start))
		return 0;
	if (region(0, &r, uuid, e) < 1 || r.start != start || r.size != size)
		return err_set(e, ERR_ABSENT, "no pmem region of this start and size");
	if (comes_up(uuid))
		return 0;
	out->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (out->fd < 0)
		return err_sys(e, errno, DEVICE);
	memcpy(out->path, "/dev/pmem0", 11);
	out->size = r.size;
	return 1;
}

int pmem_raw_restart(uint64_t start, uint64_t size, struct err *e)
{
	(void)start, (void)size, (void)e;
	return 0;
}

void pmem_raw_close(struct pmem_raw *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

/* Where the bytes at @offset are: in the head, or in the device behind it. */
static int place(const struct pmem_raw *r, uint64_t offset, int *fd, uint64_t *at, struct err *e)
{
	*fd = -1;
	*at = offset < DATAOFF ? offset : offset - DATAOFF;
	if (offset >= DATAOFF)
		return r->fd;
	*fd = open(HEAD, O_RDWR | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, errno, HEAD) : *fd;
}

int pmem_raw_read(const struct pmem_raw *r, uint64_t offset, void *out, size_t len, struct err *e)
{
	_cleanup_close_ int own = -1;
	uint64_t at;
	int fd = place(r, offset, &own, &at, e);

	if (fd < 0)
		return -1;
	if (pread(fd, out, len, (off_t)at) != (ssize_t)len)
		return err_sys(e, EIO, "%s", r->path);
	return 0;
}

int pmem_raw_write(const struct pmem_raw *r, uint64_t offset, const void *data, size_t len,
		   struct err *e)
{
	_cleanup_close_ int own = -1;
	uint64_t at;
	int fd = place(r, offset, &own, &at, e);

	if (fd < 0)
		return -1;
	/* As a device that loses power half way does it. */
	if (pwrite(fd, data, len / 2, (off_t)at) != (ssize_t)(len / 2))
		return err_sys(e, EIO, "%s", r->path);
	FAULT(mend_half_written);
	if (pwrite(fd, (const char *)data + len / 2, len - len / 2, (off_t)(at + len / 2)) !=
	    (ssize_t)(len - len / 2))
		return err_sys(e, EIO, "%s", r->path);
	return 0;
}
