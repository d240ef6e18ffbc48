/* SPDX-License-Identifier: GPL-2.0-only */
/* A ledger as a whole: formatting, superblock, opening, info-block copy. */
#include "ledger.h"

#include <endian.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "ledger_impl.h"

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)

const char ledger_reads[] = LEDGER_FORMAT_MARK TEXT_OF(LEDGER_MAJOR) "." TEXT_OF(LEDGER_MINOR);

static const char *const area_name[LEDGER_AREAS] = {
	[LEDGER_INFO] = "info block", [LEDGER_EXTENTS] = "extents", [LEDGER_MANIFESTS] = "manifest",
	[LEDGER_RECORDS] = "records", [LEDGER_JOURNAL] = "journal", [LEDGER_BLOBS] = "blobs",
};

/* What this build's readers need of each area. */
static const uint64_t area_min[LEDGER_AREAS] = {
	[LEDGER_INFO] = 2 * LEDGER_PAGE,      [LEDGER_EXTENTS] = 4 * LEDGER_PAGE,
	[LEDGER_MANIFESTS] = 4 * LEDGER_PAGE, [LEDGER_RECORDS] = 2 * LEDGER_RECORDS_HALF,
	[LEDGER_JOURNAL] = LEDGER_PAGE,	      [LEDGER_BLOBS] = LEDGER_PAGE,
};

static bool power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static int geometry_check(const struct ledger_geometry *g, enum err_kind kind, struct err *e)
{
	if (g->region >= LEDGER_REGIONS || !g->region != all_zero(g->host_uuid, 16) ||
	    !g->in_file != all_zero(g->fs_uuid, 16) || (g->in_file && g->ledger_offset))
		return err_set(e, kind,
			       "ledger: region number, file system and owner contradict each other");
	if (!power_of_two(g->align) || g->align < LEDGER_PAGE)
		return err_set(e, kind,
			       "ledger: an alignment of %" PRIu64
			       " bytes is not a power of two of at least 4096",
			       g->align);
	if (g->ledger_size < LEDGER_SIZE_MIN || g->ledger_size % g->align)
		return err_set(
			e, kind,
			"ledger: its size of %" PRIu64
			" bytes is below 2 MiB or not a multiple of the device's alignment of %" PRIu64,
			g->ledger_size, g->align);
	if (g->ledger_size > g->device_size ||
	    g->ledger_offset != g->device_size - g->ledger_size || g->ledger_offset % g->align)
		return err_set(e, kind,
			       "ledger: %" PRIu64 " bytes at %" PRIu64
			       " are not the aligned end of a device of %" PRIu64 " bytes",
			       g->ledger_size, g->ledger_offset, g->device_size);
	if (g->device_size > g->region_size || g->dataoff > g->region_size - g->device_size ||
	    g->region_size > UINT64_MAX - g->region_start)
		return err_set(e, kind,
			       "ledger: a device of %" PRIu64 " bytes, %" PRIu64
			       " bytes into its region, does not fit into %" PRIu64
			       " bytes at 0x%" PRIx64,
			       g->device_size, g->dataoff, g->region_size, g->region_start);
	return 0;
}

static int areas_check(const struct ledger_area area[LEDGER_AREAS], uint64_t ledger_size,
		       struct err *e)
{
	uint64_t end = 0, limit = ledger_size - LEDGER_TAIL;
	unsigned int i;

	for (i = 0; i < LEDGER_AREAS; i++) {
		const struct ledger_area *a = &area[i];

		if (a->offset < end || a->offset % LEDGER_PAGE || a->size % (2 * LEDGER_PAGE) ||
		    a->size < area_min[i] || a->offset > limit || a->size > limit - a->offset)
			return err_set(e, ERR_FORMAT,
				       "ledger: superblock: no room for the %s area (%" PRIu64
				       " bytes at %" PRIu64 ")",
				       area_name[i], a->size, a->offset);
		end = a->offset + a->size;
	}
	return 0;
}

