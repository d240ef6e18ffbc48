/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ledger whose namespace does not come up because its info block is damaged: the ledger keeps a
 * copy of that block, and writing it back brings the namespace back. What is decided here is decided
 * on private copies; nobody else can hold the device meanwhile, since it is open exclusively.
 */
#include "pmem.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "fault.h"
#include "pmem_internal.h"

/* Everything of a ledger that comes before the device states is below this. */
#define METADATA_MAX (8ULL << 20)

static bool same_place(const struct pmem_device *d, const struct ledger_geometry *g)
{
	return !memcmp(d->namespace_uuid, g->namespace_uuid, sizeof(d->namespace_uuid)) &&
		d->dataoff == g->dataoff && d->align == g->align;
}

/* What lies where the block goes: NULL for a block that is damaged or wiped. */
static const char *foreign(const struct pmem_mend *m)
{
	const uint8_t *block = m->head + PMEM_INFO_OFFSET;
	/* Without the terminator: its last bit may be what is wrong. */
	bool ours = !memcmp(block, m->copy, 15);
	struct pmem_device ignored;
	struct err why;

	if (ours && pmem_info_decode(block, &ignored, &why) == 0)
		return "the info block of another devdax namespace";
	return pmem_content_name(m->head, ours ? PMEM_INFO_OFFSET : sizeof(m->head));
}

int pmem_mend_check(const struct pmem_mend *m, struct err *e)
{
	const struct ledger_geometry *g = &m->geo;
	struct pmem_device copy = { 0 };
	const char *what;

	if (g->region_start != m->start || g->region_size != m->size)
		return err_set(e, ERR_REFUSED,
			       "its ledger was written for a region of %" PRIu64
			       " bytes at 0x%" PRIx64,
			       g->region_size, g->region_start);
	if (pmem_info_decode(m->copy, &copy, e)) {
		e->kind = ERR_REFUSED;
		return err_wrap(e, "the ledger's copy of it");
	}
	if (!same_place(&copy, g) || copy.page_struct_size != g->page_struct_size)
		return err_set(e, ERR_REFUSED,
			       "the ledger's copy of it describes another namespace than the ledger");
	if (!memcmp(m->head + PMEM_INFO_OFFSET, m->copy, PMEM_INFO_SIZE))
		return 0;
	what = foreign(m);
	if (what)
		return err_set(e, ERR_REFUSED, "in its place is %s", what);
	return 1;
}

/* The ledger's copy, through a ledger of which only what is needed was read. */
static int read_copy(const struct pmem_raw *raw, struct pmem_mend *m, struct err *e)
{
	const struct ledger_geometry *g = &m->geo;
	uint64_t at = g->dataoff + g->ledger_offset, tail = g->ledger_size - LEDGER_TAIL;
	struct ledger_media media = { .size = g->ledger_size };
	struct ledger l;
	int rc = -1;

	if (g->blob_offset > METADATA_MAX || g->blob_offset > tail)
		return err_set(e, ERR_REFUSED, "its ledger is laid out in an unknown way");
	media.base = mmap(NULL, media.size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (media.base == MAP_FAILED)
		return err_sys(e, errno, "%s: memory for the ledger", raw->path);
	if (pmem_raw_read(raw, at, media.base, g->blob_offset, e) == 0 &&
	    pmem_raw_read(raw, at + tail, media.base + tail, LEDGER_TAIL, e) == 0 &&
	    ledger_open(&l, &media, e) == 0)
		rc = ledger_info_block(&l, m->copy, e);
	munmap(media.base, media.size);
	return rc;
}

static int write_back(const struct pmem_raw *raw, const struct pmem_mend *m, struct err *e)
{
	uint8_t now[PMEM_INFO_SIZE];

	FAULT(mend_decided);
	if (pmem_raw_write(raw, PMEM_INFO_OFFSET, m->copy, PMEM_INFO_SIZE, e))
		return -1;
	FAULT(mend_written);
	if (pmem_raw_read(raw, PMEM_INFO_OFFSET, now, sizeof(now), e))
		return -1;
	if (memcmp(now, m->copy, sizeof(now)))
		return err_set(e, ERR_IO, "%s: the info block reads back otherwise than written",
			       raw->path);
	return 0;
}

/* 1: the device is ready to be enabled again; 0: not a case for mending; -1. */
static int mend(uint64_t start, uint64_t size, struct pmem_mend *m, bool *wrote, struct err *e)
{
	_cleanup_pmem_raw_ struct pmem_raw raw = { .fd = -1 };
	int rc = pmem_raw_claim(start, size, &raw, e), todo;

	if (rc <= 0)
		return rc;
	m->start = start;
	m->size = raw.size;
	rc = pmem_raw_ledger(&raw, start, e);
	if (rc <= 0)
		return rc;
	if (pmem_raw_geometry(&raw, start, &m->geo, e) ||
	    pmem_raw_read(&raw, 0, m->head, sizeof(m->head), e) || read_copy(&raw, m, e))
		return -1;
	todo = pmem_mend_check(m, e);
	*wrote = todo > 0;
	if (todo < 0 || (todo && write_back(&raw, m, e)))
		return -1;
	pmem_raw_close(&raw);
	if (pmem_raw_restart(start, size, e))
		return -1;
	FAULT(mend_restarted);
	return 1;
}

int pmem_find_mending(uint64_t start, uint64_t size, const uint8_t *want_uuid,
		      struct pmem_device *out, bool *mended, struct err *e)
{
	_cleanup_free_ struct pmem_mend *m = NULL;
	struct err why = { 0 };
	bool wrote;
	int rc;

	*mended = false;
	if (pmem_find(start, size, want_uuid, out, e) == 0)
		return 0;
	if (e->kind != ERR_REFUSED)
		return -1;
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_sys(e, ENOMEM, "info block");
	rc = mend(start, size, m, &wrote, &why);
	if (rc == 0)
		return -1;
	if (rc < 0)
		return err_set(e, ERR_REFUSED,
			       "the namespace came up raw and its info block cannot be mended: %.800s; "
			       "everything is left as it is",
			       why.msg);
	err_clear(e);
	if (pmem_find(start, size, want_uuid, out, e))
		return err_wrap(e,
				wrote ? "after its info block was written back" :
					"its info block is intact, but enabled anew");
	if (!same_place(out, &m->geo) || out->size != m->geo.device_size)
		return err_set(e, ERR_REFUSED,
			       "%s: with its info block written back it is not what its ledger says",
			       out->path);
	*mended = true;
	return 0;
}
