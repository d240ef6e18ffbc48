/* SPDX-License-Identifier: GPL-2.0-only */
/* journal.c against a socket that the test reads. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "io.h"
#include "journal.h"
#include "qemu.h"

#define DIR HOLDOVER_RUN_DIR "/db1"
#define LOG DIR "/qemu.log"
#define SOCKET "/run/journal"

static int journald = -1;

static int own_run(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	struct err e = { 0 };

	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("run", "/run", "tmpfs", 0, NULL) < 0)
		return -1;
	journal_socket = SOCKET;
	journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(journald, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -1;
	return io_mkdir_p(DIR, 0700, &e);
}

static int close_run(void **state)
{
	(void)state;
	close(journald);
	return umount2("/run", MNT_DETACH);
}

static void log_is(const char *text, int flags)
{
	int fd = open(LOG, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The next entry ends with @message; NULL: there is none. */
static void entry(const char *message)
{
	char text[4096] = "", want[2048];
	ssize_t n = recv(journald, text, sizeof(text) - 1, 0);

	if (!message) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n > 0);
	snprintf(want, sizeof(want),
		 "SYSLOG_IDENTIFIER=holdover-db1\nPRIORITY=5\nSYSLOG_FACILITY=3\n%s", message);
	assert_string_equal(text, want);
}

static void each_line_once(void **state)
{
	(void)state;
	log_is("first\n\nsecond\nunfin", O_TRUNC);
	journal_forward("db1", 77);
	entry("OBJECT_PID=77\nMESSAGE=first\n");
	entry("OBJECT_PID=77\nMESSAGE=second\n");
	entry(NULL);
	journal_forward("db1", 77);
	entry(NULL);
	log_is("ished\n", O_APPEND);
	journal_forward("db1", 77);
	entry("OBJECT_PID=77\nMESSAGE=unfinished\n");
	entry(NULL);
	/* QEMU has ended: there is no more to come. */
	log_is("last words", O_APPEND);
	journal_forward("db1", 0);
	entry("MESSAGE=last words\n");
	entry(NULL);
}

static void an_endless_line_is_cut(void **state)
{
	char line[1500];

	(void)state;
	unlink(LOG ".sent");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	log_is(line, O_TRUNC);
	journal_forward("db1", 0);
	memset(line, 0, sizeof(line));
	snprintf(line, sizeof(line), "MESSAGE=");
	memset(line + 8, 'x', 1024);
	line[8 + 1024] = '\n';
	entry(line);
}

static void a_log_begun_anew(void **state)
{
	(void)state;
	log_is("new\n", O_TRUNC);
	journal_forward("db1", 5);
	entry("OBJECT_PID=5\nMESSAGE=new\n");
	entry(NULL);
}

static void without_a_journal_nothing_is_lost(void **state)
{
	(void)state;
	log_is("more\n", O_APPEND);
	journal_socket = "/run/nothing";
	journal_forward("db1", 5);
	journal_forward("absent", 5);
	journal_socket = SOCKET;
	journal_forward("db1", 5);
	entry("OBJECT_PID=5\nMESSAGE=more\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_once),
		cmocka_unit_test(an_endless_line_is_cut),
		cmocka_unit_test(a_log_begun_anew),
		cmocka_unit_test(without_a_journal_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, own_run, close_run);
}
