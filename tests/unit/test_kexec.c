/* SPDX-License-Identifier: GPL-2.0-only */
/* Command lines: what is asked of the next kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kexec.h"
#include "kexec_mounts.h"

#define G (1ULL << 30)
#define M (1ULL << 20)

static struct err err;

static void ranges_are(const char *cmdline, int n, const struct pmem_range *want)
{
	struct pmem_range got[PMEM_RANGES_MAX];
	int rc = kexec_cmdline_ranges(cmdline, got, &err);

	if (rc != n)
		fail_msg("'%s': %d ranges instead of %d", cmdline, rc, n);
	for (int i = 0; i < n; i++) {
		assert_int_equal(got[i].start, want[i].start);
		assert_int_equal(got[i].size, want[i].size);
	}
}

static void every_form_of_memmap(void **state)
{
	const struct pmem_range one[] = { { 4 * G, G } };
	const struct pmem_range two[] = { { 4 * G, G }, { 6 * G, 512 * M } };

	(void)state;
	ranges_are("", 0, NULL);
	ranges_are("quiet root=/dev/sda1", 0, NULL);
	ranges_are("memmap=1G!4G", 1, one);
	ranges_are("memmap=1g!4g", 1, one);
	ranges_are("memmap=0x40000000!0x100000000", 1, one);
	ranges_are("memmap=1048576K!4194304k", 1, one);
	ranges_are("memmap=1073741824!4096M", 1, one);
	ranges_are("  memmap=1G!4G\tquiet\n", 1, one);
	ranges_are("memmap=1G!4G memmap=512M!6G", 2, two);
	ranges_are("memmap=1G!4G,512M!6G", 2, two);
	ranges_are("memmap=64K$0x18690000,1G!4G,1M#3G", 1, one);
	ranges_are("memmap=exactmap memmap=640K@0 memmap=1G!4G", 1, one);
	ranges_are("memmap=1G%4G-1+12 memmap=1G!4G", 1, one);
	ranges_are("\"memmap=1G!4G\"", 1, one);
	ranges_are("memmap=\"1G!4G,512M!6G\"", 2, two);
	ranges_are("x=\"memmap=1G!1G\" memmap=1G!4G", 1, one);
	ranges_are("x=\"a memmap=1G!1G b\" memmap=1G!4G", 1, one);
	ranges_are("notmemmap=1G!1G memmap=1G!4G", 1, one);
	ranges_are("memmap=1G!4G -- memmap=512M!6G", 1, one);
}

static void bad_memmap_is_named(void **state)
{
	static const char *const bad[] = {
		"memmap=1G!",	    "memmap=!4G",
		"memmap=0!4G",	    "memmap=1X!4G",
		"memmap=1G!4G!5G",  "memmap=1G!4G@1G",
		"memmap=-1G!4G",    "memmap=1G!banana",
		"memmap=1G!4G,2G!", "memmap=0xfffffffffffff000!0x2000",
	};
	struct pmem_range got[PMEM_RANGES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_clear(&err);
		if (kexec_cmdline_ranges(bad[i], got, &err) != -1)
			fail_msg("%s is accepted", bad[i]);
		assert_int_equal(err.kind, ERR_FORMAT);
		assert_non_null(strstr(err.msg, "memmap="));
	}
	assert_non_null(strstr(err.msg, "0xfffffffffffff000!0x2000"));
}

static void too_many_ranges(void **state)
{
	struct pmem_range got[PMEM_RANGES_MAX];
	char text[2048] = "";

	(void)state;
	for (int i = 0; i < PMEM_RANGES_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " memmap=1M!%dG", i + 1);
	assert_int_equal(kexec_cmdline_ranges(text, got, &err), PMEM_RANGES_MAX);
	strcat(text, " memmap=1M!99G");
	assert_int_equal(kexec_cmdline_ranges(text, got, &err), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
}

static void check_compares_both_ways(void **state)
{
	const struct pmem_range two[] = { { 4 * G, G }, { 6 * G, 512 * M } };

	(void)state;
	assert_int_equal(kexec_cmdline_check("memmap=512M!6G memmap=1G!4G", two, 2, &err), 0);
	assert_int_equal(kexec_cmdline_check("quiet", NULL, 0, &err), 0);

	assert_int_equal(kexec_cmdline_check("memmap=1G!4G quiet", two, 2, &err), -1);
	assert_int_equal(err.kind, ERR_MISMATCH);
	assert_non_null(strstr(err.msg, "memmap=512M!6G"));

	assert_int_equal(kexec_cmdline_check("memmap=512M!6G memmap=2G!4G", two, 2, &err), -1);
	assert_non_null(strstr(err.msg, "lacks memmap=1G!4G"));

	assert_int_equal(kexec_cmdline_check("memmap=1G!4G,512M!6G,1G!8G", two, 2, &err), -1);
	assert_int_equal(err.kind, ERR_MISMATCH);
	assert_non_null(strstr(err.msg, "memmap=1G!8G"));

	assert_int_equal(kexec_cmdline_check("memmap=1G!4G memmap=512M!", two, 2, &err), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
}

static void kaslr_avoids_four(void **state)
{
	const char *four = "memmap=1G!4G memmap=64K$1G memmap=64K$2G,64K$3G";
	const struct pmem_range one[] = { { 4 * G, G } };
	char text[256];

	(void)state;
	assert_int_equal(kexec_cmdline_check(four, one, 1, &err), 0);
	snprintf(text, sizeof(text), "%s memmap=4K$1M", four);
	assert_int_equal(kexec_cmdline_check(text, one, 1, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_non_null(strstr(err.msg, "nokaslr"));
	strcat(text, " nokaslr");
	assert_int_equal(kexec_cmdline_check(text, one, 1, &err), 0);
}

static void next_is(const char *current, const char *append, const char *want)
{
	char *got = kexec_cmdline_next(current, append);

	assert_string_equal(got, want);
	free(got);
}

static void next_command_line(void **state)
{
	(void)state;
	next_is("", NULL, "");
	next_is("", "a=1", "a=1");
	next_is("quiet\n", NULL, "quiet");
	next_is("BOOT_IMAGE=/vmlinuz root=/dev/sda1  ro\n", "", "root=/dev/sda1 ro");
	next_is("BOOT_IMAGE=(hd0)/vmlinuz memmap=1G!4G rd.holdover.jump=7 ro", "rd.holdover.jump=8",
		"memmap=1G!4G ro rd.holdover.jump=8");
	next_is("rd.holdover=1 rd.holdover.jumping=1", NULL, "rd.holdover=1 rd.holdover.jumping=1");
	next_is("dyndbg=\"file a +p; file b +p\" ro", "x", "dyndbg=\"file a +p; file b +p\" ro x");
	next_is("ro -- single", "x=1", "ro x=1 -- single");
	next_is("ro --", NULL, "ro --");
	/* What the last jump added is there already; only the last word on a
	 * parameter counts. */
	next_is("ro a=1 quiet", "a=1 quiet b", "ro a=1 quiet b");
	next_is("a=1 a=2", "a=1", "a=1 a=2 a=1");
	next_is("a=1 a=2", "a=2", "a=1 a=2");
	next_is("ab=1", "a=1 ab", "ab=1 a=1 ab");
	next_is("ro -- a=1", "a=1", "ro a=1 -- a=1");
	next_is("x=\"a b\"", "x=\"a b\" b", "x=\"a b\" b");
}

