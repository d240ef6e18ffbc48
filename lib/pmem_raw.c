/* SPDX-License-Identifier: GPL-2.0-only */
/* The raw block device of a namespace, and what its bytes mean. */
#include "pmem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>

#include "pmem_internal.h"

#define DATA_ALIGN (2ULL << 20)

int pmem_raw_open(struct pmem_nd *nd, int flags, struct pmem_raw *out, struct err *e)
{
	const char *bdev = ndctl_namespace_get_block_device(nd->ns);

	out->fd = -1;
	if (!bdev || !*bdev)
		return err_set(e, ERR_ABSENT, "%s: has no block device",
			       ndctl_namespace_get_devname(nd->ns));
	if (io_path(out->path, sizeof(out->path), e, "/dev/%s", bdev))
		return -1;
	out->fd = open(out->path, flags | O_DIRECT | O_CLOEXEC);
	if (out->fd < 0 && errno == EBUSY)
		return err_set(e, ERR_REFUSED, "%s: is mounted or otherwise in use", out->path);
	if (out->fd < 0)
		return err_sys(e, errno, "%s", out->path);
	if (ioctl(out->fd, BLKGETSIZE64, &out->size) == 0)
		return 0;
	err_sys(e, errno, "%s: size", out->path);
	pmem_raw_close(out);
	return -1;
}

void pmem_raw_close(struct pmem_raw *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

/* O_DIRECT wants aligned memory, so everything goes through one such buffer. */
static int transfer(const struct pmem_raw *r, uint64_t offset, void *in, const void *from,
		    size_t len, struct err *e)
{
	_cleanup_free_ void *buf = NULL;
	ssize_t n;

	if (offset > r->size || len > r->size - offset)
		return err_set(e, ERR_FORMAT, "%s: smaller than expected", r->path);
	if (posix_memalign(&buf, 4096, len))
		return err_sys(e, ENOMEM, "%s", r->path);
	if (in) {
		n = pread(r->fd, buf, len, (off_t)offset);
	} else {
		memcpy(buf, from, len);
		n = pwrite(r->fd, buf, len, (off_t)offset);
	}
	if (n < 0 || (size_t)n != len)
		return err_sys(e, n < 0 ? errno : EIO, "%s: %s %zu bytes at 0x%" PRIx64, r->path,
			       in ? "reading" : "writing", len, offset);
	if (in)
		memcpy(in, buf, len);
	else if (fsync(r->fd))
		return err_sys(e, errno, "%s: fsync", r->path);
	return 0;
}

int pmem_raw_read(const struct pmem_raw *r, uint64_t offset, void *out, size_t len, struct err *e)
{
	return transfer(r, offset, out, NULL, len, e);
}

int pmem_raw_write(const struct pmem_raw *r, uint64_t offset, const void *data, size_t len,
		   struct err *e)
{
	return transfer(r, offset, NULL, data, len, e);
}

int pmem_raw_ledger(const struct pmem_raw *r, uint64_t region_start, struct err *e)
{
	uint64_t end = (region_start + r->size) / DATA_ALIGN * DATA_ALIGN;
	struct ledger_geometry geo;
	uint8_t tail[LEDGER_TAIL];
	struct err why;

	if (end < region_start + LEDGER_TAIL)
		return 0;
	if (pmem_raw_read(r, end - region_start - LEDGER_TAIL, tail, sizeof(tail), e))
		return -1;
	/* A ledger that is damaged or too new to be read is one all the same. */
	return ledger_tail_read(tail, &geo, &why) == 0 || why.kind != ERR_ABSENT;
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
