/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=ioctl,--wrap=fstatfs */
/* Is what lies under a path still the same disk? */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk.h"
#include "io.h"
#include "scratch.h"

/* _IOR('X', 126, struct xfs_fsop_geom) */
#define XFS_GEOMETRY 0x8100587eu

/**
 * struct fake_fs - what the file system of a disk says
 * @type: f_type, 0 for the real one
 * @fsid: f_fsid
 * @uuid: of an XFS
 * @broken: the ioctl fails
 */
static struct fake_fs {
	uint32_t type;
	uint64_t fsid;
	uint8_t uuid[16];
	bool broken;
} fs;

int __real_fstatfs(int fd, struct statfs *sf);
int __wrap_fstatfs(int fd, struct statfs *sf);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_fstatfs(int fd, struct statfs *sf)
{
	int r = __real_fstatfs(fd, sf);

	if (fs.type) {
		sf->f_type = (__typeof__(sf->f_type))fs.type;
		memcpy(&sf->f_fsid, &fs.fsid, sizeof(fs.fsid));
	}
	return r;
}

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	(void)fd;
	assert_int_equal((uint32_t)request, XFS_GEOMETRY);
	if (fs.broken) {
		errno = ENOTTY;
		return -1;
	}
	memcpy((uint8_t *)arg + 64, fs.uuid, sizeof(fs.uuid));
	return 0;
}

static char image[512];

static int setup(void **state)
{
	int fd;

	if (scratch_setup(state))
		return -1;
	memset(&fs, 0, sizeof(fs));
	snprintf(image, sizeof(image), "%s", scratch_path("disk.img"));
	fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 1 << 20) < 0)
		return -1;
	return close(fd);
}

static struct disk seen(void)
{
	struct disk d = { .path = image, .writable = true };
	struct err e = { 0 };

	if (disk_identify(NULL, &d, &e) < 0)
		fail_msg("%s", e.msg);
	return d;
}

static void differs(const struct disk *d, unsigned int flags, enum err_kind kind, const char *says)
{
	struct err e = { 0 };

	assert_int_equal(disk_check(NULL, d, flags, &e), -1);
	assert_string_equal(err_kind_name(e.kind), err_kind_name(kind));
	if (!strstr(e.msg, says))
		fail_msg("%s", e.msg);
}

static void same(const struct disk *d, unsigned int flags)
{
	struct err e = { 0 };

	if (disk_check(NULL, d, flags, &e) < 0)
		fail_msg("%s", e.msg);
}

/* ---- files ---------------------------------------------------------------- */

static void a_file_is_itself(void **state)
{
	struct disk d = seen();

	(void)state;
	assert_false(d.is_block);
	assert_int_equal(d.size, 1 << 20);
	same(&d, 0);
	assert_int_equal(truncate(image, 1 << 21), 0);
	differs(&d, 0, ERR_MISMATCH, "another file");
	assert_int_equal(unlink(image), 0);
	differs(&d, 0, ERR_ABSENT, "does not exist");
}

static void its_time_counts_until_it_is_opened(void **state)
{
	struct disk d = seen();

	(void)state;
	d.mtime_ns++;
	differs(&d, 0, ERR_MISMATCH, "was changed after");
	differs(&d, DISK_EARLY, ERR_MISMATCH, "was changed after");
	same(&d, DISK_OPENED);
	d.inode++;
	differs(&d, DISK_OPENED, ERR_MISMATCH, "another file");
}

static void an_image_set_back_has_another_size(void **state)
{
	struct disk d = seen();

	(void)state;
	d.mtime_ns++;
	d.size++;
	same(&d, DISK_SET_BACK);
	/* That firmware may be a copy says nothing about a disk. */
	differs(&d, DISK_COPY, ERR_MISMATCH, "another file");
	d.size--;
	differs(&d, DISK_COPY, ERR_MISMATCH, "was changed after");
}

static void another_file_system_may_come_later(void **state)
{
	struct disk d;

	(void)state;
	fs.type = 0xef53;
	fs.fsid = 1;
	d = seen();
	assert_string_equal(d.fs_uuid, "0000000000000001");
	fs.fsid = 2;
	differs(&d, 0, ERR_MISMATCH, "another file system");
	differs(&d, DISK_EARLY, ERR_ABSENT, "another file system");
}

static void of_xfs_the_uuid_counts(void **state)
{
	struct err e = { 0 };
	struct disk d;

	(void)state;
	fs.type = 0x58465342;
	fs.fsid = 0x801;
	memcpy(fs.uuid, "0123456789abcdef", 16);
	d = seen();
	/* its device got another number */
	fs.fsid = 0x811;
	same(&d, 0);
	fs.uuid[15]++;
	differs(&d, 0, ERR_MISMATCH, "another file system");
	fs.broken = true;
	assert_int_equal(disk_identify(NULL, &d, &e), -1);
	assert_non_null(strstr(e.msg, "XFS"));
}

