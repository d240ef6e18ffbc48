/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=open,--wrap=fstat,--wrap=readlink */
/* What a VM is given as a disk: not what this host uses, nor the memory of others. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "hotplug.h"
#include "scratch.h"

/**
 * struct play - what the kernel says
 * @block: the image is a block device, 259:7
 * @used: by a file system
 * @sysfs: where the device is, or NULL
 * @exclusive: it was asked whether it is used
 */
static struct play {
	bool block, used, exclusive;
	const char *sysfs;
} play;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
ssize_t __real_readlink(const char *path, char *out, size_t size);
ssize_t __wrap_readlink(const char *path, char *out, size_t size);

int __wrap_open(const char *path, int flags, ...)
{
	if (flags & O_EXCL && !(flags & O_CREAT)) {
		play.exclusive = true;
		if (play.used) {
			errno = EBUSY;
			return -1;
		}
		flags &= ~O_EXCL;
	}
	return __real_open(path, flags, 0600);
}

int __wrap_fstat(int fd, struct stat *st)
{
	int r = __real_fstat(fd, st);

	st->st_dev = makedev(259, 7);
	if (play.block) {
		st->st_mode = S_IFBLK | 0600;
		st->st_rdev = makedev(259, 7);
		st->st_dev = makedev(0, 5);
	}
	return r;
}

ssize_t __wrap_readlink(const char *path, char *out, size_t size)
{
	size_t n = play.sysfs ? strlen(play.sysfs) : 0;

	/* Where it is linked into the program, the C library's realpath() comes by. */
	if (strncmp(path, "/sys/", 5))
		return __real_readlink(path, out, size);
	if (!n || strcmp(path, "/sys/dev/block/259:7")) {
		errno = ENOENT;
		return -1;
	}
	assert_true(n <= size);
	memcpy(out, play.sysfs, n);
	return (ssize_t)n;
}

static const char *path;
static struct err e;

static int image(bool readonly)
{
	struct hotplug_image i _cleanup_(hotplug_image_close) = HOTPLUG_IMAGE_INIT;

	err_clear(&e);
	return hotplug_image_open(path, NULL, readonly, &i, &e);
}

static void refused(bool readonly, const char *text)
{
	assert_int_equal(image(readonly), -1);
	if (e.kind != ERR_REFUSED || !strstr(e.msg, text))
		fail_msg("%s: %s", err_kind_name(e.kind), e.msg);
}

static void device_that_the_host_uses(void **state)
{
	(void)state;
	play = (struct play){ .block = true,
			      .used = true,
			      .sysfs = "../../devices/virtual/block/dm-0" };
	refused(false, "this host uses it");
	/* To read it is somebody's backup. */
	assert_int_equal(image(true), 0);
	play.used = false;
	assert_int_equal(image(false), 0);
	assert_true(play.exclusive);
}

static void a_file_is_nobodys_device(void **state)
{
	(void)state;
	play = (struct play){ .used = true };
	assert_int_equal(image(false), 0);
}

static void memory_of_others(void **state)
{
	static const char region[] =
		"../../devices/platform/e820_pmem/ndbus0/region0/namespace0.0/block/pmem0";

	(void)state;
	play = (struct play){ .block = true, .sysfs = region };
	refused(false, "RAM of VMs");
	refused(true, "RAM of VMs");
	/* A file on it, such as another VM's RAM. */
	play.block = false;
	refused(true, "RAM of VMs");
	/* Other persistent memory is as good as any disk. */
	play.sysfs = "../../devices/LNXSYSTM:00/ACPI0012:00/ndbus0/region0/namespace0.0/block/pmem0";
	assert_int_equal(image(false), 0);
}

static void no_disk_at_all(void **state)
{
	(void)state;
	play = (struct play){ .block = false };
	path = "/dev/null";
	refused(false, "neither a file nor a block device");
	path = "/";
	refused(true, "neither a file nor a block device");
}

static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	path = scratch_write("image", "nothing");
	return 0;
}

/* What removes the folder opens it, too. */
static int teardown(void **state)
{
	play = (struct play){ .block = false };
	return scratch_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(device_that_the_host_uses, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_is_nobodys_device, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(no_disk_at_all, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
