/* SPDX-License-Identifier: GPL-2.0-only */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <linux/fiemap.h>
#include <linux/fs.h>

#define HUGE_PAGE (2ULL << 20)
#define FIEMAP_BATCH 64

int store_find(uint64_t start, uint64_t size, const uint8_t *namespace_uuid, const uint8_t *fs_uuid,
	       struct store *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (pmem_find(start, size, namespace_uuid, &out->dev, e))
		return -1;
	return store_attach(out, fs_uuid, e);
}

int store_attach(struct store *s, const uint8_t *fs_uuid, struct err *e)
{
	return s->dev.mode == PMEM_FSDAX ? daxfs_mount(&s->dev, fs_uuid, &s->fs, e) : 0;
}

const char *store_path(const struct store *s)
{
	return s->dev.mode == PMEM_FSDAX ? s->fs.dir : s->dev.path;
}

/* For pmem_map.c a ledger's file is a device that is all ledger. */
static int ledger_file(const struct store *s, struct pmem_device *out, struct err *e)
{
	*out = s->dev;
	return io_path(out->path, sizeof(out->path), e, "%s/ledger", s->fs.dir);
}

int store_open_ledger(const struct store *s, struct pmem_map *map, struct ledger *l, struct err *e)
{
	struct pmem_device file;
	struct stat st;

	memset(map, 0, sizeof(*map));
	map->fd = -1;
	if (s->dev.mode == PMEM_DEVDAX)
		return pmem_open_ledger(&s->dev, map, l, e);
	if (ledger_file(s, &file, e))
		return -1;
	if (stat(file.path, &st) && errno == ENOENT)
		return err_set(e, ERR_ABSENT, "there is no ledger %s; 'holdover init' writes one",
			       file.path);
	if (daxfs_check(file.path, e) || stat(file.path, &st))
		return -1;
	file.size = (uint64_t)st.st_size;
	if (pmem_open_ledger(&file, map, l, e))
		return -1;
	if (!memcmp(l->geo.fs_uuid, s->fs.uuid, 16))
		return 0;
	pmem_map_close(map);
	return err_set(e, ERR_MISMATCH, "%s: the ledger was made on another file system", file.path);
}

/* All of its blocks, written once: a ledger must never wait for the file
 * system. */
static int make_file(const char *path, uint64_t size, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(e, errno, "%s", path);
	if ((uint64_t)st.st_size == size && (uint64_t)st.st_blocks * 512 >= size)
		return 0;
	if (ftruncate(fd, 0) == 0 && fallocate(fd, 0, 0, (off_t)size) == 0)
		return fsync(fd) ? err_sys(e, errno, "%s: fsync", path) : 0;
	if (errno != ENOSPC) {
		err_sys(e, errno, "%s: allocating its blocks", path);
	} else {
		char text[32];

		io_format_size(size, text, sizeof(text));
		err_set(e, ERR_REFUSED,
			"%s: the file system has no room for %s; stop or discard a VM that is no "
			"longer needed",
			path, text);
	}
	(void)unlink(path);
	return -1;
}

static int zero_file(const char *path, uint64_t size, struct err *e)
{
	_cleanup_close_ int fd = -1;

	if (pmem_zero(path, 0, size, e))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd))
		return err_sys(e, errno, "%s: syncing its file system", path);
	return 0;
}

int store_format(const struct store *s, uint64_t size, struct ledger_geometry *geo,
		 const uint8_t info[4096], struct pmem_map *map, struct ledger *l, struct err *e)
{
	struct pmem_device where = s->dev;

	if (s->dev.mode == PMEM_FSDAX) {
		if (ledger_file(s, &where, e) || make_file(where.path, size, e) ||
		    daxfs_check(where.path, e) || zero_file(where.path, size, e))
			return -1;
		where.size = size;
		geo->in_file = true;
		memcpy(geo->fs_uuid, s->fs.uuid, 16);
	}
	geo->region_start = s->dev.region_start;
	geo->region_size = s->dev.region_size;
	geo->dataoff = s->dev.dataoff;
	geo->align = s->dev.align;
	geo->page_struct_size = s->dev.page_struct_size;
	geo->device_size = where.size;
	geo->ledger_offset = where.size - size;
	geo->ledger_size = size;
	memcpy(geo->namespace_uuid, s->dev.namespace_uuid, 16);
	if (pmem_map_ledger(where.path, where.size, size, map, e) ||
	    ledger_format(&map->media, geo, info, e))
		return -1;
	return ledger_open(l, &map->media, e);
}

