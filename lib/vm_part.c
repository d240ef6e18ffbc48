/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of a VM's RAM: one, or one for each of several guest NUMA nodes. */
#include <string.h>

#include "io.h"
#include "vm.h"

unsigned int vm_parts(const struct vm *vm)
{
	return 1 + vm->nmore;
}

struct vm_part vm_part(const struct vm *vm, unsigned int i)
{
	struct vm_part first = {
		.memdev = vm->memdev,
		.size = vm->memory,
		.align = vm->align,
		.no_pmem = vm->no_pmem,
		.region = vm->region,
		.mem_path = vm->mem_path,
	};

	if (i)
		return vm->more[i - 1];
	for (unsigned int k = 0; k < vm->nmore; k++)
		first.size -= vm->more[k].size;
	return first;
}

/* Is "memdev=ID" one of the properties? A comma in a value is doubled. */
static bool has_memdev(const char *node, const char *memdev)
{
	size_t n = strlen(memdev);

	for (;;) {
		if (!strncmp(node, "memdev=", 7) && !strncmp(node + 7, memdev, n) &&
		    (!node[7 + n] || (node[7 + n] == ',' && node[8 + n] != ',')))
			return true;
		while (*node && (*node != ',' || node[1] == ','))
			node += *node == ',' ? 2 : 1;
		if (!*node)
			return false;
		node++;
	}
}

unsigned int vm_numa_users(const struct vm *vm, const char *memdev)
{
	unsigned int users = 0;

	for (unsigned int i = 0; i + 1 < vm->nargs; i++)
		users += (!strcmp(vm->args[i], "-numa") || !strcmp(vm->args[i], "--numa")) &&
			has_memdev(vm->args[i + 1], memdev);
	return users;
}

static int check_sum(const struct vm *vm, struct err *e)
{
	uint64_t left = vm->memory;

	if (vm->nmore >= VM_PARTS_MAX)
		return err_set(e, ERR_USAGE, "RAM of more than %d parts", VM_PARTS_MAX);
	for (unsigned int i = 0; i < vm->nmore; i++) {
		if (vm->more[i].size >= left)
			return err_set(e, ERR_USAGE,
				       "memory: %llu bytes are less than the parts of the RAM",
				       (unsigned long long)vm->memory);
		left -= vm->more[i].size;
	}
	return 0;
}

/* RAM that no node has would be no RAM of the guest. */
static int check_one_of_several(const struct vm *vm, unsigned int i, struct err *e)
{
	struct vm_part p = vm_part(vm, i);
	unsigned int users = vm_numa_users(vm, p.memdev);
	char size[32];

	io_format_size(p.size, size, sizeof(size));
	if (!p.size || p.size % (2 << 20))
		return err_set(e, ERR_USAGE,
			       "%s of the memory backend %s is not a multiple of 2M, the alignment of "
			       "a DAX device",
			       size, p.memdev);
	if (users != 1)
		return err_set(e, ERR_USAGE,
			       "args: the memory backend %s is the RAM of %u guest NUMA nodes; each of "
			       "several backends belongs to one, by '-numa node,memdev=%s'",
			       p.memdev, users, p.memdev);
	for (unsigned int k = 0; k < i; k++)
		if (!strcmp(p.memdev, vm_part(vm, k).memdev))
			return err_set(e, ERR_USAGE, "two memory backends are called %s", p.memdev);
	return 0;
}

int vm_parts_check(const struct vm *vm, struct err *e)
{
	if (check_sum(vm, e) < 0)
		return -1;
	for (unsigned int i = 0; i < vm_parts(vm); i++) {
		struct vm_part p = vm_part(vm, i);

		if (!p.memdev || !*p.memdev || strpbrk(p.memdev, ",= /"))
			return err_set(e, ERR_USAGE, "memdev: '%.80s' is not a QEMU object id",
				       p.memdev ? p.memdev : "");
		if (p.align & (p.align - 1))
			return err_set(e, ERR_USAGE, "align: %llu is not a power of two",
				       (unsigned long long)p.align);
		if (vm->nmore && check_one_of_several(vm, i, e) < 0)
			return -1;
	}
	return 0;
}
