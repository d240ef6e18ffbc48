/* SPDX-License-Identifier: GPL-2.0-only */
#include "pmem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "pmem_internal.h"

static int new_uuid(uint8_t id[16], struct err *e)
{
	if (getrandom(id, 16, 0) != 16)
		return err_sys(e, errno, "getrandom");
	id[6] = (id[6] & 0x0f) | 0x40;
	id[8] = (id[8] & 0x3f) | 0x80;
	return 0;
}

/* Refuse what holds data, unless @force; refuse what is in use in any case. */
static int check_claims(struct pmem_nd *nd, bool force, struct err *e)
{
	struct ndctl_dax *dax = ndctl_namespace_get_dax(nd->ns);
	const char *name = ndctl_namespace_get_devname(nd->ns);
	struct pmem_device dev;

	if (!force && dax)
		return err_set(e, ERR_REFUSED, "%s: already holds a devdax namespace", name);
	if (!force && ndctl_namespace_get_pfn(nd->ns))
		return err_set(e, ERR_REFUSED, "%s: holds an fsdax namespace", name);
	if (!force && ndctl_namespace_get_btt(nd->ns))
		return err_set(e, ERR_REFUSED, "%s: holds a sector-mode namespace", name);
	if (dax && ndctl_dax_is_enabled(dax)) {
		if (pmem_find(ndctl_region_get_resource(nd->region),
			      ndctl_region_get_size(nd->region), NULL, &dev, e))
			return -1;
		return pmem_in_use(dev.path, e);
	}
	return 0;
}

static int check_head(const struct pmem_raw *raw, struct err *e)
{
	_cleanup_free_ uint8_t *head = malloc(PMEM_HEAD);
	const char *content;

	if (!head)
		return err_sys(e, ENOMEM, "%s", raw->path);
	if (pmem_raw_read(raw, 0, head, PMEM_HEAD, e))
		return -1;
	content = pmem_content_name(head, PMEM_HEAD);
	if (content)
		return err_set(e, ERR_REFUSED, "%s: holds %s", raw->path, content);
	return 0;
}

int pmem_check_content(const char *path, struct err *e)
{
	_cleanup_pmem_raw_ struct pmem_raw raw = { .fd = -1 };

	if (pmem_raw_open_path(path, O_RDONLY, &raw, e))
		return -1;
	return check_head(&raw, e);
}

static int check_content(const struct pmem_raw *raw, uint64_t region_start, struct err *e)
{
	int ledger;

	ledger = pmem_raw_ledger(raw, region_start, e);
	if (ledger < 0)
		return -1;
	if (ledger)
		return err_set(e, ERR_REFUSED, "%s: holds a ledger", raw->path);
	return check_head(raw, e);
}

/* With the namespace raw: look at the content, then wipe where the info block
 * comes. If a valid block stayed, the kernel would adopt it. */
static int prepare_raw(struct pmem_nd *nd, bool force, struct err *e)
{
	/* not const: takes no room in the program */
	static uint8_t zero[PMEM_INFO_OFFSET + PMEM_INFO_SIZE];
	_cleanup_pmem_raw_ struct pmem_raw raw = { .fd = -1 };

	if (ndctl_namespace_enable(nd->ns) < 0)
		return err_set(e, ERR_IO,
			       "%s: the kernel refuses to enable it raw; see the kernel log",
			       ndctl_namespace_get_devname(nd->ns));
	if (pmem_raw_open(nd, O_RDWR | O_EXCL, &raw, e))
		return -1;
	if (!force && check_content(&raw, ndctl_region_get_resource(nd->region), e))
		return -1;
	return pmem_raw_write(&raw, 0, zero, sizeof(zero), e);
}