/* ---- block devices -------------------------------------------------------- */

static void put(const char *dir, const char *file, const char *text)
{
	char path[600], *slash;
	struct err e = { 0 };

	snprintf(path, sizeof(path), "%s/%s", scratch_path(dir), file);
	slash = strrchr(path, '/');
	*slash = '\0';
	if (io_mkdir_p(path, 0755, &e) < 0)
		fail_msg("%s", e.msg);
	*slash = '/';
	if (io_write_file(path, text, strlen(text), 0644, &e) < 0)
		fail_msg("%s", e.msg);
}

static void id_is(const char *dir, const char *want)
{
	char id[DISK_ID_SIZE];

	disk_block_id(scratch_path(dir), id);
	assert_string_equal(id, want);
}

static void what_sysfs_tells(void **state)
{
	(void)state;
	put("sda", "device/wwid", "t10.ATA     QEMU HARDDISK  QM00001   \n");
	id_is("sda", "wwid=t10.ATA_____QEMU_HARDDISK__QM00001");
	put("vda", "serial", "");
	id_is("vda", "");
	put("vda", "serial", "db1 \xff\x01root");
	id_is("vda", "serial=db1___root");
	put("nvme0n1", "wwid", "eui.01\n");
	put("nvme0n1", "device/serial", "S1\n");
	id_is("nvme0n1", "wwid=eui.01 serial=S1");
	put("dm-0", "dm/uuid", "LVM-abc\n");
	id_is("dm-0", "dm-uuid=LVM-abc");
	id_is("none", "");
}

static void partitions_have_their_disks_id(void **state)
{
	(void)state;
	put("vda", "serial", "db1\n");
	put("vda", "vda2/partition", "2\n");
	put("vda", "vda2/start", "2048\n");
	id_is("vda/vda2", "serial=db1 partition=2 start=2048");
	put("vda", "vda2/uevent", "PARTN=2\nPARTUUID=0f-1\n");
	id_is("vda/vda2", "serial=db1 partition=2 start=2048 partuuid=0f-1");
	put("loop0", "loop0p1/partition", "1\n");
	id_is("loop0/loop0p1", "partition=1");
}

static void long_values_are_cut_not_overrun(void **state)
{
	char id[DISK_ID_SIZE], big[300];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	put("sdb", "device/wwid", big);
	put("sdb", "serial", big);
	put("sdb", "dm/uuid", big);
	put("sdb", "md/uuid", big);
	put("sdb", "sdb1/partition", "1");
	put("sdb", "sdb1/uevent",
	    "PARTUUID=0123456789012345678901234567890123456789012345678901234567890\n");
	disk_block_id(scratch_path("sdb/sdb1"), id);
	assert_true(strlen(id) < sizeof(id));
	assert_true(disk_block_named(id));
}

static void which_ids_are_one_device(void **state)
{
	(void)state;
	assert_true(disk_block_same("wwid=a serial=b", "wwid=a serial=b"));
	assert_true(disk_block_same("wwid=a serial=b", "serial=b"));
	assert_true(disk_block_same("serial=b", "wwid=a serial=b"));
	assert_true(disk_block_same("", "wwid=a"));
	assert_true(disk_block_same("partition=1", ""));
	assert_false(disk_block_same("wwid=a serial=b", "wwid=c serial=b"));
	assert_false(disk_block_same("wwid=a", ""));
	assert_false(disk_block_same("wwid=a", "serial=a"));
	assert_false(disk_block_same("wwid=a", "wwid=ab"));
	assert_false(disk_block_same("wwid=ab", "wwid=a"));
	assert_false(disk_block_same("partition=1", "partition=2"));
	assert_false(disk_block_same("wwid=a partition=1", "partition=1"));
	assert_true(disk_block_named("partition=1 partuuid=x"));
	assert_false(disk_block_named("partition=1 start=2"));
	assert_false(disk_block_named(""));
}

static void another_id_is_another_disk(void **state)
{
	struct disk d = seen();

	(void)state;
	/* as if it had been a device: the image has no id now */
	snprintf(d.id, sizeof(d.id), "wwid=a");
	differs(&d, 0, ERR_MISMATCH, "another device");
	differs(&d, DISK_EARLY, ERR_ABSENT, "another device");
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_file_is_itself),
		CASE(its_time_counts_until_it_is_opened),
		CASE(an_image_set_back_has_another_size),
		CASE(another_file_system_may_come_later),
		CASE(of_xfs_the_uuid_counts),
		CASE(what_sysfs_tells),
		CASE(partitions_have_their_disks_id),
		CASE(long_values_are_cut_not_overrun),
		CASE(which_ids_are_one_device),
		CASE(another_id_is_another_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