static void areas_plan(uint64_t ledger_size, struct ledger_area *area)
{
	static const uint64_t start[LEDGER_AREAS + 1] = {
		LEDGER_INFO_OFFSET,    LEDGER_EXTENTS_OFFSET, LEDGER_MANIFEST_OFFSET,
		LEDGER_RECORDS_OFFSET, LEDGER_JOURNAL_OFFSET, LEDGER_BLOBS_OFFSET,
	};
	unsigned int i;

	for (i = 0; i < LEDGER_AREAS; i++) {
		area[i].offset = start[i];
		area[i].size = start[i + 1] - start[i];
	}
	area[LEDGER_BLOBS].size = ledger_size - LEDGER_TAIL - LEDGER_BLOBS_OFFSET;
}

static void sb_encode(const struct ledger *l, struct ledger_sb *sb)
{
	const struct ledger_geometry *g = &l->geo;
	unsigned int i;

	memset(sb, 0, sizeof(*sb));
	memcpy(sb->ledger_uuid, g->ledger_uuid, 16);
	memcpy(sb->namespace_uuid, g->namespace_uuid, 16);
	sb->region_start = htole64(g->region_start);
	sb->region_size = htole64(g->region_size);
	sb->dataoff = htole64(g->dataoff);
	sb->align = htole64(g->align);
	sb->page_struct_size = htole64(g->page_struct_size);
	sb->device_size = htole64(g->device_size);
	sb->ledger_offset = htole64(g->ledger_offset);
	sb->ledger_size = htole64(g->ledger_size);
	for (i = 0; i < LEDGER_AREAS; i++) {
		sb->area[i].offset = htole64(l->area[i].offset);
		sb->area[i].size = htole64(l->area[i].size);
	}
	sb->vms = htole32(VM_MAX);
	sb->in_file = g->in_file;
	sb->region = (uint8_t)g->region;
	memcpy(sb->fs_uuid, g->fs_uuid, 16);
	memcpy(sb->host_uuid, g->host_uuid, 16);
}

static int sb_decode(struct cursor c, unsigned int minor, struct ledger *l, struct err *e)
{
	struct ledger_geometry *g = &l->geo;
	struct ledger_sb sb;
	unsigned int i;

	if (cursor_take(&c, &sb, sizeof(sb), "ledger: superblock", e) < 0)
		return -1;
	if (minor <= LEDGER_MINOR &&
	    (c.left || sb.in_file > 1 || !all_zero(sb.reserved, sizeof(sb.reserved)) ||
	     (!minor && !all_zero(&sb.in_file, sizeof(sb) - offsetof(struct ledger_sb, in_file)))))
		return err_set(e, ERR_FORMAT, "ledger: superblock: reserved bytes are in use");
	if (le32toh(sb.vms) != VM_MAX)
		return err_set(e, ERR_FORMAT, "ledger: made for %u VMs, but this build needs %d",
			       le32toh(sb.vms), VM_MAX);
	memcpy(g->ledger_uuid, sb.ledger_uuid, 16);
	memcpy(g->namespace_uuid, sb.namespace_uuid, 16);
	g->region_start = le64toh(sb.region_start);
	g->region_size = le64toh(sb.region_size);
	g->dataoff = le64toh(sb.dataoff);
	g->align = le64toh(sb.align);
	g->page_struct_size = le64toh(sb.page_struct_size);
	g->device_size = le64toh(sb.device_size);
	g->ledger_offset = le64toh(sb.ledger_offset);
	g->ledger_size = le64toh(sb.ledger_size);
	for (i = 0; i < LEDGER_AREAS; i++) {
		l->area[i].offset = le64toh(sb.area[i].offset);
		l->area[i].size = le64toh(sb.area[i].size);
	}
	g->in_file = sb.in_file & 1;
	g->region = sb.region;
	memcpy(g->fs_uuid, sb.fs_uuid, 16);
	memcpy(g->host_uuid, sb.host_uuid, 16);
	l->minor = minor;
	if (geometry_check(g, ERR_FORMAT, e) < 0 || areas_check(l->area, g->ledger_size, e) < 0)
		return -1;
	g->blob_offset = l->area[LEDGER_BLOBS].offset;
	g->blob_size = l->area[LEDGER_BLOBS].size;
	return 0;
}

