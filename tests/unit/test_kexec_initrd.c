/* SPDX-License-Identifier: GPL-2.0-only */
/* Initrds: looking for the agent in one, and adding an archive to one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kexec.h"
#include "ledger.h"
#include "scratch.h"

static struct err err;

/* An archive or an image that grows. */
static struct {
	char data[1 << 20];
	size_t len;
} image;

static void put(const void *data, size_t len)
{
	assert_true(image.len + len <= sizeof(image.data));
	memcpy(image.data + image.len, data, len);
	image.len += len;
}

static void pad(size_t to)
{
	while (image.len % to)
		put("", 1);
}

static void entry(const char *name, unsigned int mode, const void *data, unsigned int size)
{
	char header[111];

	snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		 0xabc, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, (unsigned int)strlen(name) + 1, 0);
	put(header, 110);
	put(name, strlen(name) + 1);
	pad(4);
	put(data, size);
	pad(4);
}

static void trailer(void)
{
	entry("TRAILER!!!", 0, "", 0);
}

static void early(void)
{
	entry("kernel/x86/microcode/GenuineIntel.bin", 0100644, "070701 not a header", 19);
	trailer();
	pad(512);
}

static void with_agent(void)
{
	char filler[0xabc];

	memset(filler, '0', sizeof(filler));
	entry("usr", 040755, "", 0);
	entry("filler", 0100644, filler, sizeof(filler));
	entry("usr/lib/holdover/holdover-agent", 0100755, "ELF", 3);
	trailer();
}

static void without_agent(void)
{
	entry("usr/lib/holdover-agent", 040755, "", 0);
	entry("usr/bin/holdover-agent-not", 0100755, "holdover-agent", 14);
	entry("usr/bin/not-holdover-agent", 0100755, "x", 1);
	entry("usr/lib/link", 0120777, "holdover-agent", 14);
	trailer();
}

static const char *write_image(const char *name)
{
	const char *path = scratch_path(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image.data, image.len), image.len);
	close(fd);
	return path;
}

static int has_module(void)
{
	err_clear(&err);
	return kexec_initrd_has_module(write_image("initrd"), &err);
}

/* Replace what was put in after @start by its compressed form. */
static void compress(size_t start, char *const argv[])
{
	const char *plain = scratch_path("plain"), *packed = scratch_path("packed");
	posix_spawn_file_actions_t fa;
	struct buf b = { 0 };
	int fd, status;
	pid_t pid;

	fd = open(plain, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, image.data + start, image.len - start), image.len - start);
	close(fd);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, plain, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, packed, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ))
		fail_msg("%s cannot be run: install it", argv[0]);
	posix_spawn_file_actions_destroy(&fa);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(io_read_file(packed, sizeof(image.data), &b, &err), 0);
	image.len = start;
	put(b.data, b.len);
	buf_free(&b);
}

static void plain(void **state)
{
	(void)state;
	image.len = 0;
	with_agent();
	assert_int_equal(has_module(), 1);
	image.len = 0;
	without_agent();
	assert_int_equal(has_module(), 0);
	/* further archives, after padding and without */
	pad(512);
	early();
	with_agent();
	assert_int_equal(has_module(), 1);
}

static void compressed(void **state)
{
	static char *const tools[][4] = {
		{ "gzip", "-c" },  { "xz", "-c", "--check=crc32" },
		{ "zstd", "-cq" }, { "lz4", "-lc" },
		{ "bzip2", "-c" }, { "xz", "--format=lzma", "-c" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		for (int prefix = 0; prefix < 2; prefix++) {
			for (int there = 0; there < 2; there++) {
				size_t start;
				int rc;

				image.len = 0;
				if (prefix)
					early();
				start = image.len;
				/* more than one archive may be compressed together */
				without_agent();
				if (there)
					with_agent();
				compress(start, tools[i]);
				rc = has_module();
				if (rc != there)
					fail_msg("%s prefix %d: %d instead of %d: %s", tools[i][0],
						 prefix, rc, there, err.msg);
			}
		}
	}
}

/* The agent's file says which ledgers it reads; that of an older one does not. */
static void the_agent_says_what_it_reads(void **state)
{
	static const struct {
		const char *content, *said;
		int reads;
	} agents[] = {
		{ "\177ELF...@@(#)holdover ledger format 1.2", "1.2", 1 },
		{ "@(#)holdover ledger format 1.30\nmore", "1.30", 1 },
		{ "@(#)holdover led@(#)holdover ledger format 1.1", "1.1", 0 },
		{ "@(#)holdover ledger format 2.2", "2.2", 0 },
		{ "@(#)holdover ledger format 1.2222222222222222222222222222", NULL, 1 },
		{ "@(#)holdover ledger format ", "", 0 },
		{ "@(#)holdover ledger form", "", 0 },
		{ "an old one", "", 0 },
		{ "", "", 0 },
	};
	char said[8];
	size_t start;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(agents); i++) {
		for (int packed = 0; packed < 2; packed++) {
			image.len = 0;
			early();
			start = image.len;
			entry("usr/lib/holdover/holdover-agent", 0100755, agents[i].content,
			      (unsigned int)strlen(agents[i].content));
			entry("after/it", 0100644, "@(#)holdover ledger format 1.9", 30);
			trailer();
			if (packed)
				compress(start, (char *const[]){ "gzip", "-c", NULL });
			err_clear(&err);
			assert_int_equal(kexec_initrd_agent(write_image("initrd"), said,
							    sizeof(said), &err),
					 agents[i].reads);
			assert_string_equal(said, agents[i].said ? agents[i].said : "1.22222");
		}
	}
	/* The program's own words are what is looked for. */
	assert_non_null(strstr(ledger_reads, "@(#)holdover ledger format 1."));
}

