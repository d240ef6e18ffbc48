/* SPDX-License-Identifier: GPL-2.0-only */
#include "pmem.h"

#include <daxctl/libdaxctl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "pmem_internal.h"

/* devtmpfs makes the node while the driver binds, so this is generous. */
#define NODE_WAIT_MS 5000

static int nd_new(struct ndctl_ctx **ctx, struct err *e)
{
	int rc;

	/* libndctl waits up to 5 s for udev's queue to run empty, each time it
	 * lists devices. Nothing here depends on udev: the nodes are made by
	 * devtmpfs. (0 would mean: wait for ever.) */
	if (setenv("NDCTL_TIMEOUT", "1", 1))
		return err_sys(e, errno, "NDCTL_TIMEOUT");
	rc = ndctl_new(ctx);
	if (rc)
		return err_sys(e, -rc, "libndctl");
	ndctl_set_log_priority(*ctx, 0);
	return 0;
}

static void list_region(char *list, size_t size, uint64_t start, uint64_t bytes)
{
	size_t n = strlen(list);
	char text[32];

	io_format_size(bytes, text, sizeof(text));
	snprintf(list + n, size - n, "%s%s at 0x%" PRIx64, n ? ", " : "", text, start);
}

static int no_region(uint64_t start, uint64_t size, bool overlap, const char *list, struct err *e)
{
	char text[32];

	io_format_size(size, text, sizeof(text));
	return err_set(e, overlap ? ERR_MISMATCH : ERR_ABSENT,
		       "no pmem region of %s at 0x%" PRIx64
		       ": this kernel has %s; check memmap= on its command line",
		       text, start, *list ? list : "none");
}

int pmem_nd_open(struct pmem_nd *nd, uint64_t start, uint64_t size, struct err *e)
{
	bool overlap = false;
	char list[512] = "";

	memset(nd, 0, sizeof(*nd));
	if (nd_new(&nd->ctx, e))
		return -1;
	ndctl_bus_foreach(nd->ctx, nd->bus) {
		ndctl_bus_wait_probe(nd->bus);
		ndctl_region_foreach(nd->bus, nd->region) {
			uint64_t at = ndctl_region_get_resource(nd->region);
			uint64_t len = ndctl_region_get_size(nd->region);

			if (at == start && len == size)
				goto found;
			if (at == ULLONG_MAX)
				continue;
			overlap |= at < start + size && start < at + len;
			list_region(list, sizeof(list), at, len);
		}
	}
	no_region(start, size, overlap, list, e);
	pmem_nd_close(nd);
	return -1;
found:
	nd->ns = ndctl_namespace_get_first(nd->region);
	if (nd->ns)
		return 0;
	err_set(e, ERR_ABSENT, "%s: has no namespace device: is module nd_pmem loaded?",
		ndctl_region_get_devname(nd->region));
	pmem_nd_close(nd);
	return -1;
}

void pmem_nd_close(struct pmem_nd *nd)
{
	if (nd->ctx)
		ndctl_unref(nd->ctx);
	memset(nd, 0, sizeof(*nd));
}

