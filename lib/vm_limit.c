/* SPDX-License-Identifier: GPL-2.0-only */
/* Resource limits of a VM's scope. */
#include <errno.h>
#include <string.h>

#include "io.h"
#include "vm.h"

/* systemd.resource-control(5); the largest tasks-max is the kernel's PID_MAX_LIMIT. */
static const struct {
	const char *key, *property;
	uint64_t min, max;
} limits[VM_LIMITS] = {
	[VM_CPU_WEIGHT] = { "cpu-weight", "CPUWeight", 1, 10000 },
	[VM_CPU_QUOTA] = { "cpu-quota", "CPUQuotaPerSecUSec", 1, 100000 },
	[VM_IO_WEIGHT] = { "io-weight", "IOWeight", 1, 10000 },
	[VM_MEMORY_HIGH] = { "memory-high", "MemoryHigh", 16 << 20, 1ULL << 50 },
	[VM_MEMORY_MAX] = { "memory-max", "MemoryMax", 16 << 20, 1ULL << 50 },
	[VM_TASKS_MAX] = { "tasks-max", "TasksMax", 8, 4 << 20 },
};

/* CPUQuotaPerSecUSec counts microseconds of each second. */
#define PERCENT_USEC 10000

const char *vm_limit_key(enum vm_limit l)
{
	return limits[l].key;
}

const char *vm_limit_property(enum vm_limit l)
{
	return limits[l].property;
}

bool vm_limit_find(const char *key, enum vm_limit *out)
{
	for (unsigned int i = 0; i < VM_LIMITS; i++)
		if (!strcmp(key, limits[i].key)) {
			*out = (enum vm_limit)i;
			return true;
		}
	return false;
}

int vm_limit_check(enum vm_limit l, uint64_t value, struct err *e)
{
	uint64_t unit = l == VM_CPU_QUOTA ? PERCENT_USEC : 1;

	if (!value || (value >= limits[l].min * unit && value <= limits[l].max * unit))
		return 0;
	return err_set(e, ERR_USAGE, "%s is not from %llu to %llu", limits[l].key,
		       (unsigned long long)limits[l].min, (unsigned long long)limits[l].max);
}

int vm_limit_parse(enum vm_limit l, const char *text, uint64_t *out, struct err *e)
{
	size_t n = strlen(text);
	char number[32];

	if (l == VM_MEMORY_HIGH || l == VM_MEMORY_MAX) {
		if (io_parse_size(text, out, e) < 0)
			return err_wrap(e, "%s", limits[l].key);
	} else {
		bool percent = l == VM_CPU_QUOTA && n && text[n - 1] == '%';
		char *end;

		n -= percent;
		if (!n || n >= sizeof(number) || strspn(text, "0123456789") != n ||
		    (l == VM_CPU_QUOTA && !percent))
			return err_set(e, ERR_USAGE, "%s: '%.40s' is not %s", limits[l].key, text,
				       l == VM_CPU_QUOTA ? "a percentage such as 150%" : "a number");
		memcpy(number, text, n);
		number[n] = '\0';
		errno = 0;
		*out = strtoull(number, &end, 10);
		if (errno || *out > limits[l].max)
			*out = limits[l].max + 1;
		*out *= percent ? PERCENT_USEC : 1;
	}
	if (!*out)
		return err_set(e, ERR_USAGE, "%s: 0 would stop the VM; leave it out for no limit",
			       limits[l].key);
	return vm_limit_check(l, *out, e);
}
