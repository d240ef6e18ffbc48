/* SPDX-License-Identifier: GPL-2.0-only */
/* Boot loader entries and unified kernel images. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include <cmocka.h>

#include "entry.h"
#include "kexec_uki.h"
#include "scratch.h"
#include "target.h"

static struct err err;

/* ---- a PE file of sections ---------------------------------------------- */

#define TABLE (0x40 + 24 + 0xf0)

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static const char *const parts[][2] = {
	{ ".cmdline", "root=/dev/vda memmap=1G!4G\n" },
	{ ".linux", "MZ the kernel" },
	{ ".initrd", "the initrd" },
	{ ".profile", "ID=other" },
	{ ".cmdline", "of another profile" },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static uint8_t image[8192];

static void make_image(void)
{
	memset(image, 0, sizeof(image));
	memcpy(image, "MZ", 2);
	put32(image + 0x3c, 0x40);
	memcpy(image + 0x40, "PE\0", 4);
	image[0x40 + 6] = PARTS;
	image[0x40 + 20] = 0xf0;
	for (size_t i = 0; i < PARTS; i++) {
		uint8_t *s = image + TABLE + 40 * i;

		memcpy(s, parts[i][0], strlen(parts[i][0]));
		put32(s + 8, (uint32_t)strlen(parts[i][1]));
		put32(s + 16, 0x200);
		put32(s + 20, (uint32_t)(0x400 + 0x200 * i));
		memcpy(image + 0x400 + 0x200 * i, parts[i][1], strlen(parts[i][1]));
	}
}

static const char *write_image(const char *name)
{
	const char *path = scratch_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, sizeof(image)), sizeof(image));
	close(fd);
	return path;
}

static int open_image(struct uki *u)
{
	int fd = open(write_image("image.efi"), O_RDONLY | O_CLOEXEC), r;

	assert_true(fd >= 0);
	err_clear(&err);
	*u = (struct uki)UKI_INIT;
	r = uki_open(fd, "image.efi", u, &err);
	close(fd);
	return r;
}

static void content(int fd, const char *want)
{
	char text[100] = "";

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), strlen(want));
	assert_string_equal(text, want);
}

static void parts_of_an_image(void **state)
{
	struct uki u;

	(void)state;
	make_image();
	assert_int_equal(open_image(&u), 1);
	content(u.kernel, "MZ the kernel");
	content(u.initrd, "the initrd");
	assert_string_equal(u.cmdline, "root=/dev/vda memmap=1G!4G");
	uki_free(&u);
}

static void other_files_are_none(void **state)
{
	struct uki u;

	(void)state;
	make_image();
	memcpy(image + TABLE + 40, ".text\0\0", 7);
	assert_int_equal(open_image(&u), 0);
	make_image();
	image[0x40] = 'N';
	assert_int_equal(open_image(&u), 0);
	make_image();
	put32(image + 0x3c, 0xffffffff);
	assert_int_equal(open_image(&u), 0);
	make_image();
	image[0x40 + 7] = 1; /* 261 sections */
	assert_int_equal(open_image(&u), 0);
}

