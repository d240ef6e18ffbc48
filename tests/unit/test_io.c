/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=write,--wrap=fsync,--wrap=rename */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io.h"
#include "scratch.h"

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

/**
 * struct fault - what the wrapped calls do
 * @watch: record calls in @calls: w write, f fsync of a file, d fsync of a folder, r rename
 * @fail: the call that fails with EIO, 0 for none
 * @after: how many of that call succeed before
 * @write_max: longest write, 0 for no limit; every second one fails with EINTR then
 */
static struct fault {
	int watch;
	char fail;
	int after;
	size_t write_max;
	int interrupted;
	char calls[64];
} fault;

static int call(char what)
{
	size_t n = strlen(fault.calls);

	if (!fault.watch)
		return 0;
	if (n + 1 < sizeof(fault.calls))
		fault.calls[n] = what;
	if (fault.fail != what || fault.after-- > 0)
		return 0;
	errno = EIO;
	return -1;
}

ssize_t __wrap_write(int fd, const void *data, size_t len)
{
	if (call('w') < 0)
		return -1;
	if (fault.watch && fault.write_max) {
		fault.interrupted = !fault.interrupted;
		if (fault.interrupted) {
			errno = EINTR;
			return -1;
		}
		len = len > fault.write_max ? fault.write_max : len;
	}
	return __real_write(fd, data, len);
}

int __wrap_fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) || call(S_ISDIR(st.st_mode) ? 'd' : 'f') < 0)
		return -1;
	return __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
	return call('r') < 0 ? -1 : __real_rename(from, to);
}

static int setup(void **state)
{
	fault = (struct fault){ 0 };
	return scratch_setup(state);
}

static int teardown(void **state)
{
	fault = (struct fault){ 0 };
	return scratch_teardown(state);
}

static void expect_content(const char *path, const char *text)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct err e = { 0 };

	assert_int_equal(io_read_file(path, 4096, &b, &e), 0);
	assert_int_equal(b.len, strlen(text));
	assert_string_equal(b.data, text);
}

/* ---- reading ------------------------------------------------------------ */

