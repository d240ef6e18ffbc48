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

/* What a file took is given back; a region that is gone, or was made anew of
 * the other kind, has taken its RAM with it. */
static int drop_extent(struct host *h, struct extent *x, struct err *e)
{
	const struct ledger_geometry *geo;
	const struct store *s;
	struct ram ram;

	if (host_store(h, x->region, &s, &geo, e) < 0) {
		if (e->kind != ERR_ABSENT)
			return -1;
		err_clear(e);
	} else if (x->in_file == geo->in_file &&
		   (store_ram(s, x, &ram, e) < 0 || store_drop(s, &ram, e) < 0)) {
		return -1;
	}
	memset(x, 0, sizeof(*x));
	return 0;
}

static int drop_parts(struct host *h, struct extent_table *t, const char *name, struct err *e)
{
	for (unsigned int i = 0; i < VM_MAX; i++)
		if (!strcmp(t->slot[i].name, name) && drop_extent(h, &t->slot[i], e) < 0)
			return -1;
	return 0;
}

/* Extents of VMs that neither run nor wait hold nothing of value: they are
 * kept only so that a VM comes back to the same place. */
static int drop_idle_extents(struct host *h, struct extent_table *t, const char *but, struct err *e)
{
	for (unsigned int i = 0; i < VM_MAX; i++) {
		char name[VM_NAME_MAX + 1];
		struct vm_record rec;
		int alive;

		/* The first part has the VM's record, and its others go with it. */
		memcpy(name, t->slot[i].name, sizeof(name));
		if (!*name || t->slot[i].part || !strcmp(name, but))
			continue;
		alive = runstate_alive(name, NULL, e);
		if (alive < 0)
			return -1;
		if (alive)
			continue;
		if (record_read(&h->ledger, i, name, &rec, e) < 0)
			return err_wrap(e, "vm %s", name);
		if (!host_pending(rec.state) && drop_parts(h, t, name, e) < 0)
			return -1;
	}
	return 0;
}

/* Can the VM use an extent of its own as it is? Not a part of another size, in
 * another region or in one that was made anew, or one that it has no more. */
static bool fits(struct host *h, const struct vm *vm, const unsigned int region[],
		 const struct extent *x)
{
	const struct ledger_geometry *geo;
	const struct store *s;
	struct err why = { 0 };

	return x->part < vm_parts(vm) && x->size == vm_part(vm, x->part).size &&
		x->region == region[x->part] && host_store(h, x->region, &s, &geo, &why) == 0 &&
		extent_fits(x, geo, ERR_MISMATCH, &why) == 0;
}

static int drop_unfit(struct host *h, const struct vm *vm, const unsigned int region[],
		      struct extent_table *t, struct err *e)
{
	for (unsigned int i = 0; i < VM_MAX; i++) {
		struct extent *x = &t->slot[i];

		if (!strcmp(x->name, vm->name) && !fits(h, vm, region, x) && drop_extent(h, x, e) < 0)
			return -1;
	}
	return 0;
}

/* An extent for part @part and its memory, new or as it was. Its entry leaves
 * the table if there is no room. */
static int reserve_part(struct host *h, const struct vm *vm, unsigned int part, unsigned int region,
			struct extent_table *t, struct ram *ram, struct err *e)
{
	int slot = extent_find_part(t, vm->name, part);
	const struct ledger_geometry *geo;
	const struct store *s;

	if (host_store(h, region, &s, &geo, e) < 0)
		return -1;
	if (slot < 0)
		slot = extent_alloc_part(t, geo, vm->name, part, vm_part(vm, part).size, e);
	if (slot < 0)
		return -1;
	if (host_ram(h, &t->slot[slot], ram, e) == 0 && store_reserve(s, ram, e) == 0)
		return slot;
	memset(&t->slot[slot], 0, sizeof(t->slot[slot]));
	return -1;
}

static int reserve(struct host *h, const struct vm *vm, const unsigned int region[],
		   struct extent_table *t, struct place *p, struct err *e)
{
	if (drop_unfit(h, vm, region, t, e) < 0)
		return -1;
	p->parts = vm_parts(vm);
	for (unsigned int i = 0; i < p->parts; i++) {
		int slot = reserve_part(h, vm, i, region[i], t, &p->ram[i], e);

		if (slot < 0)
			return -1;
		p->extent[i] = t->slot[slot];
		if (!i)
			p->index = (unsigned int)slot;
	}
	return 0;
}

