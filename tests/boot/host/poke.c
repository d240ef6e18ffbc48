/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * poke DEVICE OFFSET - somebody without privileges who was handed the DAX device, as a QEMU is: turns over one bit of
 * the byte at OFFSET. Twice is as never.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGN (2UL << 20)
#define NOBODY 65534

int main(int argc, char **argv)
{
	unsigned long at = argc == 3 ? strtoul(argv[2], NULL, 0) : 0;
	int fd = argc == 3 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
	volatile uint8_t *p;

	if (fd < 0 || setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0) {
		perror("poke");
		return 1;
	}
	p = mmap(NULL, ALIGN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(at / ALIGN * ALIGN));
	if (p == MAP_FAILED) {
		perror("poke: mmap");
		return 1;
	}
	p[at % ALIGN] ^= 1;
	return 0;
}
