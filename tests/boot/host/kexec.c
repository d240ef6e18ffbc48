/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An operator's own kexec, without Holdover:
 *
 *	kexec load KERNEL INITRD [CMDLINE [TICKET]]
 *	kexec exec
 *
 * CMDLINE: default is the running kernel's. TICKET: a file that goes along as /holdover.ticket, as `holdover kexec`
 * sends it; so the agent can be shown a kernel that Holdover would never have loaded.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME "holdover.ticket"
#define TRAILER "TRAILER!!!"

/* One file of a newc archive; @at: what is in it already. */
static size_t put_file(char *out, size_t at, const char *name, const void *data, size_t len,
		       unsigned int mode)
{
	at += (size_t)sprintf(out + at,
			      "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s", 1,
			      mode, 0, 0, 1, 0, len, 0, 0, 0, 0, strlen(name) + 1, 0, name);
	at = (at + 1 + 3) & ~(size_t)3;
	if (len)
		memcpy(out + at, data, len);
	return (at + len + 3) & ~(size_t)3;
}

/* The initrd and behind it an archive with the ticket. */
static int with_ticket(const char *initrd, const char *ticket)
{
	static char cpio[4096], data[1024];
	int in = open(initrd, O_RDONLY | O_CLOEXEC), t = open(ticket, O_RDONLY | O_CLOEXEC);
	int out = memfd_create("initrd", MFD_CLOEXEC);
	ssize_t n = t < 0 ? -1 : read(t, data, sizeof(data));
	struct stat st;
	size_t len;

	if (in < 0 || out < 0 || n <= 0 || fstat(in, &st))
		return -1;
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(out, in, &at, (size_t)(st.st_size - at)) <= 0)
			return -1;
	len = put_file(cpio, 0, NAME, data, (size_t)n, 0100400);
	len = put_file(cpio, len, TRAILER, NULL, 0, 0);
	/* An archive begins at a multiple of four. */
	if (pwrite(out, cpio, len, (st.st_size + 3) & ~3L) != (ssize_t)len || lseek(out, 0, SEEK_SET))
		return -1;
	return out;
}

static int load(int argc, char **argv)
{
	int k = open(argv[2], O_RDONLY | O_CLOEXEC);
	int i = argc > 5 ? with_ticket(argv[3], argv[5]) : open(argv[3], O_RDONLY | O_CLOEXEC);
	int c = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	char running[4096] = "", *cmdline = argc > 4 ? argv[4] : running;
	ssize_t n = c < 0 ? -1 : read(c, running, sizeof(running) - 1);

	if (k < 0 || i < 0 || n <= 0)
		return -1;
	running[strcspn(running, "\n")] = '\0';
	return (int)syscall(SYS_kexec_file_load, k, i, strlen(cmdline) + 1, cmdline, 0UL);
}

int main(int argc, char **argv)
{
	int r = -1;

	if (argc >= 4 && argc <= 6 && !strcmp(argv[1], "load")) {
		r = load(argc, argv);
	} else if (argc == 2 && !strcmp(argv[1], "exec")) {
		sync();
		r = reboot(RB_KEXEC);
	}
	if (r)
		perror("kexec");
	return r ? 1 : 0;
}
