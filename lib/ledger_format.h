/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of a ledger and of a ticket: the specification.
 *
 * Map of a ledger of L bytes (ledger_format() makes this one; a reader follows
 * the area table of the superblock):
 *
 *	0x00000	info block	line, 4032 unused bytes, 4096 bytes of payload
 *	0x02000	extents A	line, 4032 unused bytes, 4096 bytes of payload
 *	0x04000	extents B	the same
 *	0x06000	manifest A	line, 4032 unused bytes, up to 252 KiB payload
 *	0x46000	manifest B	the same
 *	0x86000	records A	64 state records, one line each
 *	0x87000	records B	the same
 *	0x88000	journal		ring of 1024 entries, one line each
 *	0x98000	blobs		device state, up to L - 8192
 *	L-8192	superblock A	line, payload, unused up to the end of the page
 *	L-4096	superblock B	the same
 *
 * Numbers are little-endian. A *line* is 64 bytes, aligned to 64: one cache
 * line, so that storing it is one store. A UUID is its 16 bytes in text order.
 * Unused bytes are never read. Reserved bytes are written as zero, and a
 * reader refuses others, except where a higher minor version gave them a
 * meaning. Checksums are XXH3-64, seed 0 unless said, over a line's first 56
 * bytes and over the payload's exact length. They find accidents; what is
 * executed or loaded (manifest, blobs) has a MAC as well, because a QEMU that
 * was broken into can write here and recompute any checksum.
 *
 * Versions. Every line but those of records and journal says major (from 1) and
 * minor. A reader refuses another major before it looks at anything else but
 * the magic, and accepts a higher minor, which may only add meaning to reserved bytes, JSON
 * members and states. All majors keep the magic and the version where they
 * are. To write a ledger of another major both superblock lines are zeroed
 * first, so a valid superblock of this major is never next to one of another.
 * Records and journal entries carry the major in their magic.
 *
 * Reading: copy to private memory (another holder of the device may write at
 * any time), then magic, major, length, checksum, MAC, and only then decode.
 *
 * Writing of an A/B pair, into the slot that is not the newest, each step
 * durable before the next:
 *	1. zero the line
 *	2. store the payload
 *	3. store the line, which makes the slot the newest
 * A crash leaves the older slot valid until the last word of step 3. Words of
 * one store reach the media in ascending order, so the line that a crash leaves
 * has a zero magic (step 1) or a zero checksum (step 3), and both mean EMPTY.
 * Any other line that fails its checks is damage and not a crash: then the pair
 * is refused as a whole, even if its other slot is valid, since the damaged
 * slot may have been the newest and going back is never harmless (an old
 * extent table gives away a VM's RAM, an old record resumes a VM twice).
 * Superblocks are the exception: both slots of one ledger say the same, and
 * either will do.
 *
 * Going back on purpose: whoever can write here can zero the newest line and so
 * bring the previous manifest, extent table or record back. The previous
 * manifest was sealed under another ticket, so a holder of the present ticket
 * gets STALE and nothing is resumed. A record brought back can spoil or repeat
 * the resume of VMs, which the notes under /run answer within one boot.
 */
#ifndef HOLDOVER_LEDGER_FORMAT_H
#define HOLDOVER_LEDGER_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger.h"

#define LEDGER_MAJOR 1
/* Minor 1: superblock and ticket say whether the ledger is a file on a DAX
 * file system and which; regions beside the ledger's own. Minor 2: VMs whose
 * RAM is of several parts, each with an extent. */
#define LEDGER_MINOR 2

/* Its first character is in it once. */
#define LEDGER_FORMAT_MARK "@(#)holdover ledger format "

#define LEDGER_LINE 64
#define LEDGER_PAGE 4096

/* 2 MiB: the smallest align of a devdax namespace, and half of it is left for
 * blobs (a VM's device state is about 300 KiB). */
#define LEDGER_SIZE_MIN (2ULL << 20)

/* Eight characters each, no terminator. */
#define LEDGER_MAGIC_SB "HOLDOVER"
#define LEDGER_MAGIC_INFO "HOLDinfo"
#define LEDGER_MAGIC_EXTENTS "HOLDextn"
#define LEDGER_MAGIC_MANIFEST "HOLDmani"
#define TICKET_MAGIC "HOLDtick"
/* Four characters, the last one is the major. */
#define LEDGER_MAGIC_RECORD "HRe1"
#define LEDGER_MAGIC_JOURNAL "HJo1"

typedef uint16_t le16;
typedef uint32_t le32;
typedef uint64_t le64;

#define _packed_ __attribute__((packed))

/* Head of every slot. */
struct ledger_line {
	uint8_t magic[8];
	le16 major;
	le16 minor;
	uint8_t reserved0[4];
	le64 seq;    /* higher is newer, from 1; the generation of a manifest */
	le64 length; /* of the payload, bytes */
	le64 payload_xxh3;
	uint8_t reserved1[16];
	le64 xxh3; /* of bytes 0 to 55 */
} _packed_;

static_assert(offsetof(struct ledger_line, major) == 8, "line");
static_assert(offsetof(struct ledger_line, minor) == 10, "line");
static_assert(offsetof(struct ledger_line, seq) == 16, "line");
static_assert(offsetof(struct ledger_line, length) == 24, "line");
static_assert(offsetof(struct ledger_line, payload_xxh3) == 32, "line");
static_assert(offsetof(struct ledger_line, xxh3) == 56, "line");
static_assert(sizeof(struct ledger_line) == LEDGER_LINE, "line");

struct ledger_area_media {
	le64 offset; /* from the start of the ledger, a multiple of 4096 */
	le64 size;   /* a multiple of 4096 */
} _packed_;

/* Payload of a superblock, 64 bytes after the start of its page. The areas
 * are in the order of enum ledger_area_id, ascending and disjoint. */
struct ledger_sb {
	uint8_t ledger_uuid[16];
	uint8_t namespace_uuid[16];
	le64 region_start;
	le64 region_size;
	le64 dataoff;
	le64 align;
	le64 page_struct_size;
	le64 device_size;
	le64 ledger_offset;
	le64 ledger_size;
	struct ledger_area_media area[6];
	le32 vms;	       /* records and extents: 64 */
	uint8_t in_file;       /* minor 1: 1: the ledger is a file on a DAX file system */
	uint8_t region;	       /* minor 1: number of the region, 0: the ledger's own */
	uint8_t fs_uuid[16];   /* minor 1: of that file system */
	uint8_t host_uuid[16]; /* minor 1: of a stamp: uuid of the host's ledger */
	uint8_t reserved[26];
} _packed_;

static_assert(LEDGER_AREAS == 6, "sb");
static_assert(offsetof(struct ledger_sb, region_start) == 32, "sb");
static_assert(offsetof(struct ledger_sb, dataoff) == 48, "sb");
static_assert(offsetof(struct ledger_sb, page_struct_size) == 64, "sb");
static_assert(offsetof(struct ledger_sb, ledger_offset) == 80, "sb");
static_assert(offsetof(struct ledger_sb, area) == 96, "sb");
static_assert(offsetof(struct ledger_sb, vms) == 192, "sb");
static_assert(offsetof(struct ledger_sb, in_file) == 196, "sb");
static_assert(offsetof(struct ledger_sb, fs_uuid) == 198, "sb");
static_assert(offsetof(struct ledger_sb, host_uuid) == 214, "sb");
static_assert(sizeof(struct ledger_sb) == 256, "sb");

/* A region beside the ledger's own ends in a *stamp*, which has the form of a
 * small ledger: its superblock has the region's number and the uuid of the
 * host's ledger, and its newest manifest ("{}", under the ticket) the generation of the jump
 * that has last sealed RAM in the region. Extents, records, journal and blobs
 * of a stamp are unused. */

/* 64 of these are the payload of an extent slot. Name padded with zeros; an
 * unused entry is all zero. Offsets being multiples of 4096 at least, the
 * lowest byte of the number has another meaning from minor 1 on: bits 0 to 3
 * are the number of the region, bit 7 says that the RAM is a file, whose
 * offset is 0. From minor 2 on bits 4 to 6 are the number of the part of the
 * VM's RAM that this is: a VM of several parts has as many entries of its name,
 * numbered from 0, and that of part 0 is its index. (An older reader takes such
 * an offset for a misaligned one, and refuses the table.) */
struct ledger_extent_media {
	char name[48];
	le64 offset; /* on the device */
	le64 size;
} _packed_;

#define LEDGER_EXTENT_REGION 0x0fu
#define LEDGER_EXTENT_PART_SHIFT 4
#define LEDGER_EXTENT_PART 0x70u
#define LEDGER_EXTENT_IN_FILE 0x80u

static_assert(LEDGER_REGIONS == LEDGER_EXTENT_REGION + 1, "extent");
static_assert(VM_PARTS_MAX == (LEDGER_EXTENT_PART >> LEDGER_EXTENT_PART_SHIFT) + 1, "extent");
static_assert(VM_NAME_MAX + 1 == 48, "extent");
static_assert(VM_MAX == 64, "records and extents are sized for 64 VMs");
static_assert(offsetof(struct ledger_extent_media, offset) == 48, "extent");
static_assert(sizeof(struct ledger_extent_media) == LEDGER_LINE, "extent");

/* Payload of a manifest slot: this, then the JSON text without terminator.
 * mac: BLAKE2b-256 keyed with the ticket, over
 *	32 bytes "holdover manifest" padded with zeros, ledger uuid,
 *	le64 generation, ticket id, le64 length of the JSON, the JSON.
 * From minor 2 on a VM of several parts has "ram" in place of "memdev",
 * "extent", "canary": an older reader misses these, and refuses the manifest.
 * ticket_id: BLAKE2b-128, no key, over
 *	32 bytes "holdover ticket id" padded with zeros, the key. */
struct ledger_manifest_media {
	uint8_t mac[32];
	uint8_t ticket_id[16];
	uint8_t ledger_uuid[16];
} _packed_;

static_assert(sizeof(struct ledger_manifest_media) == 64, "manifest");

/* A blob has no head: place, length, XXH3 and MAC are in the manifest.
 * mac: BLAKE2b-256 keyed with the ticket, over
 *	32 bytes "holdover blob" padded with zeros, 48 bytes of VM name padded
 *	with zeros, le64 generation, le64 length, the content. */

/* One state record. Record I lies in line I of both halves of the area. The
 * seed of its checksum is 2 * I + half + 1, so that a record in another's
 * place is damaged. Written by zeroing the line and storing it. */
struct ledger_record_media {
	uint8_t magic[4];
	uint8_t state;	/* enum vm_state */
	uint8_t reason; /* enum err_kind */
	le16 attempt;
	le64 generation;
	le64 seq; /* higher is newer, from 1 */
	uint8_t ticket_id[16];
	uint8_t boot_id[16];
	le64 xxh3;
} _packed_;

static_assert(offsetof(struct ledger_record_media, state) == 4, "record");
static_assert(offsetof(struct ledger_record_media, attempt) == 6, "record");
static_assert(offsetof(struct ledger_record_media, generation) == 8, "record");
static_assert(offsetof(struct ledger_record_media, seq) == 16, "record");
static_assert(offsetof(struct ledger_record_media, ticket_id) == 24, "record");
static_assert(offsetof(struct ledger_record_media, boot_id) == 40, "record");
static_assert(offsetof(struct ledger_record_media, xxh3) == 56, "record");
static_assert(sizeof(struct ledger_record_media) == LEDGER_LINE, "record");

/* One entry of the phase journal, in place seq % (entries of the area). */
struct ledger_journal_media {
	uint8_t magic[4];
	le16 phase; /* enum phase */
	le16 vm;    /* index, or 0xffff: the host */
	le64 seq;   /* from 1 */
	le64 generation;
	le64 tsc;
	le64 tsc_hz;
	le64 realtime_ns;
	uint8_t reserved[8];
	le64 xxh3;
} _packed_;

static_assert(offsetof(struct ledger_journal_media, phase) == 4, "journal");
static_assert(offsetof(struct ledger_journal_media, seq) == 8, "journal");
static_assert(offsetof(struct ledger_journal_media, tsc) == 24, "journal");
static_assert(offsetof(struct ledger_journal_media, xxh3) == 56, "journal");
static_assert(sizeof(struct ledger_journal_media) == LEDGER_LINE, "journal");

/* A ticket file. */
struct ticket_media {
	uint8_t magic[8];
	le16 major;
	le16 minor;
	uint8_t reserved0[4];
	le64 generation;
	le64 region_start;
	le64 region_size;
	uint8_t namespace_uuid[16];
	uint8_t ledger_uuid[16];
	uint8_t key[32];
	uint8_t fs_uuid[16]; /* minor 1: of the ledger's file system, or zero */
	uint8_t reserved1[64];
	le64 xxh3; /* of bytes 0 to 183 */
} _packed_;

static_assert(offsetof(struct ticket_media, generation) == 16, "ticket");
static_assert(offsetof(struct ticket_media, namespace_uuid) == 40, "ticket");
static_assert(offsetof(struct ticket_media, key) == 72, "ticket");
static_assert(offsetof(struct ticket_media, fs_uuid) == 104, "ticket");
static_assert(offsetof(struct ticket_media, xxh3) == 184, "ticket");
static_assert(sizeof(struct ticket_media) == 192, "ticket");

/* The map above. */
#define LEDGER_INFO_OFFSET 0x00000u
#define LEDGER_EXTENTS_OFFSET 0x02000u
#define LEDGER_EXTENTS_SLOT 0x02000u
#define LEDGER_MANIFEST_OFFSET 0x06000u
#define LEDGER_MANIFEST_SLOT 0x40000u
#define LEDGER_RECORDS_OFFSET 0x86000u
#define LEDGER_RECORDS_HALF 0x01000u
#define LEDGER_JOURNAL_OFFSET 0x88000u
#define LEDGER_JOURNAL_SIZE 0x10000u
#define LEDGER_BLOBS_OFFSET 0x98000u

static_assert(LEDGER_TAIL == 2 * LEDGER_PAGE, "two superblock pages");
static_assert(LEDGER_RECORDS_HALF == VM_MAX * LEDGER_LINE, "records");
static_assert(LEDGER_LINE + sizeof(struct ledger_sb) <= LEDGER_PAGE, "sb");
static_assert(sizeof(struct ledger_extent_media) * VM_MAX == LEDGER_PAGE, "");

#endif
