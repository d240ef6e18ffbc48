/* SPDX-License-Identifier: GPL-2.0-only */
/* What the pmem_*.c files share; the interface is pmem.h. */
#ifndef HOLDOVER_PMEM_INTERNAL_H
#define HOLDOVER_PMEM_INTERNAL_H

#include <ndctl/libndctl.h>

#include "pmem.h"

/** pmem_iomem_parse() - pmem_iomem_ranges() on a text. */
int pmem_iomem_parse(const char *text, struct pmem_range out[PMEM_RANGES_MAX], struct err *e);

/**
 * struct pmem_nd - one region as libndctl sees it
 * @ctx: owned
 * @bus: that the region is on
 * @region: the region asked for
 * @ns: its namespace; a label-less region always has exactly one
 */
struct pmem_nd {
	struct ndctl_ctx *ctx;
	struct ndctl_bus *bus;
	struct ndctl_region *region;
	struct ndctl_namespace *ns;
};

/** pmem_nd_open() - find the region [start, start+size) and its namespace.
 * Kinds as pmem_find(). */
_must_check_ int pmem_nd_open(struct pmem_nd *nd, uint64_t start, uint64_t size, struct err *e);
void pmem_nd_close(struct pmem_nd *nd);
#define _cleanup_pmem_nd_ _cleanup_(pmem_nd_close)

/** pmem_in_use() - REFUSED naming the first process that maps @path. A device
 * that is taken down while it is mapped kills whoever maps it. */
_must_check_ int pmem_in_use(const char *path, struct err *e);

/* The info block lies 4 KiB into the namespace and is 4 KiB long; 8 KiB in
 * front of the data belong to it. */
#define PMEM_INFO_OFFSET 4096
#define PMEM_INFO_SIZE 4096

/**
 * struct pmem_raw - the raw block device of a namespace
 * @fd: O_EXCL, O_DIRECT
 * @path: /dev/pmemX
 */
struct pmem_raw {
	int fd;
	char path[64];
	uint64_t size;
};

/** pmem_raw_open() - open the raw device of an enabled namespace that nothing
 * has claimed. REFUSED if it is mounted or otherwise held. */
_must_check_ int pmem_raw_open(struct pmem_nd *nd, int flags, struct pmem_raw *out, struct err *e);
/** pmem_raw_open_path() - the same by the device's path. */
_must_check_ int pmem_raw_open_path(const char *path, int flags, struct pmem_raw *out, struct err *e);
void pmem_raw_close(struct pmem_raw *r);
#define _cleanup_pmem_raw_ _cleanup_(pmem_raw_close)

/** pmem_raw_read() - read @len bytes at @offset, both multiples of 512. */
_must_check_ int pmem_raw_read(const struct pmem_raw *r, uint64_t offset, void *out, size_t len,
			       struct err *e);

/** pmem_raw_write() - as pmem_raw_read(), the other way, durable. */
_must_check_ int pmem_raw_write(const struct pmem_raw *r, uint64_t offset, const void *data,
				size_t len, struct err *e);

/** pmem_raw_geometry() - what the ledger's superblock says that the raw device ends in, that is at the 2 MiB boundary at
 * or below the region's end. ABSENT, FORMAT, CHECKSUM as ledger_tail_read(). */
_must_check_ int pmem_raw_geometry(const struct pmem_raw *r, uint64_t region_start,
				   struct ledger_geometry *geo, struct err *e);

/** pmem_raw_ledger() - 1 if the raw device ends in a ledger's superblock, that
 * is at the 2 MiB boundary at or below the region's end; 0, or -1. */
int pmem_raw_ledger(const struct pmem_raw *r, uint64_t region_start, struct err *e);

/** pmem_content_name() - what the first 128 KiB of a device look like: "an
 * ext2/3/4 file system", or NULL for nothing known. */
const char *pmem_content_name(const uint8_t *head, size_t len);
#define PMEM_HEAD (128u << 10)

/** pmem_info_decode() - check the parts of an info block that are relied on
 * (signature, checksum) and read mode, @dataoff, @page_struct_size and the
 * uuid. */
_must_check_ int pmem_info_decode(const uint8_t block[PMEM_INFO_SIZE], struct pmem_device *dev,
				  struct err *e);

/** pmem_info_checksum() - the driver's sum over an info block, its own field taken as zero. */
uint64_t pmem_info_checksum(const uint8_t block[PMEM_INFO_SIZE]);

/** pmem_raw_claim() - open the raw device of the region's namespace, if that is enabled and raw, exclusively. 1; 0 if it is
 * anything else; -1, as pmem_nd_open() and pmem_raw_open(). */
int pmem_raw_claim(uint64_t start, uint64_t size, struct pmem_raw *out, struct err *e);

/** pmem_raw_restart() - take a raw namespace down, so that pmem_find() enables it as what its info block says. Its device must
 * be closed. */
_must_check_ int pmem_raw_restart(uint64_t start, uint64_t size, struct err *e);

/**
 * struct pmem_mend - what decides whether an info block may be written back
 * @start: of the region, physical
 * @size: of the region, bytes
 * @head: its first 8 KiB, the info block among them
 * @geo: from the ledger's superblock
 * @copy: the ledger's verbatim copy of the info block
 */
struct pmem_mend {
	uint64_t start, size;
	uint8_t head[PMEM_INFO_OFFSET + PMEM_INFO_SIZE];
	struct ledger_geometry geo;
	uint8_t copy[PMEM_INFO_SIZE];
};

/** pmem_mend_check() - what is to be done: 1 if the copy belongs here and nothing but damage is in its place, 0 if the info
 * block is already the copy, -1 with REFUSED and the reason. Only looks. */
int pmem_mend_check(const struct pmem_mend *m, struct err *e);

#endif
