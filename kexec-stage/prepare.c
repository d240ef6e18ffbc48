/* SPDX-License-Identifier: GPL-2.0-only */
#include "prepare.h"

#include <inttypes.h>
#include <string.h>

#include "mkfs.h"

#define ALIGN_DEFAULT (2ULL << 20)

static uint64_t round_up(uint64_t n, uint64_t align)
{
	return (n + align - 1) / align * align;
}

static uint64_t ledger_size(const struct prepare *p, const struct store *s)
{
	return round_up(p->ledger_size ? p->ledger_size : p->default_size, s->dev.align);
}

/* Is what was opened the ledger, or the stamp, that is wanted? An existing one
 * is kept: its uuid may be in a ticket on its way, and its records say which
 * VMs must not be resumed again. */
static int judge(const struct prepare *p, const struct store *s, const struct ledger *l,
		 struct err *e)
{
	if (l->geo.region != p->number && !(l->geo.region && p->number))
		return err_set(e, ERR_REFUSED, "%s: holds a %s; --force writes a new %s over it",
			       store_path(s),
			       l->geo.region ? "stamp, as a region beside another ledger's" : "ledger",
			       p->number ? "stamp" : "ledger");
	if (p->number && memcmp(l->geo.host_uuid, p->host_uuid, 16))
		return err_set(e, ERR_REFUSED,
			       "%s: is stamped for another ledger; --force writes a new stamp over it",
			       store_path(s));
	if (p->ledger_size && ledger_size(p, s) != l->geo.ledger_size)
		return err_set(e, ERR_REFUSED,
			       "%s holds a ledger of %" PRIu64 " bytes; with the VMs stopped, "
			       "--force writes a new one of another size over it",
			       store_path(s), l->geo.ledger_size);
	return 0;
}

/* 1: what is there is kept, 0: it may be written over, -1. */
static int look(const struct prepare *p, const struct store *s, struct pmem_map *map,
		struct ledger *l, struct err *e)
{
	struct err why = { 0 };

	if (store_open_ledger(s, map, l, &why) == 0) {
		int rc = p->force ? 0 : judge(p, s, l, e);

		if (rc == 0 && !p->force)
			return 1;
		pmem_map_close(map);
		return rc;
	}
	if (p->force)
		return 0;
	if (why.kind != ERR_ABSENT)
		return err_set(e, why.kind,
			       "%s holds a ledger that cannot be opened (%.700s); --force writes a new "
			       "one over it",
			       store_path(s), why.msg);
	if (s->dev.mode == PMEM_FSDAX)
		return err_set(e, ERR_REFUSED,
			       "%s: holds a file system (%s) without a ledger; --force makes a new one "
			       "over it",
			       s->dev.path, daxfs_type_name(s->fs.type));
	return pmem_check_blank(&s->dev, ledger_size(p, s), e);
}

/* The namespace is there and of the right mode; what is on it? As look(). */
static int look_on(const struct prepare *p, struct store *s, struct pmem_map *map, struct ledger *l,
		   struct err *e)
{
	if (p->align && s->dev.align != p->align) {
		if (p->force)
			return 0;
		return err_set(e, ERR_REFUSED,
			       "%s has an alignment of %" PRIu64
			       " bytes; --force makes a new namespace over it",
			       s->dev.path, s->dev.align);
	}
	if (s->dev.mode == PMEM_FSDAX) {
		if (daxfs_probe(&s->dev, &s->fs, e) < 0)
			return -1;
		if (s->fs.type == DAXFS_NONE)
			return p->force || pmem_check_content(s->dev.path, e) == 0 ? 0 : -1;
		if (!p->force && daxfs_mount(&s->dev, NULL, &s->fs, e) < 0)
			return -1;
	}
	return p->force && s->dev.mode == PMEM_FSDAX ? 0 : look(p, s, map, l, e);
}

static int make_namespace(const struct prepare *p, struct store *s, struct err *e)
{
	enum pmem_mode mode = p->fs == DAXFS_NONE ? PMEM_DEVDAX : PMEM_FSDAX;

	return pmem_create(p->region.start, p->region.size, mode,
			   p->align ? p->align : ALIGN_DEFAULT, p->force, &s->dev, e);
}

