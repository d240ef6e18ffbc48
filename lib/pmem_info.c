/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The info block that the kernel keeps at +4 KiB of a namespace. While
 * the namespace is enabled nothing can read it: there is no block device, the
 * device file starts behind it, and /dev/mem refuses busy ranges where
 * CONFIG_IO_STRICT_DEVMEM is set, as it is in Debian's kernels. So the
 * namespace is taken down for a moment and brought up raw.
 */
#include "pmem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "pmem_internal.h"

#define MAPS_MAX (64u << 20)

/* A line of /proc/PID/maps: RANGE PERMS OFFSET MAJ:MIN INODE PATH. Compared is
 * the inode: a process in another root sees the device under another path. */
static bool maps_inode(const char *maps, const struct stat *st)
{
	char want[64];

	snprintf(want, sizeof(want), " %02x:%02x %" PRIu64 " ", major(st->st_dev),
		 minor(st->st_dev), (uint64_t)st->st_ino);
	return strstr(maps, want) != NULL;
}

int pmem_in_use(const char *path, struct err *e)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	struct dirent *de;
	struct stat st;

	if (!proc || stat(path, &st))
		return err_sys(e, errno, "%s: looking for its users", path);
	while ((de = readdir(proc))) {
		_cleanup_buf_ struct buf maps = { 0 };
		char name[64], comm[32] = "?";
		struct err gone;

		if (strspn(de->d_name, "0123456789") != strlen(de->d_name))
			continue;
		/* Processes come and go meanwhile, and kernel threads map
		 * nothing: what cannot be read is no user. */
		if (io_path(name, sizeof(name), &gone, "/proc/%s/maps", de->d_name) ||
		    io_read_file(name, MAPS_MAX, &maps, &gone) || !maps_inode(maps.data, &st))
			continue;
		if (io_path(name, sizeof(name), &gone, "/proc/%s/comm", de->d_name) == 0 &&
		    io_read_line(name, comm, sizeof(comm), &gone))
			comm[0] = '?';
		return err_set(e, ERR_REFUSED, "%s: is in use by process %s (%s); end it first",
			       path, de->d_name, comm);
	}
	return 0;
}

static int read_raw(struct pmem_nd *nd, uint8_t out[PMEM_INFO_SIZE], struct err *e)
{
	_cleanup_pmem_raw_ struct pmem_raw raw = { .fd = -1 };

	if (ndctl_namespace_enable(nd->ns) < 0)
		return err_set(e, ERR_IO,
			       "%s: the kernel refuses to enable it raw; see the kernel log",
			       ndctl_namespace_get_devname(nd->ns));
	if (pmem_raw_open(nd, O_RDONLY, &raw, e))
		return -1;
	return pmem_raw_read(&raw, PMEM_INFO_OFFSET, out, PMEM_INFO_SIZE, e);
}

/* Take the namespace down, read, and whatever comes leave it ready to be
 * enabled as what it was. */
static int read_down(const struct pmem_device *dev, uint8_t out[PMEM_INFO_SIZE], struct err *e)
{
	_cleanup_pmem_nd_ struct pmem_nd nd = { 0 };
	int rc;

	if (pmem_nd_open(&nd, dev->region_start, dev->region_size, e))
		return -1;
	rc = ndctl_namespace_disable_safe(nd.ns);
	if (rc == -EBUSY)
		return err_set(e, ERR_REFUSED, "%s: is mounted or otherwise in use", dev->path);
	if (rc)
		return err_sys(e, -rc, "%s: taking it down", ndctl_namespace_get_devname(nd.ns));
	rc = ndctl_namespace_set_raw_mode(nd.ns, 1);
	if (rc < 0)
		return err_sys(e, -rc, "%s: switching it to raw", ndctl_namespace_get_devname(nd.ns));
	rc = read_raw(&nd, out, e);
	ndctl_namespace_disable_invalidate(nd.ns);
	ndctl_namespace_set_raw_mode(nd.ns, 0);
	return rc;
}

int pmem_info_block(struct pmem_device *dev, uint8_t out[4096], struct err *e)
{
	struct pmem_device said = *dev;
	struct err find = { 0 };
	int rc;

	/* A block device that is mounted does not go down in read_down(). */
	if (dev->mode == PMEM_DEVDAX && pmem_in_use(dev->path, e))
		return -1;
	rc = read_down(dev, out, e);
	if (pmem_find(said.region_start, said.region_size, said.namespace_uuid, dev, rc ? &find : e))
		return -1;
	if (rc)
		return -1;
	if (pmem_info_decode(out, &said, e))
		return err_wrap(e, "%s", dev->path);
	if (said.mode != dev->mode || memcmp(said.namespace_uuid, dev->namespace_uuid, 16) ||
	    said.dataoff != dev->dataoff || said.align != dev->align)
		return err_set(e, ERR_MISMATCH, "%s: its info block does not describe it", dev->path);
	dev->page_struct_size = said.page_struct_size;
	return 0;
}
