/* SPDX-License-Identifier: GPL-2.0-only */
#include "place.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "runstate.h"

static int check_free(const struct host *h, const struct vm *vm, int index, struct err *e)
{
	int alive = runstate_alive(vm->name, NULL, e);
	struct vm_record rec;

	if (alive < 0)
		return -1;
	if (alive)
		return err_set(e, ERR_REFUSED, "VM %s is running already", vm->name);
	if (access(vm->qemu, X_OK) < 0)
		return err_set(e, ERR_ABSENT,
			       "vm %s: %s cannot be executed (%s); install it or set 'qemu ='",
			       vm->name, vm->qemu, strerror(errno));
	if (index < 0)
		return 0;
	if (record_read(&h->ledger, (unsigned int)index, vm->name, &rec, e) < 0)
		return err_wrap(e, "vm %s", vm->name);
	if (host_pending(rec.state))
		return err_set(e, ERR_REFUSED,
			       "VM %s is %s: its state waits in the ledger; 'holdover resume %s' "
			       "continues it, 'holdover discard %s' gives it up",
			       vm->name, vm_state_name(rec.state), vm->name, vm->name);
	return 0;
}

/* What a file took is given back; a region that is gone has taken its RAM with
 * it. */
static int drop_extent(struct host *h, struct extent *x, struct err *e)
{
	const struct store *s;
	struct ram ram;

	if (host_store(h, x->region, &s, NULL, e) < 0) {
		if (e->kind != ERR_ABSENT)
			return -1;
		err_clear(e);
	} else if (store_ram(s, x, &ram, e) < 0 || store_drop(s, &ram, e) < 0) {
		return -1;
	}
	memset(x, 0, sizeof(*x));
	return 0;
}

/* Extents of VMs that neither run nor wait hold nothing of value: they are
 * kept only so that a VM comes back to the same place. */
static int drop_idle_extents(struct host *h, struct extent_table *t, const char *but, struct err *e)
{
	for (unsigned int i = 0; i < VM_MAX; i++) {
		struct vm_record rec;
		int alive;

		if (!*t->slot[i].name || !strcmp(t->slot[i].name, but))
			continue;
		alive = runstate_alive(t->slot[i].name, NULL, e);
		if (alive < 0)
			return -1;
		if (alive)
			continue;
		if (record_read(&h->ledger, i, t->slot[i].name, &rec, e) < 0)
			return err_wrap(e, "vm %s", t->slot[i].name);
		if (!host_pending(rec.state) && drop_extent(h, &t->slot[i], e) < 0)
			return -1;
	}
	return 0;
}

/* An extent of the right size and its memory, new or as it was. Its entry
 * leaves the table if there is no room. */
static int reserve(struct host *h, const struct vm *vm, unsigned int region, struct extent_table *t,
		   struct ram *ram, struct err *e)
{
	int index = extent_find(t, vm->name);
	const struct ledger_geometry *geo;
	const struct store *s;

	if (host_store(h, region, &s, &geo, e) < 0)
		return -1;
	if (index >= 0 && (t->slot[index].size != vm->memory || t->slot[index].region != region)) {
		if (drop_extent(h, &t->slot[index], e) < 0)
			return -1;
		index = -1;
	}
	if (index < 0)
		index = extent_alloc(t, geo, vm->name, vm->memory, e);
	if (index < 0)
		return -1;
	if (host_ram(h, &t->slot[index], ram, e) == 0 && store_reserve(s, ram, e) == 0)
		return index;
	memset(&t->slot[index], 0, sizeof(t->slot[index]));
	return -1;
}

/* Does a path of the operator's lie in this store: its device, or something on
 * its file system? */
static bool holds(const struct store *s, const struct stat *st)
{
	struct stat device;

	if (stat(s->dev.path, &device) < 0)
		return false;
	if (s->dev.mode == PMEM_FSDAX)
		return !S_ISCHR(st->st_mode) && st->st_dev == device.st_rdev;
	return S_ISCHR(st->st_mode) && st->st_rdev == device.st_rdev;
}

/* What the operator's own command line names. A file that does not exist yet
 * would come to be in its folder. */
static int stat_place(const char *path, struct stat *st, struct err *e)
{
	_cleanup_free_ char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (stat(path, st) == 0)
		return 0;
	if (errno == ENOENT && slash && slash != dir) {
		*slash = '\0';
		if (stat(dir, st) == 0)
			return 0;
	}
	return err_sys(e, errno, "mem-path %s", path);
}

static int region_of_path(struct host *h, const char *path, struct err *e)
{
	struct stat st;

	if (stat_place(path, &st, e) < 0)
		return -1;
	for (unsigned int i = 0; i < LEDGER_REGIONS; i++) {
		const struct store *s;
		struct err why = { 0 };

		if (host_store(h, i, &s, NULL, &why) == 0 && holds(s, &st))
			return (int)i;
	}
	/* A device number is of one boot: the file may be right about another. */
	if (!strncmp(path, "/dev/dax", 8) && !S_ISCHR(st.st_mode))
		return 0;
	return err_set(e, ERR_REFUSED,
		       "mem-path %s is not in a region that Holdover has prepared, such as %s; name "
		       "one of these",
		       path, store_path(&h->store));
}

static int place_region(struct host *h, const struct vm *vm, struct err *e)
{
	uint64_t start, size;
	int number = -1, other;

	if (vm->region &&
	    (config_find_region(&h->cfg, vm->region, &start, &size, e) < 0 ||
	     (number = host_region_number(h, start, size, e)) < 0))
		return err_wrap(e, "vm %s", vm->name);
	if (!vm->mem_path)
		return number < 0 ? 0 : number;
	other = region_of_path(h, vm->mem_path, e);
	if (other < 0)
		return err_wrap(e, "vm %s", vm->name);
	if (number >= 0 && number != other)
		return err_set(e, ERR_USAGE, "vm %s: region = %s is not where mem-path %s is",
			       vm->name, vm->region, vm->mem_path);
	return other;
}

int place_vm(struct host *h, const struct vm *vm, struct extent_table *t, struct ram *ram,
	     struct err *e)
{
	struct extent_table before = *t;
	int index = extent_find(t, vm->name);
	int region = place_region(h, vm, e);

	if (region < 0 || check_free(h, vm, index, e) < 0)
		return -1;
	index = reserve(h, vm, (unsigned int)region, t, ram, e);
	if (index < 0 && e->kind == ERR_REFUSED) {
		err_clear(e);
		if (drop_idle_extents(h, t, vm->name, e) < 0)
			return -1;
		index = reserve(h, vm, (unsigned int)region, t, ram, e);
	}
	if (index < 0)
		return err_wrap(e, "vm %s", vm->name);
	if (!memcmp(&before, t, sizeof(before)))
		return index;
	if (ledger_extents_write(&h->ledger, t, e) < 0)
		return -1;
	FAULT(extent_written);
	return index;
}
