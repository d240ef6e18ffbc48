/* SPDX-License-Identifier: GPL-2.0-only */
/* The raw block device of a namespace. */
#include "pmem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>

#include "pmem_internal.h"

int pmem_raw_open(struct pmem_nd *nd, int flags, struct pmem_raw *out, struct err *e)
{
	const char *bdev = ndctl_namespace_get_block_device(nd->ns);
	char path[64];

	out->fd = -1;
	if (!bdev || !*bdev)
		return err_set(e, ERR_ABSENT, "%s: has no block device",
			       ndctl_namespace_get_devname(nd->ns));
	if (io_path(path, sizeof(path), e, "/dev/%s", bdev))
		return -1;
	return pmem_raw_open_path(path, flags, out, e);
}

int pmem_raw_open_path(const char *path, int flags, struct pmem_raw *out, struct err *e)
{
	out->fd = -1;
	if (io_path(out->path, sizeof(out->path), e, "%s", path))
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

int pmem_raw_claim(uint64_t start, uint64_t size, struct pmem_raw *out, struct err *e)
{
	_cleanup_pmem_nd_ struct pmem_nd nd = { 0 };

	out->fd = -1;
	if (pmem_nd_open(&nd, start, size, e))
		return -1;
	if (!ndctl_namespace_is_active(nd.ns) || ndctl_namespace_get_dax(nd.ns) ||
	    ndctl_namespace_get_pfn(nd.ns) || ndctl_namespace_get_btt(nd.ns))
		return 0;
	return pmem_raw_open(&nd, O_RDWR | O_EXCL, out, e) ? -1 : 1;
}

int pmem_raw_restart(uint64_t start, uint64_t size, struct err *e)
{
	_cleanup_pmem_nd_ struct pmem_nd nd = { 0 };
	const char *name;
	int rc;

	if (pmem_nd_open(&nd, start, size, e))
		return -1;
	name = ndctl_namespace_get_devname(nd.ns);
	rc = ndctl_namespace_disable_safe(nd.ns);
	if (rc)
		return err_sys(e, -rc, "%s: taking it down", name);
	rc = ndctl_namespace_set_raw_mode(nd.ns, 0);
	if (rc < 0)
		return err_sys(e, -rc, "%s: switching it from raw", name);
	return 0;
}