static int wait_node(const char *path, struct err *e)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	int64_t end = io_now_ms() + NODE_WAIT_MS;

	while (access(path, R_OK | W_OK)) {
		if (errno != ENOENT || io_now_ms() > end)
			return err_sys(e, errno, "%s did not appear; is devtmpfs mounted on /dev?",
				       path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* The device that the driver core made of an enabled dax instance. */
static int describe_node(struct ndctl_dax *dax, struct pmem_device *out, struct err *e)
{
	struct daxctl_region *region = ndctl_dax_get_daxctl_region(dax);
	struct daxctl_dev *dev, *used = NULL;

	if (!region)
		return err_set(e, ERR_IO, "%s: libdaxctl cannot read it", ndctl_dax_get_devname(dax));
	daxctl_dev_foreach(region, dev) {
		if (used)
			return err_set(e, ERR_REFUSED, "%s: is divided into several dax devices",
				       ndctl_dax_get_devname(dax));
		used = dev;
	}
	if (!used)
		return err_set(e, ERR_IO, "%s: has no dax device: is module dax_pmem loaded?",
			       ndctl_dax_get_devname(dax));
	if (daxctl_dev_get_memory(used))
		return err_set(
			e, ERR_REFUSED,
			"%s: is in use as system RAM; undo it with 'daxctl reconfigure-device --mode=devdax'",
			daxctl_dev_get_devname(used));
	if (!daxctl_dev_is_enabled(used) && daxctl_dev_enable_devdax(used))
		return err_set(e, ERR_REFUSED,
			       "%s: driver device_dax does not take it; see the kernel log",
			       daxctl_dev_get_devname(used));
	if (io_path(out->path, sizeof(out->path), e, "/dev/%s", daxctl_dev_get_devname(used)))
		return -1;
	out->size = daxctl_dev_get_size(used);
	return wait_node(out->path, e);
}

/* @resource: physical address of the data. */
static int describe(struct pmem_nd *nd, uint64_t resource, enum pmem_mode mode,
		    struct pmem_device *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	out->mode = mode;
	out->region_start = ndctl_region_get_resource(nd->region);
	out->region_size = ndctl_region_get_size(nd->region);
	if (resource == ULLONG_MAX || resource < out->region_start)
		return err_set(e, ERR_IO, "%s: the kernel does not say where its data starts",
			       ndctl_namespace_get_devname(nd->ns));
	out->dataoff = resource - out->region_start;
	return 0;
}

static int describe_dax(struct pmem_nd *nd, struct ndctl_dax *dax, struct pmem_device *out,
			struct err *e)
{
	if (describe(nd, ndctl_dax_get_resource(dax), PMEM_DEVDAX, out, e))
		return -1;
	out->align = ndctl_dax_get_align(dax);
	ndctl_dax_get_uuid(dax, out->namespace_uuid);
	return describe_node(dax, out, e);
}

static int describe_pfn(struct pmem_nd *nd, struct ndctl_pfn *pfn, struct pmem_device *out,
			struct err *e)
{
	const char *bdev = ndctl_pfn_get_block_device(pfn);

	if (describe(nd, ndctl_pfn_get_resource(pfn), PMEM_FSDAX, out, e))
		return -1;
	out->align = ndctl_pfn_get_align(pfn);
	out->size = ndctl_pfn_get_size(pfn);
	ndctl_pfn_get_uuid(pfn, out->namespace_uuid);
	if (!bdev || !*bdev)
		return err_set(e, ERR_IO, "%s: has no block device", ndctl_pfn_get_devname(pfn));
	if (io_path(out->path, sizeof(out->path), e, "/dev/%s", bdev))
		return -1;
	return wait_node(out->path, e);
}

/* Why an enabled namespace is neither a devdax nor an fsdax namespace. */
static int not_ours(struct pmem_nd *nd, struct err *e)
{
	const char *name = ndctl_namespace_get_devname(nd->ns);
	_cleanup_pmem_raw_ struct pmem_raw raw = { .fd = -1 };
	_Alignas(4096) uint8_t block[PMEM_INFO_SIZE];
	struct pmem_device ignored;
	int ledger;

	if (ndctl_namespace_get_btt(nd->ns))
		return err_set(e, ERR_REFUSED,
			       "%s: is a sector-mode (BTT) namespace, not devdax or fsdax", name);
	if (pmem_raw_open(nd, O_RDONLY, &raw, e) ||
	    pmem_raw_read(&raw, PMEM_INFO_OFFSET, block, sizeof(block), e))
		return -1;
	ledger = pmem_raw_ledger(&raw, ndctl_region_get_resource(nd->region), e);
	if (ledger < 0)
		return -1;
	if (ledger)
		return err_set(
			e, ERR_REFUSED,
			"%s: came up raw as %s although it holds a ledger: its info block is damaged or this kernel does not accept it; see the kernel log",
			name, raw.path);
	if (pmem_info_decode(block, &ignored, e) == 0)
		return err_set(
			e, ERR_REFUSED,
			"%s: came up raw as %s although its info block is intact: this kernel does not accept it; see the kernel log",
			name, raw.path);
	return err_set(e, ERR_ABSENT,
		       "%s: holds no devdax or fsdax namespace; 'holdover init' makes one", name);
}

/* Bind what is unbound. Afterwards libndctl's view may be out of date. */
static int enable(struct pmem_nd *nd, struct err *e)
{
	struct ndctl_dax *dax = ndctl_namespace_get_dax(nd->ns);
	struct ndctl_pfn *pfn = ndctl_namespace_get_pfn(nd->ns);
	int rc;

	rc = dax    ? ndctl_dax_enable(dax) :
		pfn ? ndctl_pfn_enable(pfn) :
		      ndctl_namespace_enable(nd->ns);
	if (rc < 0)
		return err_set(e, ERR_REFUSED,
			       "%s: the kernel refuses to enable it; see the kernel log",
			       ndctl_namespace_get_devname(nd->ns));
	return 0;
}

int pmem_find(uint64_t start, uint64_t size, const uint8_t *want_uuid, struct pmem_device *out,
	      struct err *e)
{
	_cleanup_pmem_nd_ struct pmem_nd nd = { 0 };
	struct pmem_device dev;
	struct ndctl_dax *dax;
	struct ndctl_pfn *pfn;

	if (pmem_nd_open(&nd, start, size, e))
		return -1;
	if (!ndctl_namespace_is_active(nd.ns)) {
		if (enable(&nd, e))
			return -1;
		pmem_nd_close(&nd);
		if (pmem_nd_open(&nd, start, size, e))
			return -1;
	}
	dax = ndctl_namespace_get_dax(nd.ns);
	pfn = ndctl_namespace_get_pfn(nd.ns);
	if (dax && ndctl_dax_is_enabled(dax)	     ? describe_dax(&nd, dax, &dev, e) :
		    pfn && ndctl_pfn_is_enabled(pfn) ? describe_pfn(&nd, pfn, &dev, e) :
						       not_ours(&nd, e))
		return -1;
	if (want_uuid && memcmp(want_uuid, dev.namespace_uuid, sizeof(dev.namespace_uuid))) {
		char want[37], have[37];

		io_uuid_format(want_uuid, want);
		io_uuid_format(dev.namespace_uuid, have);
		return err_set(e, ERR_MISMATCH, "%s: its namespace has uuid %s, not %s", dev.path,
			       have, want);
	}
	*out = dev;
	return 0;
}
