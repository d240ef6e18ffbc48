/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest NUMA nodes as the [vm] section describes them: numa = SIZE[@REGION] [cpus=LIST] */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "io.h"
#include "vm_load.h"

#define BLANKS " \t"

void vm_nodes_free(struct vm_nodes *nodes)
{
	for (unsigned int i = 0; i < nodes->n; i++) {
		free(nodes->node[i].region);
		free(nodes->node[i].cpus);
	}
	memset(nodes, 0, sizeof(*nodes));
}

/* "0-3,8": numbers and ranges. What QEMU makes of them is its own matter. */
static bool cpus_valid(const char *text)
{
	const char *p = text;

	for (;;) {
		size_t digits = strspn(p, "0123456789");

		p += digits;
		if (digits && *p == '-') {
			digits = strspn(++p, "0123456789");
			p += digits;
		}
		if (!digits)
			return false;
		if (!*p)
			return true;
		if (*p++ != ',')
			return false;
	}
}

static int parse_node(char *text, struct vm_node *node, struct err *e)
{
	size_t n = strcspn(text, BLANKS);
	char *rest = text + n + strspn(text + n, BLANKS), *at;

	if (*rest && (strncmp(rest, "cpus=", 5) || !cpus_valid(rest + 5)))
		return err_set(e, ERR_USAGE,
			       "numa: '%.40s' is not a list of processors such as cpus=0-3,8", rest);
	if (*rest && config_set_string(&node->cpus, rest + 5, e) < 0)
		return -1;
	text[n] = '\0';
	at = strchr(text, '@');
	if (at) {
		*at++ = '\0';
		if (!*at)
			return err_set(e, ERR_USAGE, "numa: there is no region after the '@'");
		if (config_set_string(&node->region, at, e) < 0)
			return -1;
	}
	return io_parse_size(text, &node->size, e) < 0 ? err_wrap(e, "numa") : 0;
}

int vm_nodes_add(struct vm_nodes *nodes, const char *value, struct err *e)
{
	_cleanup_free_ char *text = strdup(value);

	if (!text)
		return err_sys(e, ENOMEM, "numa");
	if (nodes->n == VM_PARTS_MAX)
		return err_set(e, ERR_USAGE, "numa: more than %d nodes", VM_PARTS_MAX);
	/* Counted first: what it owns is freed, whatever fails. */
	return parse_node(text, &nodes->node[nodes->n++], e);
}

/* -numa node,memdev=ID,cpus=0-3,cpus=8 */
static char *node_option(const char *memdev, const char *cpus)
{
	size_t room = strlen(memdev) + (cpus ? 6 * strlen(cpus) : 0) + 32, at;
	char *out = malloc(room);

	if (!out)
		return NULL;
	at = (size_t)snprintf(out, room, "node,memdev=%s", memdev);
	while (cpus) {
		size_t n = strcspn(cpus, ",");

		at += (size_t)snprintf(out + at, room - at, ",cpus=%.*s", (int)n, cpus);
		cpus = cpus[n] ? cpus + n + 1 : NULL;
	}
	return out;
}

static int add_argument(struct vm *vm, const char *memdev, const char *cpus, struct err *e)
{
	/* The array has room for as many as are allowed. */
	if (vm->nargs + 2 > VM_ARGS_MAX)
		return err_set(e, ERR_USAGE, "args: more than %d words", VM_ARGS_MAX);
	vm->args[vm->nargs] = strdup("-numa");
	vm->args[vm->nargs + 1] = node_option(memdev, cpus);
	vm->nargs += 2;
	vm->args[vm->nargs] = NULL;
	if (!vm->args[vm->nargs - 2] || !vm->args[vm->nargs - 1])
		return err_sys(e, ENOMEM, "numa");
	return 0;
}

/* Ids are part of the saved state: they follow from the order. */
static int add_part(struct vm *vm, const struct vm_node *node, struct err *e)
{
	struct vm_part *p = &vm->more[vm->nmore];
	const char *region = node->region ? node->region : vm->region;

	p->size = node->size;
	vm->nmore++;
	if (region && config_set_string(&p->region, region, e) < 0)
		return -1;
	if (asprintf(&p->memdev, "%s.%u", vm->memdev, vm->nmore) < 0) {
		p->memdev = NULL;
		return err_sys(e, ENOMEM, "numa");
	}
	return add_argument(vm, p->memdev, node->cpus, e);
}

static int check(const struct vm *vm, const struct vm_nodes *nodes, uint64_t *all, struct err *e)
{
	char have[32], want[32];

	if (vm->mem_path)
		return err_set(e, ERR_USAGE,
			       "numa: the RAM is in args already; leave one of them out");
	for (unsigned int i = 0; i + 1 < vm->nargs; i++)
		if ((!strcmp(vm->args[i], "-numa") || !strcmp(vm->args[i], "--numa")) &&
		    !strncmp(vm->args[i + 1], "node", 4))
			return err_set(e, ERR_USAGE,
				       "args: '-numa %.60s' beside numa = would be a node more; leave "
				       "one of them out",
				       vm->args[i + 1]);
	*all = 0;
	for (unsigned int i = 0; i < nodes->n; i++) {
		if (nodes->node[i].size > UINT64_MAX - *all)
			return err_set(e, ERR_USAGE, "numa: so much RAM is impossible");
		*all += nodes->node[i].size;
	}
	io_format_size(vm->memory, have, sizeof(have));
	io_format_size(*all, want, sizeof(want));
	if (vm->memory && vm->memory != *all)
		return err_set(e, ERR_USAGE,
			       "memory = %s is not the %s of the nodes together; leave it out",
			       have, want);
	return 0;
}

int vm_take_nodes(struct vm *vm, const struct vm_nodes *nodes, struct err *e)
{
	const struct vm_node *first = &nodes->node[0];
	uint64_t all = 0;

	if (!nodes->n)
		return 0;
	if (check(vm, nodes, &all, e) < 0 || add_argument(vm, vm->memdev, first->cpus, e) < 0)
		return -1;
	vm->memory = all;
	for (unsigned int i = 1; i < nodes->n; i++)
		if (add_part(vm, &nodes->node[i], e) < 0)
			return -1;
	return first->region ? config_set_string(&vm->region, first->region, e) : 0;
}
