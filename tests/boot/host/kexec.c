/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An operator's own kexec, without Holdover:
 *
 *	kexec load KERNEL INITRD	with the running kernel's command line
 *	kexec exec
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

static int load(const char *kernel, const char *initrd)
{
	int k = open(kernel, O_RDONLY | O_CLOEXEC), i = open(initrd, O_RDONLY | O_CLOEXEC);
	int c = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	char cmdline[4096] = "";
	ssize_t n = c < 0 ? -1 : read(c, cmdline, sizeof(cmdline) - 1);

	if (k < 0 || i < 0 || n <= 0)
		return -1;
	cmdline[strcspn(cmdline, "\n")] = '\0';
	return (int)syscall(SYS_kexec_file_load, k, i, strlen(cmdline) + 1, cmdline, 0UL);
}

int main(int argc, char **argv)
{
	int r = -1;

	if (argc == 4 && !strcmp(argv[1], "load")) {
		r = load(argv[2], argv[3]);
	} else if (argc == 2 && !strcmp(argv[1], "exec")) {
		sync();
		r = reboot(RB_KEXEC);
	}
	if (r)
		perror("kexec");
	return r ? 1 : 0;
}