static void the_agent_may_be_off(void **state)
{
	(void)state;
	assert_true(kexec_cmdline_off("ro rd.holdover=0 quiet"));
	assert_true(kexec_cmdline_off("rd.holdover=no"));
	assert_true(kexec_cmdline_off("rd.holdover=1 rd.holdover=off"));
	assert_false(kexec_cmdline_off("ro rd.holdover=1 rd.holdover rd.holdover=00"));
	assert_false(kexec_cmdline_off("ro -- rd.holdover=0"));
}

static void release_of_a_kernel(void **state)
{
	uint8_t image[0x400] = { 0 };
	char path[] = "/tmp/kernelXXXXXX", release[64];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	memcpy(image + 0x202, "HdrS", 4);
	image[0x20e] = 0x20;
	image[0x20f] = 0x01;
	memcpy(image + 0x320, "6.12.5-amd64 (builder@host) #1", 31);
	assert_int_equal(write(fd, image, sizeof(image)), sizeof(image));
	assert_int_equal(kexec_release(path, release, sizeof(release), &err), 0);
	assert_string_equal(release, "6.12.5-amd64");
	assert_int_equal(pwrite(fd, "X", 1, 0x202), 1);
	assert_int_equal(kexec_release(path, release, sizeof(release), &err), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
	close(fd);
	unlink(path);
}

static const char mountinfo[] =
	"22 28 0:20 / /sys rw,nosuid - sysfs sysfs rw\n"
	"28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"
	"29 28 0:25 / /run rw - tmpfs tmpfs rw,size=1k\n"
	"30 28 254:2 / /mnt/with\\040blank rw master:2 propagate_from:3 - xfs /dev/vda2 rw\n"
	"31 28 254:3 / /ro ro,relatime - ext4 /dev/vda3 ro\n"
	"32 28 254:1 /srv /bind ro,relatime - ext4 /dev/vda1 rw,errors=remount-ro\n"
	"33 28 0:44 /@ /btrfs rw - btrfs /dev/vda4 rw,space_cache=v2\n"
	"34 28 0:45 / /nfs rw - nfs4 server:/x rw\n"
	"35 28 0:46 / /auto rw - autofs systemd-1 rw,fd=37\n";

static void mounts_that_matter(void **state)
{
	struct mount_fs *list;
	size_t n;

	(void)state;
	assert_int_equal(mounts_parse(mountinfo, &list, &n, &err), 0);
	assert_int_equal(n, 4);
	assert_string_equal(list[0].path, "/");
	assert_int_equal(list[0].first, 0);
	assert_string_equal(list[1].path, "/mnt/with blank");
	assert_int_equal(list[1].major, 254);
	assert_int_equal(list[1].minor, 2);
	assert_int_equal(list[1].first, 1);
	assert_string_equal(list[2].path, "/bind");
	assert_int_equal(list[2].first, 0);
	assert_string_equal(list[3].path, "/btrfs");
	assert_int_equal(list[3].first, 3);
	mounts_free(list, n);
}

static void all_mounts_but_autofs(void **state)
{
	static const char *const want[] = { "/sys",  "/",      "/run", "/mnt/with blank",
					    "/bind", "/btrfs", "/nfs" };
	struct mount_fs *list;
	size_t n;

	(void)state;
	assert_int_equal(mounts_parse_all(mountinfo, &list, &n, &err), 0);
	assert_int_equal(n, ARRAY_LEN(want));
	for (size_t i = 0; i < n; i++)
		assert_string_equal(list[i].path, want[i]);
	mounts_free(list, n);
}

static void strange_mountinfo(void **state)
{
	static const char *const bad[] = { "x\n", "1 2 3:4 / /a rw - ext4\n",
					   "1 2 3:4 / /a rw shared:1\n",
					   "1 2 nodev / /a rw - ext4 /dev/x rw\n" };
	struct mount_fs *list;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(mounts_parse(bad[i], &list, &n, &err), -1);
		assert_int_equal(err.kind, ERR_FORMAT);
		assert_null(list);
	}
	assert_int_equal(mounts_parse("", &list, &n, &err), 0);
	assert_int_equal(n, 0);
}