static void read_file_up_to_the_limit(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct err e = { 0 };
	const char *path = scratch_write("f", "12345678");

	(void)state;
	assert_int_equal(io_read_file(path, 8, &b, &e), 0);
	assert_int_equal(b.len, 8);
	buf_free(&b);
	assert_int_equal(io_read_file(path, 7, &b, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_non_null(strstr(e.msg, path));
	assert_null(b.data);
}

static void read_file_tells_absent_from_broken(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(io_read_file(scratch_path("none"), 9, &b, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	scratch_write("file", "");
	assert_int_equal(io_read_file(scratch_path("file/below"), 9, &b, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_int_equal(io_read_file(scratch_path(""), 9, &b, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
	assert_int_equal(e.errnum, EISDIR);
}

static void read_file_over_many_buffers(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	_cleanup_free_ char *text = malloc(100001);
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++)
		text[i] = (char)('a' + i % 26);
	text[100000] = '\0';
	assert_int_equal(io_read_file(scratch_write("big", text), 100000, &b, &e), 0);
	assert_int_equal(b.len, 100000);
	assert_memory_equal(b.data, text, 100001);
}

static void read_line_stops_at_newline(void **state)
{
	struct err e = { 0 };
	char line[6];

	(void)state;
	assert_int_equal(io_read_line(scratch_write("f", "abcde\nnext\n"), line, 6, &e), 0);
	assert_string_equal(line, "abcde");
	assert_int_equal(io_read_line(scratch_write("f", "abcdef\n"), line, 6, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_int_equal(io_read_line(scratch_write("f", ""), line, 6, &e), 0);
	assert_string_equal(line, "");
}

static void read_u64_takes_numbers_only(void **state)
{
	static const char *const bad[] = { "", "x", "12x", "0x", "18446744073709551616", "1 2" };
	struct err e = { 0 };
	uint64_t n;

	(void)state;
	assert_int_equal(io_read_u64(scratch_write("n", "42\n"), &n, &e), 0);
	assert_int_equal(n, 42);
	assert_int_equal(io_read_u64(scratch_write("n", "0x100000000\n"), &n, &e), 0);
	assert_int_equal(n, 0x100000000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_clear(&e);
		assert_int_equal(io_read_u64(scratch_write("n", bad[i]), &n, &e), -1);
		assert_int_equal(e.kind, ERR_FORMAT);
	}
}

/* ---- writing ------------------------------------------------------------ */

static void write_all_goes_on_after_short_writes(void **state)
{
	struct err e = { 0 };
	_cleanup_close_ int fd = io_memfd("t", NULL, 0, &e);
	char got[27] = "", expected[128];

	(void)state;
	fault = (struct fault){ .watch = 1, .write_max = 5 };
	assert_int_equal(io_write_all(fd, "abcdefghijklmnopqrstuvwxyz", 26, "t", &e), 0);
	assert_int_equal(pread(fd, got, 26, 0), 26);
	assert_string_equal(got, "abcdefghijklmnopqrstuvwxyz");
	fault = (struct fault){ .watch = 1, .fail = 'w' };
	assert_int_equal(io_write_all(fd, "x", 1, "the thing", &e), -1);
	snprintf(expected, sizeof(expected), "writing the thing: %s", strerror(EIO));
	assert_string_equal(e.msg, expected);
}

static void write_file_is_durable_in_the_right_order(void **state)
{
	const char *path = scratch_write("f", "old");
	struct err e = { 0 };
	struct stat st;

	(void)state;
	fault.watch = 1;
	assert_int_equal(io_write_file(path, "new", 3, 0600, &e), 0);
	assert_string_equal(fault.calls, "wfrd");
	expect_content(path, "new");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(scratch_entries(), 1);
}

static void write_file_mode_is_exact(void **state)
{
	struct err e = { 0 };
	struct stat st;
	mode_t old = umask(077);

	(void)state;
	assert_int_equal(io_write_file(scratch_path("f"), "", 0, 0644, &e), 0);
	umask(old);
	assert_int_equal(stat(scratch_path("f"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
}

static void write_file_that_fails_leaves_the_old_one(void **state)
{
	const char *path = scratch_write("f", "old");
	struct err e = { 0 };

	(void)state;
	for (const char *call_ = "wfr"; *call_; call_++) {
		fault = (struct fault){ .watch = 1, .fail = *call_ };
		assert_int_equal(io_write_file(path, "new", 3, 0600, &e), -1);
		assert_int_equal(e.kind, ERR_IO);
		fault.watch = 0;
		expect_content(path, "old");
		assert_int_equal(scratch_entries(), 1);
	}
	fault = (struct fault){ .watch = 1, .fail = 'd' };
	assert_int_equal(io_write_file(path, "new", 3, 0600, &e), -1);
}

static void write_file_follows_no_planted_link(void **state)
{
	const char *victim = scratch_write("victim", "precious");
	struct err e = { 0 };
	char tmp[600];

	(void)state;
	snprintf(tmp, sizeof(tmp), "%s.tmp%d", scratch_path("f"), (int)getpid());
	assert_int_equal(symlink(victim, tmp), 0);
	assert_int_equal(io_write_file(scratch_path("f"), "new", 3, 0600, &e), 0);
	expect_content(victim, "precious");
	expect_content(scratch_path("f"), "new");
}

static void unlink_is_durable_and_absence_is_fine(void **state)
{
	const char *path = scratch_write("f", "x");
	struct err e = { 0 };

	(void)state;
	fault.watch = 1;
	assert_int_equal(io_unlink_durable(path, &e), 0);
	assert_string_equal(fault.calls, "d");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(io_unlink_durable(path, &e), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(io_unlink_durable(path, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
}

static void mkdir_p_makes_parents_and_sets_the_mode(void **state)
{
	struct err e = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(io_mkdir_p(scratch_path("a/b/c"), 0700, &e), 0);
	assert_int_equal(stat(scratch_path("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(chmod(scratch_path("a/b/c"), 0777), 0);
	assert_int_equal(io_mkdir_p(scratch_path("a/b/c"), 0700, &e), 0);
	assert_int_equal(stat(scratch_path("a/b/c"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void mkdir_p_refuses_links_and_files(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(mkdir(scratch_path("real"), 0700), 0);
	assert_int_equal(symlink(scratch_path("real"), scratch_path("link")), 0);
	assert_int_equal(io_mkdir_p(scratch_path("link"), 0700, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	scratch_write("file", "");
	assert_int_equal(io_mkdir_p(scratch_path("file"), 0700, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_int_equal(io_mkdir_p(scratch_path("file/below"), 0700, &e), -1);
	assert_int_equal(e.kind, ERR_IO);
}

static void memfd_holds_the_data_from_its_start(void **state)
{
	struct err e = { 0 };
	_cleanup_close_ int fd = io_memfd("state", "abc", 3, &e);
	char got[8] = "";

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, sizeof(got)), 3);
	assert_string_equal(got, "abc");
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(errno, EPERM);
}

/* ---- lock --------------------------------------------------------------- */

static void lock_names_its_holder_and_dies_with_it(void **state)
{
	const char *path = scratch_path("lock");
	struct err e = { 0 };
	char expected[64], ready;
	int p[2], status, fd;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fd = io_lock(path, &e);
		(void)!write(p[1], fd < 0 ? "n" : "y", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(p[0], &ready, 1), 1);
	assert_int_equal(ready, 'y');
	assert_int_equal(io_lock(path, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	snprintf(expected, sizeof(expected), "(pid %d)", (int)pid);
	assert_non_null(strstr(e.msg, expected));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(p[0]);
	close(p[1]);
	fd = io_lock(path, &e);
	assert_true(fd >= 0);
	close(fd);
}

static void lock_is_waited_for(void **state)
{
	const char *path = scratch_path("lock");
	struct err e = { 0 };
	int p[2], held, fd;
	int64_t start;
	pid_t pid;
	char go;

	(void)state;
	held = io_lock(path, &e);
	assert_true(held >= 0);
	start = io_now_ms();
	assert_int_equal(io_lock_wait(path, 100, &e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	assert_true(io_now_ms() - start >= 100 && io_now_ms() - start < 10000);
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		close(held);
		(void)!write(p[1], "g", 1);
		fd = io_lock_wait(path, 20000, &e);
		_exit(fd < 0);
	}
	assert_int_equal(read(p[0], &go, 1), 1);
	usleep(50000); /* so that it waits; right in any case */
	close(held);
	assert_int_equal(waitpid(pid, &fd, 0), pid);
	assert_int_equal(fd, 0);
	close(p[0]);
	close(p[1]);
}

static void lock_is_private_and_never_a_link(void **state)
{
	struct err e = { 0 };
	struct stat st;
	int fd = io_lock(scratch_path("lock"), &e);

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	assert_int_equal(symlink(scratch_path("lock"), scratch_path("link")), 0);
	assert_int_equal(io_lock(scratch_path("link"), &e), -1);
	assert_int_equal(e.errnum, ELOOP);
}

/* ---- identities and numbers --------------------------------------------- */

static void boot_id_is_read_and_not_zero(void **state)
{
	uint8_t a[16] = { 0 }, b[16] = { 0 }, zero[16] = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(io_boot_id(a, &e), 0);
	assert_int_equal(io_boot_id(b, &e), 0);
	assert_memory_equal(a, b, 16);
	assert_memory_not_equal(a, zero, 16);
}

static void uuid_round_trip_and_bad_forms(void **state)
{
	static const char *const bad[] = {
		"",
		"-",
		"00112233-4455-6677-8899-aabbccddeef",
		"00112233-4455-6677-8899-aabbccddeeff0",
		"00112233-4455-6677-8899aabbccddeeff00",
		"g0112233-4455-6677-8899-aabbccddeeff",
		"00112233 4455-6677-8899-aabbccddeeff",
		"001122334455-6677-8899-aabb-ccddeeff",
	};
	uint8_t id[16];
	struct err e = { 0 };
	char text[37];

	(void)state;
	assert_int_equal(io_uuid_parse("00112233-4455-6677-8899-AABBCCDDEEFF", id, &e), 0);
	assert_int_equal(id[0], 0);
	assert_int_equal(id[15], 0xff);
	io_uuid_format(id, text);
	assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_clear(&e);
		assert_int_equal(io_uuid_parse(bad[i], id, &e), -1);
		assert_int_equal(e.kind, ERR_FORMAT);
	}
}

static void hex_round_trip_and_bad_forms(void **state)
{
	static const char *const bad[] = { "",	      "0",    "001",  "00112",
					   "0011223", "001g", "00 1", "-011" };
	uint8_t in[256], out[256], two[2];
	struct err e = { 0 };
	char text[513];

	(void)state;
	for (int i = 0; i < 256; i++)
		in[i] = (uint8_t)i;
	io_hex(in, 256, text);
	assert_int_equal(strlen(text), 512);
	assert_int_equal(io_unhex(text, out, 256, &e), 0);
	assert_memory_equal(in, out, 256);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_clear(&e);
		assert_int_equal(io_unhex(bad[i], two, 2, &e), -1);
		assert_int_equal(e.kind, ERR_FORMAT);
	}
}

static void parse_size_takes_what_the_kernel_takes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "2097152", 2097152 },
		{ "0x1000", 4096 },
		{ "1k", 1024 },
		{ "512M", 512ULL << 20 },
		{ "4G", 4ULL << 30 },
		{ "4g", 4ULL << 30 },
		{ "0x4G", 4ULL << 30 },
		{ "2T", 2ULL << 40 },
		{ "18446744073709551615", UINT64_MAX },
		{ "16777215T", 16777215ULL << 40 },
	};
	static const char *const bad[] = {
		"",	     " 1", "-1",  "+1", "G",   "1.5G",	"1 G",
		"1GB",	     "1P", "1GG", "0x", "1G ", "4G!4G", "18446744073709551616",
		"16777216T",
	};
	struct err e = { 0 };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(io_parse_size(good[i].text, &n, &e), 0);
		assert_int_equal(n, good[i].bytes);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_clear(&e);
		if (io_parse_size(bad[i], &n, &e) == 0)
			fail_msg("'%s' was taken as a size", bad[i]);
		assert_int_equal(e.kind, ERR_FORMAT);
	}
}

static void format_size_is_exact(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1, "1" },
		{ 4097, "4097" },
		{ 1024, "1K" },
		{ 1006ULL << 20, "1006M" },
		{ 1ULL << 30, "1G" },
		{ 1ULL << 40, "1T" },
		{ 2048ULL << 40, "2048T" },
		{ UINT64_MAX, "18446744073709551615" },
	};
	struct err e = { 0 };
	char text[32];
	uint64_t back;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		io_format_size(cases[i].bytes, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(io_parse_size(text, &back, &e), 0);
		assert_int_equal(back, cases[i].bytes);
	}
}

static void path_that_does_not_fit_is_refused(void **state)
{
	struct err e = { 0 };
	char buf[8];

	(void)state;
	assert_int_equal(io_path(buf, sizeof(buf), &e, "/%s", "123456"), 0);
	assert_string_equal(buf, "/123456");
	assert_int_equal(io_path(buf, sizeof(buf), &e, "/%s", "1234567"), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(read_file_up_to_the_limit),
		CASE(read_file_tells_absent_from_broken),
		CASE(read_file_over_many_buffers),
		CASE(read_line_stops_at_newline),
		CASE(read_u64_takes_numbers_only),
		CASE(write_all_goes_on_after_short_writes),
		CASE(write_file_is_durable_in_the_right_order),
		CASE(write_file_mode_is_exact),
		CASE(write_file_that_fails_leaves_the_old_one),
		CASE(write_file_follows_no_planted_link),
		CASE(unlink_is_durable_and_absence_is_fine),
		CASE(mkdir_p_makes_parents_and_sets_the_mode),
		CASE(mkdir_p_refuses_links_and_files),
		CASE(memfd_holds_the_data_from_its_start),
		CASE(lock_names_its_holder_and_dies_with_it),
		CASE(lock_is_waited_for),
		CASE(lock_is_private_and_never_a_link),
		CASE(boot_id_is_read_and_not_zero),
		CASE(uuid_round_trip_and_bad_forms),
		CASE(hex_round_trip_and_bad_forms),
		CASE(parse_size_takes_what_the_kernel_takes),
		CASE(format_size_is_exact),
		CASE(path_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