int store_ram(const struct store *s, const struct extent *x, struct ram *out, struct err *e)
{
	*out = (struct ram){ .offset = x->offset, .size = x->size, .align = s->dev.align };
	if (x->in_file != (s->dev.mode == PMEM_FSDAX))
		return err_set(e, ERR_REFUSED, "%s does not hold %s", store_path(s),
			       x->in_file ? "files" : "extents");
	if (!x->in_file)
		return io_path(out->path, sizeof(out->path), e, "%s", s->dev.path);
	/* No VM's name has a '+': it could be that of another one's file. */
	if (x->part)
		return io_path(out->path, sizeof(out->path), e, "%s/%s+%u.ram", s->fs.dir, x->name,
			       x->part);
	return io_path(out->path, sizeof(out->path), e, "%s/%s.ram", s->fs.dir, x->name);
}

int store_reserve(const struct store *s, const struct ram *ram, struct err *e)
{
	if (s->dev.mode == PMEM_DEVDAX)
		return 0;
	if (make_file(ram->path, ram->size, e))
		return -1;
	return daxfs_check(ram->path, e);
}

int store_zero(const struct store *s, const struct ram *ram, struct err *e)
{
	if (s->dev.mode == PMEM_FSDAX)
		return zero_file(ram->path, ram->size, e);
	return pmem_zero(ram->path, ram->offset, ram->size, e);
}

int store_drop(const struct store *s, const struct ram *ram, struct err *e)
{
	if (s->dev.mode == PMEM_DEVDAX || unlink(ram->path) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, errno, "removing %s", ram->path);
}

/* What of one piece of a file, whose blocks lie side by side, are whole huge
 * pages in the file and in memory alike. */
static uint64_t huge_part(uint64_t logical, uint64_t physical, uint64_t len)
{
	uint64_t skip = (HUGE_PAGE - logical % HUGE_PAGE) % HUGE_PAGE;

	if ((logical ^ physical) % HUGE_PAGE || skip > len)
		return 0;
	return (len - skip) / HUGE_PAGE * HUGE_PAGE;
}

int store_huge(const struct store *s, const struct ram *ram, uint64_t *bytes, struct err *e)
{
	uint64_t data = s->dev.region_start + s->dev.dataoff, at = 0;
	_cleanup_free_ struct fiemap *map = NULL;
	_cleanup_close_ int fd = -1;

	*bytes = ram->size;
	if (s->dev.mode == PMEM_DEVDAX)
		return 0;
	*bytes = 0;
	fd = open(ram->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "%s", ram->path);
	map = calloc(1, sizeof(*map) + FIEMAP_BATCH * sizeof(map->fm_extents[0]));
	if (!map)
		return err_sys(e, ENOMEM, "%s", ram->path);
	for (;;) {
		const struct fiemap_extent *x = map->fm_extents;

		map->fm_start = at;
		map->fm_length = ram->size - at;
		map->fm_extent_count = FIEMAP_BATCH;
		if (ioctl(fd, FS_IOC_FIEMAP, map))
			return err_sys(e, errno, "%s: where its blocks lie", ram->path);
		for (unsigned int i = 0; i < map->fm_mapped_extents; i++, x++) {
			*bytes += huge_part(x->fe_logical, data + x->fe_physical, x->fe_length);
			at = x->fe_logical + x->fe_length;
		}
		if (map->fm_mapped_extents < FIEMAP_BATCH || at >= ram->size)
			return 0;
	}
}