static void sections_outside_of_the_file(void **state)
{
	struct uki u;

	(void)state;
	make_image();
	put32(image + TABLE + 40 + 20, sizeof(image) - 4);
	assert_int_equal(open_image(&u), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
	assert_non_null(strstr(err.msg, ".linux"));
	make_image();
	put32(image + TABLE + 80 + 8, 0xffffffff);
	put32(image + TABLE + 80 + 16, 0xffffffff);
	assert_int_equal(open_image(&u), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
}

static void kernel_option_takes_an_image(void **state)
{
	struct config cfg = { .append = (char *)"quiet" };
	struct target_opts o = { .append = "rd.holdover.timeout=9" };
	struct target t = TARGET_INIT;

	(void)state;
	make_image();
	o.kernel = write_image("image.efi");
	if (target_resolve(&cfg, &o, &t, &err) < 0)
		fail_msg("%s", err.msg);
	content(t.kernel_fd, "MZ the kernel");
	content(t.initrd_fd, "the initrd");
	assert_string_equal(t.cmdline, "root=/dev/vda memmap=1G!4G quiet rd.holdover.timeout=9");
	assert_string_equal(t.name, o.kernel);
	target_free(&t);
	/* What is said on the command line is stronger than the image. */
	o.initrd = scratch_write("other", "x");
	o.cmdline = "memmap=2G!4G";
	if (target_resolve(&cfg, &o, &t, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(t.initrd, o.initrd);
	assert_string_equal(t.cmdline, "memmap=2G!4G");
	target_free(&t);
}

/* ---- entries ------------------------------------------------------------ */

static void refuse(const char *text, enum err_kind kind, const char *word)
{
	struct entry en = { 0 };

	err_clear(&err);
	assert_int_equal(entry_parse(text, "/boot", &en, &err), -1);
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.msg, word));
}

static void text_of_an_entry(void **state)
{
	struct entry en = { 0 };

	(void)state;
	assert_int_equal(entry_parse("# comment\n title Debian\nlinux   /d/linux\r\ninitrd a.img\n"
				     "initrd /b.img\noptions root=x \noptions\tmemmap=1G!4G\n"
				     "architecture x64\nno-value\n",
				     "/boot", &en, &err),
			 0);
	assert_string_equal(en.kernel, "/boot/d/linux");
	assert_int_equal(en.n, 2);
	assert_string_equal(en.initrds[0], "/boot/a.img");
	assert_string_equal(en.initrds[1], "/boot/b.img");
	assert_string_equal(en.options, "root=x memmap=1G!4G");
	entry_free(&en);
	refuse("initrd /x\n", ERR_FORMAT, "names no kernel");
	refuse("linux /x\noptions $kernelopts\n", ERR_FORMAT, "$kernelopts");
	refuse("linux /x\narchitecture aa64\n", ERR_FORMAT, "aa64");
	refuse("linux /x\ninitrd 1\ninitrd 2\ninitrd 3\ninitrd 4\ninitrd 5\ninitrd 6\ninitrd 7\n"
	       "initrd 8\ninitrd 9\n",
	       ERR_FORMAT, "more than 8");
}

static void folder(const char *name)
{
	assert_int_equal(mkdir(scratch_path(name), 0700), 0);
}

static int find(const char *name, struct entry *en)
{
	err_clear(&err);
	return entry_find(scratch_path(""), name, en, &err);
}

static void find_entries(void **state)
{
	struct entry en = { 0 };

	(void)state;
	assert_int_equal(find("default", &en), -1);
	assert_int_equal(err.kind, ERR_ABSENT);
	assert_non_null(strstr(err.msg, "no boot loader entries"));
	folder("boot");
	folder("boot/loader");
	folder("boot/loader/entries");
	folder("efi");
	folder("efi/EFI");
	folder("efi/EFI/Linux");
	scratch_write("boot/loader/entries/d-6.9.conf", "linux /six-nine\n");
	scratch_write("boot/loader/entries/d-6.9.conf.bak", "linux /no\n");
	assert_int_equal(find("default", &en), 0);
	assert_non_null(strstr(en.kernel, "/boot/six-nine"));
	entry_free(&en);
	scratch_write("boot/loader/entries/d-6.12.conf", "linux /six-twelve\n");
	scratch_write("efi/EFI/Linux/arch.efi", "");
	assert_int_equal(find("default", &en), -1);
	assert_non_null(strstr(err.msg, "names no default"));
	scratch_write("efi/loader.conf", "");
	scratch_write("boot/loader/loader.conf", "timeout 3\ndefault  d-*\n");
	assert_int_equal(find("default", &en), 0);
	assert_non_null(strstr(en.kernel, "/boot/six-twelve"));
	entry_free(&en);
	assert_int_equal(find("d-6.9", &en), 0);
	assert_non_null(strstr(en.kernel, "/boot/six-nine"));
	entry_free(&en);
	assert_int_equal(find("arch.efi", &en), 0);
	assert_non_null(strstr(en.kernel, "/efi/EFI/Linux/arch.efi"));
	entry_free(&en);
	assert_int_equal(find("d-6", &en), -1);
	assert_non_null(strstr(err.msg, "d-6.12.conf"));
	scratch_write("boot/loader/entries/bad.conf", "title x\n");
	assert_int_equal(find("bad", &en), -1);
	assert_non_null(strstr(err.msg, "bad.conf: it names no kernel"));
}

static void initrds_in_a_row(void **state)
{
	char *paths[2] = { (char *)scratch_write("one", "12345"), (char *)scratch_write("two", "ab") };
	struct target t = TARGET_INIT;
	char text[20];

	(void)state;
	assert_int_equal(target_join(&t, paths, 2, &err), 0);
	assert_int_equal(pread(t.initrd_fd, text, sizeof(text), 0), 12);
	assert_memory_equal(text, "12345\0\0\0ab\0\0", 12);
	target_free(&t);
	paths[1] = (char *)"/nowhere/initrd";
	assert_int_equal(target_join(&t, paths, 2, &err), -1);
	assert_non_null(strstr(err.msg, "/nowhere/initrd"));
	target_free(&t);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(parts_of_an_image),
		CASE(other_files_are_none),
		CASE(sections_outside_of_the_file),
		CASE(kernel_option_takes_an_image),
		CASE(text_of_an_entry),
		CASE(find_entries),
		CASE(initrds_in_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
