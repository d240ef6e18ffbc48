/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Regions, namespaces and the mapping of the ledger. Nothing is named by a
 * device number: a region is its physical start and size, a namespace its
 * uuid.
 */
#ifndef HOLDOVER_PMEM_H
#define HOLDOVER_PMEM_H

#include "ledger.h"

/** struct pmem_range - a legacy-pmem range as memmap=SIZE!START makes it */
struct pmem_range {
	uint64_t start;
	uint64_t size;
};

#define PMEM_RANGES_MAX 32

/** pmem_iomem_ranges() - "Persistent Memory (legacy)" lines of /proc/iomem
 * (root only: others read zero addresses, which is REFUSED). Returns how many,
 * or -1. */
int pmem_iomem_ranges(struct pmem_range out[PMEM_RANGES_MAX], struct err *e);

/** pmem_load_modules() - load nd_e820, nd_pmem, dax_pmem, device_dax and what
 * they need through libkmod, `install` and `remove` commands of modprobe.d
 * ignored (KMOD_PROBE_IGNORE_COMMAND). Built-in or loaded modules are fine; a
 * module that this kernel does not have is ABSENT, naming it. Waits until the
 * bus has probed. */
_must_check_ int pmem_load_modules(struct err *e);

/** pmem_load_named_modules() - the same for any modules (kvm, tun, ...); stops
 * at the first that fails. */
_must_check_ int pmem_load_named_modules(const char *const *names, size_t n, struct err *e);

/** enum pmem_mode - what a namespace is made for
 * @PMEM_DEVDAX: a character device that is mapped in parts
 * @PMEM_FSDAX: a block device with a file system whose files are mapped
 */
enum pmem_mode { PMEM_DEVDAX, PMEM_FSDAX };

/**
 * struct pmem_device - a devdax or fsdax namespace that is up
 * @mode: which of the two
 * @region_start: physical
 * @region_size: bytes
 * @namespace_uuid: of the dax or pfn instance
 * @path: /dev/daxX.Y or /dev/pmemX of this boot
 * @size: bytes of the device
 * @align: bytes
 * @dataoff: offset of the data in the region, from sysfs
 * @page_struct_size: set by pmem_info_block(), 0 until then: sysfs does not
 *	show it
 */
struct pmem_device {
	uint64_t region_start;
	uint64_t region_size;
	uint8_t namespace_uuid[16];
	char path[64];
	uint64_t size;
	uint64_t align;
	uint64_t dataoff;
	uint64_t page_struct_size;
	enum pmem_mode mode;
};

/** pmem_find() - the devdax or fsdax namespace on the region [start, start+size).
 *
 * @want_uuid: what its uuid must be, or NULL
 *
 * Enables it if it is there but disabled. ABSENT: no such region (the text
 * lists the regions there are) or no namespace; MISMATCH: another size, start
 * or uuid; REFUSED: it came up raw or in a third mode. Never writes to the
 * media. Waits for the device node through a bounded poll of the driver core
 * (devtmpfs makes it when the driver binds).
 */
_must_check_ int pmem_find(uint64_t start, uint64_t size, const uint8_t *want_uuid,
			   struct pmem_device *out, struct err *e);

/**
 * pmem_find_mending() - pmem_find() that does not give up on a damaged info block
 *
 * @mended: out, whether something was done to get there
 *
 * A namespace that came up raw although the region ends in a ledger gets back the info block that the ledger has a verbatim
 * copy of, and is enabled again. That is done only if ledger, copy and region agree on start, size, data offset, alignment
 * and struct-page size, and nothing but a damaged block is where it goes. Afterwards uuid, size and offsets must be what the
 * ledger says. Kinds as pmem_find(); what cannot be mended is REFUSED with the reason, and nothing was written. (The kernel
 * itself writes a new block only for a namespace that somebody sets up, never while it probes one.)
 */
_must_check_ int pmem_find_mending(uint64_t start, uint64_t size, const uint8_t *want_uuid,
				   struct pmem_device *out, bool *mended, struct err *e);

/** pmem_create() - make a namespace (map=dev) on a region that has none; what
 * `ndctl create-namespace -m devdax` or `-m fsdax` does. @align: bytes, 2M or 1G. REFUSED if the
 * region's first 8 KiB hold an info block, or its raw device holds a ledger,
 * a file system or any other data known to libblkid-like magic numbers, unless
 * @force. */
_must_check_ int pmem_create(uint64_t start, uint64_t size, enum pmem_mode mode, uint64_t align,
			     bool force, struct pmem_device *out, struct err *e);

/** pmem_info_block() - read the info block (4 KiB at +4 KiB) of the region.
 *
 * Nothing can read it while the namespace is enabled, so this takes the
 * namespace down, reads it raw, and enables it again: REFUSED if a process maps
 * the device. The device may come back under another number: @dev is renewed,
 * and gets its page_struct_size. A namespace that came up raw is read without
 * all this, see pmem_raw_open().
 */
_must_check_ int pmem_info_block(struct pmem_device *dev, uint8_t out[4096], struct err *e);

/** struct pmem_map - the ledger's extent, mapped */
struct pmem_map {
	struct ledger_media media;
	int fd;
	bool is_file;
};

/** pmem_map_ledger() - map the last @size bytes of the device, MAP_SYNC.
 * @media.store copies and persists with libpmem. On a regular file (tests) it
 * is MAP_SHARED and msync. Unmap with pmem_map_close(). */
_must_check_ int pmem_map_ledger(const char *path, uint64_t device_size, uint64_t size,
				 struct pmem_map *out, struct err *e);
void pmem_map_close(struct pmem_map *m);
#define _cleanup_pmem_map_ _cleanup_(pmem_map_close)

/** pmem_open_ledger() - read the superblock at the end of the device, map the
 * whole ledger, open it, and compare it with @dev. */
_must_check_ int pmem_open_ledger(const struct pmem_device *dev, struct pmem_map *map,
				  struct ledger *l, struct err *e);

/** pmem_check_blank() - REFUSED if the device seems to be in use: something is
 * in its first 4 KiB, or in the first or last pages of where a ledger of
 * @ledger_size would lie. Only reads. */
_must_check_ int pmem_check_blank(const struct pmem_device *dev, uint64_t ledger_size, struct err *e);

/** pmem_check_content() - REFUSED if the first 128 KiB of a block device look
 * like a file system or other data that is known by its magic numbers. */
_must_check_ int pmem_check_content(const char *path, struct err *e);

/** pmem_zero() - zero @size bytes at @offset of the device, so that a fresh
 * VM never sees another tenant's RAM; maps piecewise. */
_must_check_ int pmem_zero(const char *path, uint64_t offset, uint64_t size, struct err *e);

#endif
