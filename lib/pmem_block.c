/* SPDX-License-Identifier: GPL-2.0-only */
/* What the bytes at both ends of a region mean: an info block, a ledger, or other people's data. */
#include <string.h>

#include "pmem_internal.h"

#define DATA_ALIGN (2ULL << 20)

/* struct nd_pfn_sb, drivers/nvdimm/pfn.h: little-endian, fixed offsets. */
enum {
	SB_SIGNATURE = 0,
	SB_UUID = 16,
	SB_DATAOFF = 56,
	SB_START_PAD = 76,
	SB_ALIGN = 84,
	SB_PAGE_STRUCT_SIZE = 92,
	SB_CHECKSUM = 4088,
};

static uint64_t le(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

/* The driver's Fletcher sum, over the block with its sum taken as zero. */
uint64_t pmem_info_checksum(const uint8_t block[PMEM_INFO_SIZE])
{
	uint64_t hi = 0;
	uint32_t lo = 0;

	for (unsigned int i = 0; i < PMEM_INFO_SIZE; i += 4) {
		if (i < SB_CHECKSUM)
			lo += (uint32_t)le(block + i, 4);
		hi += lo;
	}
	return hi << 32 | lo;
}

int pmem_info_decode(const uint8_t block[PMEM_INFO_SIZE], struct pmem_device *dev, struct err *e)
{
	static const char signature[][16] = {
		[PMEM_DEVDAX] = "NVDIMM_DAX_INFO",
		[PMEM_FSDAX] = "NVDIMM_PFN_INFO",
	};
	enum pmem_mode mode = PMEM_DEVDAX;

	if (!memcmp(block + SB_SIGNATURE, signature[PMEM_FSDAX], sizeof(signature[0])))
		mode = PMEM_FSDAX;
	else if (memcmp(block + SB_SIGNATURE, signature[PMEM_DEVDAX], sizeof(signature[0])))
		return err_set(e, ERR_ABSENT, "no devdax or fsdax info block there");
	if (le(block + SB_CHECKSUM, 8) != pmem_info_checksum(block))
		return err_set(e, ERR_CHECKSUM, "info block: checksum is wrong");
	dev->mode = mode;
	memcpy(dev->namespace_uuid, block + SB_UUID, sizeof(dev->namespace_uuid));
	dev->dataoff = le(block + SB_DATAOFF, 8) + le(block + SB_START_PAD, 4);
	dev->align = le(block + SB_ALIGN, 4);
	dev->page_struct_size = le(block + SB_PAGE_STRUCT_SIZE, 2);
	return 0;
}

int pmem_raw_geometry(const struct pmem_raw *r, uint64_t region_start, struct ledger_geometry *geo,
		      struct err *e)
{
	uint64_t end = (region_start + r->size) / DATA_ALIGN * DATA_ALIGN;
	uint8_t tail[LEDGER_TAIL];

	if (end < region_start + LEDGER_TAIL)
		return err_set(e, ERR_ABSENT, "%s: too small for a ledger", r->path);
	if (pmem_raw_read(r, end - region_start - LEDGER_TAIL, tail, sizeof(tail), e))
		return -1;
	return ledger_tail_read(tail, geo, e);
}

int pmem_raw_ledger(const struct pmem_raw *r, uint64_t region_start, struct err *e)
{
	struct ledger_geometry geo;
	struct err why;

	/* A ledger that is damaged or too new to be read is one all the same. */
	if (pmem_raw_geometry(r, region_start, &geo, &why) == 0 || why.kind == ERR_FORMAT ||
	    why.kind == ERR_CHECKSUM)
		return 1;
	if (why.kind == ERR_ABSENT)
		return 0;
	*e = why;
	return -1;
}

const char *pmem_content_name(const uint8_t *head, size_t len)
{
	static const struct {
		uint32_t offset;
		uint8_t len;
		const char *magic;
		const char *name;
	} known[] = {
		{ PMEM_INFO_OFFSET, 15, "NVDIMM_PFN_INFO", "the info block of an fsdax namespace" },
		{ PMEM_INFO_OFFSET, 15, "NVDIMM_DAX_INFO", "the info block of a devdax namespace" },
		{ PMEM_INFO_OFFSET, 14, "BTT_ARENA_INFO",
		  "the info block of a sector-mode namespace" },
		{ 0x438, 2, "\x53\xef", "an ext2, ext3 or ext4 file system" },
		{ 0, 4, "XFSB", "an XFS file system" },
		{ 0x10040, 8, "_BHRfS_M", "a btrfs file system" },
		{ 1024, 4, "\x10\x20\xf5\xf2", "an F2FS file system" },
		{ 1024, 4, "\xe2\xe1\xf5\xe0", "an EROFS file system" },
		{ 0, 4, "hsqs", "a squashfs file system" },
		{ 0, 6, "LUKS\xba\xbe", "a LUKS volume" },
		{ 512, 8, "LABELONE", "an LVM physical volume" },
		{ 512, 8, "EFI PART", "a GPT partition table" },
		{ 4096, 4, "\xfc\x4e\x2b\xa9", "a member of an md array" },
		{ 4086, 10, "SWAPSPACE2", "swap space" },
		{ 510, 2, "\x55\xaa", "a boot sector or partition table" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].offset + known[i].len <= len &&
		    !memcmp(head + known[i].offset, known[i].magic, known[i].len))
			return known[i].name;
	return NULL;
}
