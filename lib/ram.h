/* SPDX-License-Identifier: GPL-2.0-only */
/* Where one VM's RAM lies: the same thing for a DAX device and for a file. */
#ifndef HOLDOVER_RAM_H
#define HOLDOVER_RAM_H

#include <stdint.h>

#define RAM_PATH_MAX 160

/**
 * struct ram - the RAM of one VM
 * @path: DAX device of this boot, or a file
 * @offset: of the RAM in it, bytes
 * @size: bytes; like @offset a multiple of 2 MiB
 * @align: of mappings, bytes; 0 is 2 MiB
 */
struct ram {
	char path[RAM_PATH_MAX];
	uint64_t offset;
	uint64_t size;
	uint64_t align;
};

#endif
