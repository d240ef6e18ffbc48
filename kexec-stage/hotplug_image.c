/* SPDX-License-Identifier: GPL-2.0-only */
#include "hotplug.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* docs/interop/qcow2 of QEMU: the beginning of the header, big endian */
struct qcow2_head {
	uint32_t magic;
	uint32_t version;
	uint64_t backing_offset;
	uint32_t backing_size;
	uint8_t skipped[52];
	uint64_t incompatible;
} __attribute__((packed));

#define QCOW2_MAGIC 0x514649fbu
#define QCOW2_DATA_FILE (1u << 2)
#define BACKING_MAX 1023u

void hotplug_image_close(struct hotplug_image *i)
{
	scope_close(&i->fd);
	free(i->path);
	*i = (struct hotplug_image)HOTPLUG_IMAGE_INIT;
}

static int refuse_backing(int fd, const struct qcow2_head *head, struct err *e)
{
	uint32_t size = be32toh(head->backing_size);
	char name[BACKING_MAX + 1], clean[BACKING_MAX + 1];
	ssize_t n = -1;

	if (size <= BACKING_MAX)
		n = pread(fd, name, size, (off_t)be64toh(head->backing_offset));
	name[n > 0 ? n : 0] = '\0';
	return err_set(e, ERR_REFUSED,
		       "it is an overlay of %.600s, which would have to be opened in QEMU's own root; "
		       "merge them first, with 'qemu-img convert -O qcow2' into another file or "
		       "'qemu-img rebase -b \"\"'",
		       *name ? json_clean(name, clean, sizeof(clean)) : "another file");
}

static int check_qcow2(int fd, const struct qcow2_head *head, struct err *e)
{
	if (head->backing_offset)
		return refuse_backing(fd, head, e);
	if (be32toh(head->version) >= 3 && (be64toh(head->incompatible) & QCOW2_DATA_FILE))
		return err_set(e, ERR_REFUSED,
			       "its data is in a file of its own, which would have to be opened in "
			       "QEMU's own root; convert it with 'qemu-img convert -O qcow2' first");
	return 0;
}

static int check_format(int fd, const char *format, struct err *e)
{
	struct qcow2_head head = { 0 };
	ssize_t n = pread(fd, &head, sizeof(head), 0);
	bool qcow2;

	if (n < 0)
		return err_sys(e, errno, "reading it");
	qcow2 = (size_t)n == sizeof(head) && be32toh(head.magic) == QCOW2_MAGIC;
	if (!format && qcow2)
		return err_set(e, ERR_REFUSED,
			       "it begins like a qcow2 image; say --format qcow2, or --format raw if the "
			       "guest is to see it as it is");
	if (!format || strcmp(format, "qcow2"))
		return 0;
	if (!qcow2)
		return err_set(e, ERR_REFUSED, "it is no qcow2 image");
	return check_qcow2(fd, &head, e);
}

/* The RAM of all VMs and the ledger lie there; a guest that has a disk of it
 * has all of them. */
static int refuse_region(const struct stat *st, struct err *e)
{
	dev_t dev = S_ISBLK(st->st_mode) ? st->st_rdev : st->st_dev;
	char path[64], link[512];
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	if (!strstr(link, "/e820_pmem/"))
		return 0;
	return err_set(e, ERR_REFUSED,
		       "it is on a memmap= region, which holds the RAM of VMs; a disk has to lie "
		       "elsewhere");
}

/* Two that write to one file system, each in its own memory, destroy it. What
 * is mounted, or part of something that is, cannot be opened exclusively. */
static int refuse_used(int fd, struct err *e)
{
	char path[64];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (own < 0 && errno == EBUSY)
		return err_set(e, ERR_REFUSED,
			       "this host uses it, as a file system or a part of a RAID or a volume "
			       "group; unmount or take it out there, or give it --readonly");
	if (own < 0)
		return err_sys(e, errno, "opening it exclusively");
	close(own);
	return 0;
}

static int open_checked(struct hotplug_image *i, const char *format, bool readonly, struct err *e)
{
	struct stat st;

	/* What a fifo or a terminal would do at open() is not wanted. */
	i->fd = open(i->path,
		     (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	if (i->fd < 0 && errno == EROFS)
		return err_sys(e, errno, "opening it for writing (--readonly does without)");
	if (i->fd < 0)
		return err_sys(e, errno, "opening it");
	if (fstat(i->fd, &st) < 0)
		return err_sys(e, errno, "looking at it");
	i->block = S_ISBLK(st.st_mode);
	if (!i->block && !S_ISREG(st.st_mode))
		return err_set(e, ERR_REFUSED, "it is neither a file nor a block device");
	if (refuse_region(&st, e) < 0 || (i->block && !readonly && refuse_used(i->fd, e) < 0))
		return -1;
	/* The flag belongs to the open file, which QEMU shares. */
	if (fcntl(i->fd, F_SETFL, 0) < 0)
		return err_sys(e, errno, "its flags");
	return check_format(i->fd, format, e);
}

int hotplug_image_open(const char *path, const char *format, bool readonly,
		       struct hotplug_image *out, struct err *e)
{
	out->path = realpath(path, NULL);
	if (!out->path)
		return errno == ENOENT || errno == ENOTDIR ?
			err_set(e, ERR_ABSENT, "image %s: there is no such file", path) :
			err_sys(e, errno, "image %s", path);
	if (open_checked(out, format, readonly, e) == 0)
		return 0;
	err_wrap(e, "image %s", out->path);
	hotplug_image_close(out);
	return -1;
}