/* Check one slot of the tail, including its payload. */
static void sb_head(const uint8_t *page, struct slot_head *h)
{
	struct ledger_line line;

	memcpy(&line, page, sizeof(line));
	line_decode(&line, LEDGER_MAGIC_SB, LEDGER_PAGE - LEDGER_LINE, h);
	if (h->status == SLOT_VALID && hash_xxh3(page + LEDGER_LINE, h->length, 0) != h->payload_xxh3)
		h->status = SLOT_DAMAGED;
}

/* Fills in everything of @l but the media. */
static int tail_decode(const uint8_t tail[LEDGER_TAIL], struct ledger *l, struct err *e)
{
	struct slot_head h[2];
	struct cursor c;
	unsigned int i, best;

	for (i = 0; i < 2; i++)
		sb_head(tail + i * LEDGER_PAGE, &h[i]);
	best = h[1].status == SLOT_VALID && (h[0].status != SLOT_VALID || h[1].seq > h[0].seq);
	if (h[best].status == SLOT_VALID) {
		c.at = tail + best * LEDGER_PAGE + LEDGER_LINE;
		c.left = h[best].length;
		return sb_decode(c, h[best].minor, l, e);
	}
	for (i = 0; i < 2; i++)
		if (h[i].status == SLOT_FOREIGN)
			return err_set(
				e, ERR_FORMAT,
				"ledger: its major version is %u, but this build reads %d; use the version of holdover that wrote it",
				h[i].major, LEDGER_MAJOR);
	for (i = 0; i < 2; i++)
		if (h[i].status == SLOT_DAMAGED)
			return err_set(
				e, ERR_CHECKSUM,
				"ledger: both superblock slots are damaged; restore the memory or write a new ledger with `holdover init --force`");
	return err_set(e, ERR_ABSENT,
		       "there is no ledger at the end of the device; `holdover init` writes one");
}

int ledger_tail_read(const uint8_t tail[LEDGER_TAIL], struct ledger_geometry *geo, struct err *e)
{
	struct ledger l = { .minor = 0 };

	if (tail_decode(tail, &l, e) < 0)
		return -1;
	*geo = l.geo;
	return 0;
}

int ledger_open(struct ledger *l, const struct ledger_media *media, struct err *e)
{
	struct ledger got = { .media = *media };
	uint8_t tail[LEDGER_TAIL];

	if (media->size < LEDGER_SIZE_MIN)
		return err_set(e, ERR_MISMATCH,
			       "ledger: %" PRIu64 " bytes are mapped, but no ledger is below 2 MiB",
			       media->size);
	if (media_copy(media, media->size - LEDGER_TAIL, tail, sizeof(tail), e) < 0 ||
	    tail_decode(tail, &got, e) < 0)
		return -1;
	if (got.geo.ledger_size != media->size)
		return err_set(e, ERR_MISMATCH,
			       "ledger: %" PRIu64
			       " bytes are mapped, but its superblock says %" PRIu64,
			       media->size, got.geo.ledger_size);
	*l = got;
	return 0;
}

static int sb_wipe(const struct ledger_media *m, struct err *e)
{
	static const struct ledger_line zero;
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (media_store(m, m->size - LEDGER_TAIL + i * LEDGER_PAGE, &zero, sizeof(zero), e) <
		    0)
			return -1;
	return 0;
}

/* Nothing of an earlier ledger may look valid in the new one. */
static int areas_clear(const struct ledger *l, struct err *e)
{
	static uint8_t zero[LEDGER_PAGE]; /* not const: takes no room in the program */
	uint64_t at;

	for (at = 0; at < LEDGER_BLOBS_OFFSET; at += sizeof(zero))
		if (media_store(&l->media, at, zero, sizeof(zero), e) < 0)
			return -1;
	return 0;
}