/* A part that found no room takes the others with it: files that nobody knows
 * of would stay for ever. */
static void give_back(struct host *h, const struct vm *vm, const struct extent_table *before,
		      struct extent_table *t)
{
	for (unsigned int i = 0; i < VM_MAX; i++) {
		int had = extent_find_part(before, vm->name, t->slot[i].part);
		struct err why = { 0 };

		if (strcmp(t->slot[i].name, vm->name) ||
		    (had >= 0 && before->slot[had].region == t->slot[i].region))
			continue;
		if (drop_extent(h, &t->slot[i], &why) < 0)
			cmd_say("holdover: %s", why.msg);
	}
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

/* @guess: what a device number says that is of an earlier boot. */
static int region_of_path(struct host *h, const char *path, bool guess, struct err *e)
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
	if (guess && !strncmp(path, "/dev/dax", 8) && !S_ISCHR(st.st_mode))
		return 0;
	return err_set(e, ERR_REFUSED,
		       "mem-path %s is not in a region that Holdover has prepared, such as %s; name "
		       "one of these",
		       path, store_path(&h->store));
}

static int place_region(struct host *h, const struct vm *vm, unsigned int i, struct err *e)
{
	struct vm_part p = vm_part(vm, i);
	uint64_t start, size;
	int number = -1, other;

	if (p.region &&
	    (config_find_region(&h->cfg, p.region, &start, &size, e) < 0 ||
	     (number = host_region_number(h, start, size, e)) < 0))
		return err_wrap(e, "vm %s", vm->name);
	if (!p.mem_path)
		return number < 0 ? 0 : number;
	/* Of several parts, which is meant by a number is not to be guessed. */
	other = region_of_path(h, p.mem_path, !vm->nmore, e);
	if (other < 0)
		return err_wrap(e, "vm %s", vm->name);
	if (number >= 0 && number != other)
		return err_set(e, ERR_USAGE, "vm %s: region = %s is not where mem-path %s is",
			       vm->name, p.region, p.mem_path);
	return other;
}

static int place_regions(struct host *h, const struct vm *vm, unsigned int region[VM_PARTS_MAX],
			 struct err *e)
{
	for (unsigned int i = 0; i < vm_parts(vm); i++) {
		int number = place_region(h, vm, i, e);

		if (number < 0)
			return -1;
		region[i] = (unsigned int)number;
	}
	return 0;
}

/* @r: what reserve() has returned. */
static int settle(struct host *h, const struct vm *vm, const struct extent_table *before,
		  struct extent_table *t, int r, struct err *e)
{
	if (r < 0) {
		give_back(h, vm, before, t);
		return err_wrap(e, "vm %s", vm->name);
	}
	if (!memcmp(before, t, sizeof(*t)))
		return 0;
	if (ledger_extents_write(&h->ledger, t, e) < 0)
		return -1;
	FAULT(extent_written);
	return 0;
}

int place_vm(struct host *h, const struct vm *vm, struct extent_table *t, struct place *out,
	     struct err *e)
{
	struct extent_table before = *t;
	unsigned int region[VM_PARTS_MAX];
	int r;

	if (place_regions(h, vm, region, e) < 0 || check_free(h, vm, extent_find(t, vm->name), e) < 0)
		return -1;
	r = reserve(h, vm, region, t, out, e);
	if (r < 0 && e->kind == ERR_REFUSED) {
		err_clear(e);
		if (drop_idle_extents(h, t, vm->name, e) == 0 && drop_parts(h, t, vm->name, e) == 0)
			r = reserve(h, vm, region, t, out, e);
	}
	return settle(h, vm, &before, t, r, e);
}

int place_vm_anew(struct host *h, const struct vm *vm, struct extent_table *t, struct place *out,
		  struct err *e)
{
	struct extent_table before = *t;
	unsigned int region[VM_PARTS_MAX];

	if (place_regions(h, vm, region, e) < 0 || drop_idle_extents(h, t, vm->name, e) < 0 ||
	    drop_parts(h, t, vm->name, e) < 0)
		return -1;
	return settle(h, vm, &before, t, reserve(h, vm, region, t, out, e), e);
}
