/* SPDX-License-Identifier: GPL-2.0-only */
#include "pmem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libpmem.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A devdax mapping must start and end at the namespace's alignment. */
#define MAP_ALIGN (2ULL << 20)
/* A device of 1G pages maps nothing smaller. */
#define ZERO_PIECE (1ULL << 30)

static int store_dax(void *ctx, void *dst, const void *src, size_t len, struct err *e)
{
	(void)ctx;
	(void)e;
	pmem_memcpy_persist(dst, src, len);
	return 0;
}

static int store_file(void *ctx, void *dst, const void *src, size_t len, struct err *e)
{
	uintptr_t page = (uintptr_t)dst & ~(uintptr_t)4095;

	(void)ctx;
	memcpy(dst, src, len);
	if (msync((void *)page, (uintptr_t)dst + len - page, MS_SYNC))
		return err_sys(e, errno, "msync of the ledger");
	return 0;
}

/* @is_file: out: it is a file in the page cache, which msync() makes durable. A
 * file must have a whole piece [offset, offset+size). */
static int map_piece(const char *path, int fd, uint64_t offset, uint64_t size, bool *is_file,
		     void **out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(e, errno, "%s", path);
	*is_file = S_ISREG(st.st_mode);
	if (!*is_file && !S_ISCHR(st.st_mode))
		return err_set(e, ERR_MISMATCH, "%s: is neither a dax device nor a file", path);
	if (*is_file && (offset > (uint64_t)st.st_size || size > (uint64_t)st.st_size - offset))
		return err_set(e, ERR_MISMATCH, "%s: is too short", path);
	*out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd,
		    (off_t)offset);
	/* A file on a DAX file system is memory like a device's; others are
	 * only met in tests. */
	if (*out == MAP_FAILED && *is_file && errno == EOPNOTSUPP)
		*out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	else
		*is_file = false;
	if (*out == MAP_FAILED)
		return err_sys(e, errno, "%s: mapping %" PRIu64 " bytes at %" PRIu64, path, size,
			       offset);
	return 0;
}

int pmem_map_ledger(const char *path, uint64_t device_size, uint64_t size, struct pmem_map *out,
		    struct err *e)
{
	_cleanup_close_ int fd = -1;
	void *base;

	memset(out, 0, sizeof(*out));
	out->fd = -1;
	if (!size || size % MAP_ALIGN || size > device_size)
		return err_set(e, ERR_MISMATCH,
			       "%s: a ledger of %" PRIu64 " bytes does not fit into %" PRIu64, path,
			       size, device_size);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	if (map_piece(path, fd, device_size - size, size, &out->is_file, &base, e))
		return -1;
	out->media.base = base;
	out->media.size = size;
	out->media.store = out->is_file ? store_file : store_dax;
	out->fd = steal_fd(&fd);
	return 0;
}

void pmem_map_close(struct pmem_map *m)
{
	if (m->media.base)
		munmap(m->media.base, m->media.size);
	if (m->media.base && m->fd >= 0)
		close(m->fd);
	memset(m, 0, sizeof(*m));
	m->fd = -1;
}

/* The superblock says how large the ledger is that it ends. */
static int read_tail(const struct pmem_device *dev, struct ledger_geometry *geo, struct err *e)
{
	_cleanup_pmem_map_ struct pmem_map m = { .fd = -1 };
	uint64_t piece = dev->align > MAP_ALIGN ? dev->align : MAP_ALIGN;
	uint8_t tail[LEDGER_TAIL];

	if (pmem_map_ledger(dev->path, dev->size, piece, &m, e))
		return -1;
	memcpy(tail, m.media.base + piece - LEDGER_TAIL, LEDGER_TAIL);
	return ledger_tail_read(tail, geo, e);
}