static int sb_write(const struct ledger *l, struct err *e)
{
	uint8_t page[LEDGER_PAGE] = { 0 };
	uint64_t at = l->media.size - LEDGER_TAIL;
	struct ledger_line line;
	struct ledger_sb sb;
	unsigned int i;

	sb_encode(l, &sb);
	memcpy(page, &sb, sizeof(sb));
	for (i = 0; i < 2; i++, at += LEDGER_PAGE) {
		line_encode(&line, LEDGER_MAGIC_SB, 1, &sb, sizeof(sb));
		if (media_store(&l->media, at + LEDGER_LINE, page, LEDGER_PAGE - LEDGER_LINE, e) < 0 ||
		    media_store(&l->media, at, &line, sizeof(line), e) < 0 ||
		    media_verify(&l->media, at, &line, sizeof(line), "the superblock", e) < 0 ||
		    media_verify(&l->media, at + LEDGER_LINE, &sb, sizeof(sb), "the superblock", e) <
			    0)
			return -1;
	}
	return 0;
}

static int info_write(const struct ledger *l, const uint8_t info[4096], struct err *e)
{
	struct ledger_line line;

	line_encode(&line, LEDGER_MAGIC_INFO, 1, info, LEDGER_PAGE);
	if (media_store(&l->media, LEDGER_INFO_OFFSET + LEDGER_PAGE, info, LEDGER_PAGE, e) < 0)
		return -1;
	return media_store(&l->media, LEDGER_INFO_OFFSET, &line, sizeof(line), e);
}

int ledger_format(const struct ledger_media *media, struct ledger_geometry *geo,
		  const uint8_t info_block[4096], struct err *e)
{
	static struct extent_table no_extents; /* not const: no room in the program */
	struct ledger l = { .media = *media, .minor = LEDGER_MINOR };

	if (geometry_check(geo, ERR_REFUSED, e) < 0)
		return -1;
	if (media->size != geo->ledger_size)
		return err_set(e, ERR_MISMATCH,
			       "ledger: %" PRIu64 " bytes are mapped for a ledger of %" PRIu64,
			       media->size, geo->ledger_size);
	if (sodium_init() < 0)
		return err_set(e, ERR_IO, "ledger: the system gives no random numbers for its uuid");
	randombytes_buf(geo->ledger_uuid, 16);
	/* RFC 9562: version 4, variant 10 */
	geo->ledger_uuid[6] = (geo->ledger_uuid[6] & 0x0f) | 0x40;
	geo->ledger_uuid[8] = (geo->ledger_uuid[8] & 0x3f) | 0x80;
	areas_plan(geo->ledger_size, l.area);
	geo->blob_offset = l.area[LEDGER_BLOBS].offset;
	geo->blob_size = l.area[LEDGER_BLOBS].size;
	l.geo = *geo;
	/* The superblock goes first and comes last: half a ledger is none. */
	if (sb_wipe(media, e) < 0 || areas_clear(&l, e) < 0 || info_write(&l, info_block, e) < 0 ||
	    ledger_extents_write(&l, &no_extents, e) < 0)
		return -1;
	return sb_write(&l, e);
}

int ledger_info_block(const struct ledger *l, uint8_t out[4096], struct err *e)
{
	uint64_t at = l->area[LEDGER_INFO].offset;
	uint8_t copy[LEDGER_PAGE];
	struct ledger_line line;
	struct slot_head h;

	if (media_copy(&l->media, at, &line, sizeof(line), e) < 0)
		return -1;
	line_decode(&line, LEDGER_MAGIC_INFO, LEDGER_PAGE, &h);
	if (h.status == SLOT_FOREIGN)
		return err_set(
			e, ERR_FORMAT,
			"ledger: the info-block copy has major version %u, but this build reads %d",
			h.major, LEDGER_MAJOR);
	if (media_copy(&l->media, at + LEDGER_PAGE, copy, sizeof(copy), e) < 0)
		return -1;
	if (h.status != SLOT_VALID || h.length != LEDGER_PAGE ||
	    hash_xxh3(copy, sizeof(copy), 0) != h.payload_xxh3)
		return err_set(e, ERR_CHECKSUM,
			       "ledger: its copy of the namespace's info block is damaged");
	memcpy(out, copy, sizeof(copy));
	return 0;
}
