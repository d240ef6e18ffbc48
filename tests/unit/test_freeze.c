/* SPDX-License-Identifier: GPL-2.0-only */
/* link: -Wl,--wrap=io_read_file,--wrap=ioctl,--wrap=syncfs */
/* Freezing, with file systems that only count. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/fs.h>

#include <cmocka.h>

#include "kexec.h"

/* Two that can be frozen (as btrfs, whose numbers are not compared) and one
 * whose root cannot be opened. */
#define TWO                                   \
	"1 0 0:77 / / rw - btrfs /dev/a rw\n" \
	"2 1 0:78 / /proc rw - btrfs /dev/b rw\n"
#define ABSENT "3 1 8:77 / /nonexistent/here rw - ext4 /dev/c rw\n"

/** struct counts - of all processes together */
static struct counts {
	atomic_int frozen, thawed;
	atomic_bool stuck, dirty;
} * c;

static const char *mountinfo;

int __wrap_io_read_file(const char *path, size_t max, struct buf *out, struct err *e);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_syncfs(int fd);

int __wrap_io_read_file(const char *path, size_t max, struct buf *out, struct err *e)
{
	(void)max;
	(void)e;
	assert_string_equal(path, "/proc/self/mountinfo");
	out->data = strdup(mountinfo);
	out->len = strlen(mountinfo);
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	if (request == (unsigned long)FITHAW) {
		atomic_fetch_add(&c->thawed, 1);
		return 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (atomic_load(&c->stuck))
		pause();
	if (atomic_load(&c->dirty)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	atomic_fetch_add(&c->frozen, 1);
	return 0;
}

int __wrap_syncfs(int fd)
{
	(void)fd;
	errno = EIO;
	return atomic_load(&c->dirty) ? -1 : 0;
}

static int setup(void **state)
{
	(void)state;
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return c == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	return munmap(c, sizeof(*c));
}

static void frozen_and_thawed(void **state)
{
	struct kexec_frozen f;
	struct err e = { 0 };

	(void)state;
	mountinfo = TWO;
	assert_int_equal(kexec_freeze(&f, 10000, NULL, 0, &e), 0);
	assert_int_equal(f.n, 2);
	assert_int_equal(f.skipped, 0);
	assert_int_equal(atomic_load(&c->frozen), 2);
	kexec_thaw(&f);
	assert_int_equal(atomic_load(&c->thawed), 2);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* The program is killed between freezing and the jump. */
static void a_death_thaws(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	mountinfo = TWO;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0) {
		struct kexec_frozen f;
		struct err e = { 0 };

		if (kexec_freeze(&f, 10000, NULL, 0, &e) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	/* The watcher is ours now. */
	while (wait(NULL) > 0)
		;
	assert_int_equal(atomic_load(&c->frozen), 2);
	assert_int_equal(atomic_load(&c->thawed), 2);
}

static void only_vital_ones_stop_the_jump(void **state)
{
	const dev_t vital[] = { makedev(8, 78), makedev(8, 77) };
	struct kexec_frozen f;
	struct err e = { 0 };

	(void)state;
	mountinfo = TWO ABSENT;
	assert_int_equal(kexec_freeze(&f, 10000, vital, 1, &e), 0);
	assert_int_equal(f.n, 2);
	assert_int_equal(f.skipped, 1);
	kexec_thaw(&f);
	assert_int_equal(kexec_freeze(&f, 10000, vital, 2, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_non_null(strstr(e.msg, "/nonexistent/here"));
	kexec_thaw(&f);
	assert_int_equal(atomic_load(&c->thawed), 4);
}

static void a_stuck_one_is_named(void **state)
{
	struct kexec_frozen f;
	struct err e = { 0 };

	(void)state;
	mountinfo = TWO;
	atomic_store(&c->stuck, true);
	assert_int_equal(kexec_freeze(&f, 50, NULL, 0, &e), -1);
	assert_int_equal(f.n, 0);
	assert_int_equal(f.skipped, 2);
	kexec_thaw(&f);
}

static void one_that_is_not_even_synced_counts_as_skipped(void **state)
{
	struct kexec_frozen f;
	struct err e = { 0 };

	(void)state;
	mountinfo = TWO;
	atomic_store(&c->dirty, true);
	assert_int_equal(kexec_freeze(&f, 10000, NULL, 0, &e), -1);
	assert_int_equal(f.skipped, 2);
	kexec_thaw(&f);
}

static void all_that_can_be_opened_is_thawed(void **state)
{
	(void)state;
	mountinfo = TWO ABSENT;
	kexec_thaw_all();
	assert_int_equal(atomic_load(&c->thawed), 2);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(frozen_and_thawed),
		CASE(a_death_thaws),
		CASE(only_vital_ones_stop_the_jump),
		CASE(a_stuck_one_is_named),
		CASE(one_that_is_not_even_synced_counts_as_skipped),
		CASE(all_that_can_be_opened_is_thawed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