static int compare(const struct pmem_device *dev, const struct ledger_geometry *geo, struct err *e)
{
	const char *what = NULL;

	/* page_struct_size is not known without the info block. */
	if (geo->region_start != dev->region_start || geo->region_size != dev->region_size)
		what = "region";
	else if (memcmp(geo->namespace_uuid, dev->namespace_uuid, sizeof(geo->namespace_uuid)))
		what = "namespace";
	else if (geo->dataoff != dev->dataoff)
		what = "data offset";
	else if (geo->align != dev->align)
		what = "alignment";
	else if (geo->device_size != dev->size || geo->ledger_size > dev->size ||
		 geo->ledger_offset != dev->size - geo->ledger_size)
		what = "device size";
	if (!what)
		return 0;
	return err_set(e, ERR_MISMATCH, "the ledger was made for another %s than %s has", what,
		       dev->path);
}

int pmem_open_ledger(const struct pmem_device *dev, struct pmem_map *map, struct ledger *l,
		     struct err *e)
{
	struct ledger_geometry geo;

	memset(map, 0, sizeof(*map));
	map->fd = -1;
	if (read_tail(dev, &geo, e) || compare(dev, &geo, e) ||
	    pmem_map_ledger(dev->path, dev->size, geo.ledger_size, map, e))
		return err_wrap(e, "%s", dev->path);
	if (ledger_open(l, &map->media, e) == 0 && compare(dev, &l->geo, e) == 0)
		return 0;
	pmem_map_close(map);
	return err_wrap(e, "%s", dev->path);
}

/* Are @len bytes at @at of the piece at @offset all zero? 1, 0, -1. */
static int blank(const struct pmem_device *dev, int fd, uint64_t offset, uint64_t at, size_t len,
		 struct err *e)
{
	uint64_t piece = dev->align > MAP_ALIGN ? dev->align : MAP_ALIGN;
	const uint8_t *p = mmap(NULL, piece, PROT_READ, MAP_SHARED, fd, (off_t)offset);
	int zero = 1;

	if (p == MAP_FAILED)
		return err_sys(e, errno, "%s: mapping %" PRIu64 " bytes at %" PRIu64, dev->path,
			       piece, offset);
	for (size_t i = 0; i < len; i++)
		zero &= !p[at + i];
	munmap((void *)p, piece);
	return zero;
}

int pmem_check_blank(const struct pmem_device *dev, uint64_t ledger_size, struct err *e)
{
	uint64_t piece = dev->align > MAP_ALIGN ? dev->align : MAP_ALIGN;
	const struct {
		uint64_t offset, at;
		size_t len;
	} place[] = {
		{ 0, 0, 4096 },
		{ dev->size - ledger_size, 0, 4096 },
		{ dev->size - piece, piece - LEDGER_TAIL, LEDGER_TAIL },
	};
	_cleanup_close_ int fd = open(dev->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "%s", dev->path);
	if (dev->size < piece || ledger_size > dev->size || ledger_size % piece)
		return err_set(e, ERR_MISMATCH,
			       "%s: a ledger of %" PRIu64 " bytes does not fit into %" PRIu64,
			       dev->path, ledger_size, dev->size);
	for (size_t i = 0; i < sizeof(place) / sizeof(place[0]); i++) {
		int zero = blank(dev, fd, place[i].offset, place[i].at, place[i].len, e);

		if (zero < 0)
			return -1;
		if (!zero)
			return err_set(e, ERR_REFUSED,
				       "%s holds no ledger, but data at byte %" PRIu64
				       ": another program may be using it, or a ledger is damaged; "
				       "--force writes a new one over it",
				       dev->path, place[i].offset + place[i].at);
	}
	return 0;
}

int pmem_zero(const char *path, uint64_t offset, uint64_t size, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "%s", path);
	while (size) {
		uint64_t piece = size < ZERO_PIECE ? size : ZERO_PIECE;
		bool is_file;
		void *base;

		if (map_piece(path, fd, offset, piece, &is_file, &base, e))
			return -1;
		if (is_file)
			memset(base, 0, piece);
		else
			pmem_memset_persist(base, 0, piece);
		munmap(base, piece);
		offset += piece;
		size -= piece;
	}
	return 0;
}