static int wipe(struct pmem_nd *nd, bool force, struct err *e)
{
	const char *name = ndctl_namespace_get_devname(nd->ns);
	int rc;

	rc = ndctl_namespace_disable_safe(nd->ns);
	if (rc == -EBUSY)
		return err_set(e, ERR_REFUSED, "%s: is mounted or otherwise in use", name);
	if (rc)
		return err_sys(e, -rc, "%s: taking it down", name);
	rc = ndctl_namespace_set_raw_mode(nd->ns, 1);
	if (rc < 0)
		return err_sys(e, -rc, "%s: switching it to raw", name);
	rc = prepare_raw(nd, force, e);
	ndctl_namespace_disable_invalidate(nd->ns);
	ndctl_namespace_set_raw_mode(nd->ns, 0);
	if (rc)
		ndctl_namespace_enable(nd->ns);
	return rc;
}

/* Where the kernel is to keep its struct pages: in the region itself (map=dev),
 * so that the reserved memory costs no ordinary RAM. */
static int configure_devdax(struct pmem_nd *nd, uint8_t id[16], uint64_t align, struct err *e)
{
	struct ndctl_dax *dax = ndctl_region_get_dax_seed(nd->region);
	const char *name = ndctl_namespace_get_devname(nd->ns);
	int rc;

	if (!dax)
		return err_set(e, ERR_ABSENT,
			       "%s: this kernel makes no devdax namespaces (CONFIG_NVDIMM_DAX)",
			       name);
	rc = ndctl_dax_set_uuid(dax, id);
	if (rc == 0)
		rc = ndctl_dax_set_location(dax, NDCTL_PFN_LOC_PMEM);
	if (rc == 0)
		rc = ndctl_dax_set_align(dax, align);
	if (rc == 0)
		rc = ndctl_dax_set_namespace(dax, nd->ns);
	if (rc)
		return err_sys(e, -rc, "%s: setting up %s", name, ndctl_dax_get_devname(dax));
	if (ndctl_dax_enable(dax) == 0)
		return 0;
	ndctl_dax_set_namespace(dax, NULL);
	ndctl_namespace_enable(nd->ns);
	return err_set(e, ERR_IO,
		       "%s: the kernel refuses the new devdax namespace; see the kernel log", name);
}

static int configure_fsdax(struct pmem_nd *nd, uint8_t id[16], uint64_t align, struct err *e)
{
	struct ndctl_pfn *pfn = ndctl_region_get_pfn_seed(nd->region);
	const char *name = ndctl_namespace_get_devname(nd->ns);
	int rc;

	if (!pfn)
		return err_set(e, ERR_ABSENT,
			       "%s: this kernel makes no fsdax namespaces (CONFIG_NVDIMM_PFN)", name);
	rc = ndctl_pfn_set_uuid(pfn, id);
	if (rc == 0)
		rc = ndctl_pfn_set_location(pfn, NDCTL_PFN_LOC_PMEM);
	if (rc == 0)
		rc = ndctl_pfn_set_align(pfn, align);
	if (rc == 0)
		rc = ndctl_pfn_set_namespace(pfn, nd->ns);
	if (rc)
		return err_sys(e, -rc, "%s: setting up %s", name, ndctl_pfn_get_devname(pfn));
	if (ndctl_pfn_enable(pfn) == 0)
		return 0;
	ndctl_pfn_set_namespace(pfn, NULL);
	ndctl_namespace_enable(nd->ns);
	return err_set(e, ERR_IO,
		       "%s: the kernel refuses the new fsdax namespace; see the kernel log", name);
}

int pmem_create(uint64_t start, uint64_t size, enum pmem_mode mode, uint64_t align, bool force,
		struct pmem_device *out, struct err *e)
{
	_cleanup_pmem_nd_ struct pmem_nd nd = { 0 };
	uint8_t id[16];

	if (pmem_nd_open(&nd, start, size, e) || check_claims(&nd, force, e) || new_uuid(id, e) ||
	    wipe(&nd, force, e) ||
	    (mode == PMEM_FSDAX ? configure_fsdax : configure_devdax)(&nd, id, align, e))
		return -1;
	pmem_nd_close(&nd);
	return pmem_find(start, size, id, out, e);
}