static void loading_says_why_not(void **state)
{
	char *line = malloc(3001);

	(void)state;
	assert_int_equal(kexec_load_file("/nonexistent/vmlinuz", -1, "quiet", &err), -1);
	assert_int_equal(err.kind, ERR_ABSENT);
	assert_non_null(strstr(err.msg, "/nonexistent/vmlinuz"));
	memset(line, 'x', 3000);
	line[3000] = '\0';
	assert_int_equal(kexec_load_file("/dev/null", -1, line, &err), -1);
	assert_int_equal(err.kind, ERR_REFUSED);
	assert_non_null(strstr(err.msg, "3000"));
	free(line);
}

static void a_kernel_that_is_cut_short(void **state)
{
	char path[] = "/tmp/kernelXXXXXX";
	uint8_t head[0x210] = { [0x1f1] = 3, [0x1f4] = 2, [0x202] = 'H', 'd', 'r', 'S' };
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
	/* 4 sectors, 2 paragraphs; a signature may follow */
	assert_int_equal(ftruncate(fd, 4 * 512 + 32), 0);
	assert_int_equal(kexec_image_whole(path, &err), 0);
	assert_int_equal(ftruncate(fd, 4 * 512 + 32 + 7), 0);
	assert_int_equal(kexec_image_whole(path, &err), 0);
	assert_int_equal(ftruncate(fd, 4 * 512 + 31), 0);
	assert_int_equal(kexec_image_whole(path, &err), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
	assert_non_null(strstr(err.msg, "cut short"));
	head[0x1f7] = 1;
	assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
	assert_int_equal(kexec_image_whole(path, &err), -1);
	/* What it is instead shows when it is loaded. */
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(kexec_image_whole(path, &err), 0);
	close(fd);
	unlink(path);
	assert_int_equal(kexec_image_whole(path, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_memmap),
		cmocka_unit_test(bad_memmap_is_named),
		cmocka_unit_test(too_many_ranges),
		cmocka_unit_test(check_compares_both_ways),
		cmocka_unit_test(kaslr_avoids_four),
		cmocka_unit_test(next_command_line),
		cmocka_unit_test(mounts_that_matter),
		cmocka_unit_test(all_mounts_but_autofs),
		cmocka_unit_test(strange_mountinfo),
		cmocka_unit_test(loading_says_why_not),
		cmocka_unit_test(the_agent_may_be_off),
		cmocka_unit_test(release_of_a_kernel),
		cmocka_unit_test(a_kernel_that_is_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