/* Everything that is on the namespace, from its start. */
static int fill(const struct prepare *p, struct store *s, struct pmem_map *map, struct ledger *l,
		struct err *e)
{
	struct ledger_geometry geo = { .region = p->number };
	uint64_t size = ledger_size(p, s);
	uint8_t info[4096];

	memcpy(geo.host_uuid, p->host_uuid, 16);
	if (s->dev.mode == PMEM_DEVDAX && size + s->dev.align > s->dev.size)
		return err_set(e, ERR_USAGE,
			       "a ledger of %" PRIu64 " bytes does not fit %s (%" PRIu64
			       " bytes, align %" PRIu64 "); change ledger-size",
			       size, s->dev.path, s->dev.size, s->dev.align);
	/* Renews the path: taking the namespace down renumbers devices. */
	if (pmem_info_block(&s->dev, info, e) < 0)
		return -1;
	if (s->dev.mode == PMEM_FSDAX &&
	    (mkfs_dax(s->dev.path, p->fs, e) < 0 || daxfs_mount(&s->dev, NULL, &s->fs, e) < 0))
		return -1;
	return store_format(s, size, &geo, info, map, l, e);
}

/* An fsdax namespace that was not asked for is only good with a ledger. */
static int wrong_mode(const struct prepare *p, const struct store *s, struct err *e)
{
	bool fsdax = s->dev.mode == PMEM_FSDAX;

	if (fsdax == (p->fs != DAXFS_NONE) || p->force)
		return 0;
	return err_set(e, ERR_REFUSED, "%s is %s namespace; %s, or --force makes another over it",
		       s->dev.path, fsdax ? "an fsdax" : "a devdax",
		       fsdax ? "--fsdax prepares it" : "leave --fsdax out");
}

/* What is sealed may lie where this kernel sees an empty region, if it was
 * started with another memmap=. */
static int check_sealed(const struct prepare *p, struct err *e)
{
	char size[32], start[32];
	struct pmem_range sealed;
	int rc = p->force ? 0 : host_sealed_region(&sealed, e);

	if (rc <= 0)
		return rc;
	io_format_size(sealed.size, size, sizeof(size));
	io_format_size(sealed.start, start, sizeof(start));
	return err_set(e, ERR_REFUSED,
		       "VMs are sealed on memmap=%s!%s; a kernel with that parameter resumes them "
		       "('holdover resume'), --force gives them up",
		       size, start);
}

int prepare_region(const struct prepare *p, struct store *s, struct pmem_map *map, struct ledger *l,
		   bool *kept, struct err *e)
{
	bool fsdax;
	int rc;

	*kept = false;
	memset(s, 0, sizeof(*s));
	if (p->fs != DAXFS_NONE && mkfs_check(p->fs, e) < 0)
		return -1;
	rc = host_find_device(&p->region, !p->force, &s->dev, e);
	if (rc < 0 && e->kind != ERR_ABSENT && !(e->kind == ERR_REFUSED && p->force))
		return -1;
	fsdax = s->dev.mode == PMEM_FSDAX;
	if (rc == 0) {
		/* Asked for or not, a ledger that is there stays. */
		if (!p->force && fsdax && p->fs == DAXFS_NONE &&
		    daxfs_mount(&s->dev, NULL, &s->fs, e) == 0 &&
		    store_open_ledger(s, map, l, e) == 0) {
			*kept = true;
			return judge(p, s, l, e);
		}
		if (wrong_mode(p, s, e) < 0)
			return -1;
		if (fsdax == (p->fs != DAXFS_NONE)) {
			rc = look_on(p, s, map, l, e);
			*kept = rc == 1;
			if (rc)
				return rc == 1 ? 0 : -1;
		}
		if (fsdax && daxfs_unmount(&s->dev, e) < 0)
			return -1;
	}
	err_clear(e);
	if (check_sealed(p, e) < 0)
		return -1;
	if (rc < 0 || fsdax != (p->fs != DAXFS_NONE) || (p->align && s->dev.align != p->align))
		if (make_namespace(p, s, e) < 0)
			return -1;
	return fill(p, s, map, l, e);
}