static void what_is_no_initrd(void **state)
{
	size_t len;

	(void)state;
	image.len = 0;
	put("MZ this is a kernel", 19);
	assert_int_equal(has_module(), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
	assert_non_null(strstr(err.msg, "unknown compression at byte 0"));

	image.len = 0;
	put("\x1f\x8b garbage that gzip will not like", 30);
	assert_int_equal(has_module(), -1);
	assert_int_equal(err.kind, ERR_FORMAT);

	image.len = 0;
	put("no archive at all, but packed", 30);
	compress(0, (char *const[]){ "gzip", "-c", NULL });
	assert_int_equal(has_module(), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
	assert_non_null(strstr(err.msg, "gzip finds no cpio archive"));

	assert_int_equal(kexec_initrd_has_module(scratch_path("nothing"), &err), -1);
	assert_int_equal(err.kind, ERR_ABSENT);
	assert_int_equal(kexec_initrd_has_module("/", &err), -1);
	assert_int_equal(err.kind, ERR_IO);

	/* every way to be cut short, in the archive with the agent behind */
	image.len = 0;
	without_agent();
	len = image.len;
	for (size_t cut = 1; cut < len - 128; cut++) {
		image.len = cut;
		if (has_module() == 1)
			fail_msg("found in the first %zu bytes", cut);
	}
}

static void absurd_numbers(void **state)
{
	static char name[6000];

	(void)state;
	image.len = 0;
	memset(name, 'n', sizeof(name) - 1);
	entry(name, 0100644, "", 0);
	with_agent();
	assert_int_equal(has_module(), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
	assert_non_null(strstr(err.msg, "bad cpio header"));

	image.len = 0;
	entry("x", 0100644, "", 0);
	memcpy(image.data + 6 + 11 * 8, "FFFFFFFF", 8);
	assert_int_equal(has_module(), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
	memcpy(image.data + 6 + 11 * 8, "00000000", 8);
	assert_int_equal(has_module(), -1);
	memcpy(image.data + 6 + 11 * 8, "0000000g", 8);
	assert_int_equal(has_module(), -1);
	assert_int_equal(err.kind, ERR_FORMAT);

	image.len = 0;
	entry("x", 0100644, "", 0);
	memcpy(image.data + 6 + 6 * 8, "ffffffff", 8);
	with_agent();
	assert_int_equal(has_module(), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
}

static void modules_of_the_kernel(void **state)
{
	const char *path;

	(void)state;
	image.len = 0;
	entry("usr/lib/modules/6.1.0-1", 040755, "", 0);
	entry("usr/lib/modules/6.1.0-2/modules.dep", 0100644, "x", 1);
	entry("usr/mylib/modules/6.1.0-3/modules.dep", 0100644, "x", 1);
	trailer();
	path = write_image("initrd");
	assert_int_equal(kexec_initrd_has_modules(path, "6.1.0-1", &err), 0);
	assert_int_equal(kexec_initrd_has_modules(path, "6.1.0-2", &err), 1);
	assert_int_equal(kexec_initrd_has_modules(path, "6.1.0", &err), 0);
	assert_int_equal(kexec_initrd_has_modules(path, "6.1.0-3", &err), 0);
}

static void archive_is_appended(void **state)
{
	struct buf cpio = { "070701 ticket", 13 }, got = { 0 };
	const char *path;
	int fd;

	(void)state;
	for (size_t n = 1; n <= 5; n++) {
		size_t padded = (n + 3) & ~(size_t)3;

		image.len = 0;
		put("abcdefgh", n);
		path = write_image("initrd");
		fd = kexec_initrd(path, &cpio, &err);
		assert_true(fd >= 0);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(write(fd, "x", 1), -1);
		assert_int_equal(io_read_fd(fd, "initrd", 100, &got, &err), 0);
		assert_int_equal(got.len, padded + cpio.len);
		assert_memory_equal(got.data, "abcdefgh", n);
		for (size_t i = n; i < padded; i++)
			assert_int_equal(got.data[i], 0);
		assert_memory_equal(got.data + padded, cpio.data, cpio.len);
		buf_free(&got);
		close(fd);
	}
	image.len = 0;
	assert_int_equal(kexec_initrd(write_image("initrd"), &cpio, &err), -1);
	assert_int_equal(err.kind, ERR_FORMAT);
	assert_int_equal(kexec_initrd(scratch_path("nothing"), &cpio, &err), -1);
	assert_int_equal(err.kind, ERR_ABSENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(compressed),
		cmocka_unit_test(the_agent_says_what_it_reads),
		cmocka_unit_test(what_is_no_initrd),
		cmocka_unit_test(absurd_numbers),
		cmocka_unit_test(archive_is_appended),
		cmocka_unit_test(modules_of_the_kernel),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
