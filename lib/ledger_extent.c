/* SPDX-License-Identifier: GPL-2.0-only */
/* Extents: which part of the device is whose RAM. */
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "ledger_impl.h"

static bool overlap(const struct extent *a, const struct extent *b)
{
	if (a->region != b->region || a->in_file || b->in_file)
		return false;
	return a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

int extent_fits(const struct extent *x, const struct ledger_geometry *geo, enum err_kind kind,
		struct err *e)
{
	if (x->in_file != geo->in_file)
		return err_set(e, kind,
			       "ledger: extent of VM %s: is a %s, which region %u does not hold",
			       x->name, x->in_file ? "file" : "part of a device", geo->region);
	if (!x->size || x->size % geo->align || x->offset % geo->align)
		return err_set(e, kind,
			       "ledger: extent of VM %s: %" PRIu64 " bytes at %" PRIu64
			       " are not aligned to %" PRIu64,
			       x->name, x->size, x->offset, geo->align);
	if (x->in_file)
		return x->offset ?
			err_set(e, kind, "ledger: extent of VM %s: a file's begins at 0", x->name) :
			0;
	if (x->offset > geo->ledger_offset || x->size > geo->ledger_offset - x->offset)
		return err_set(e, kind,
			       "ledger: extent of VM %s: %" PRIu64 " bytes at %" PRIu64
			       " reach past the %" PRIu64 " bytes that there are for VMs",
			       x->name, x->size, x->offset, geo->ledger_offset);
	return 0;
}

/* Two entries at odds with each other. */
static bool collide(const struct extent *a, const struct extent *b)
{
	return (a->part == b->part && !strcmp(a->name, b->name)) || overlap(a, b);
}

static int extent_check(const struct extent *x, const struct ledger_geometry *geo,
			enum err_kind kind, struct err *e)
{
	if (memchr(x->name, '\0', sizeof(x->name)) == NULL || vm_name_check(x->name, e) < 0)
		return err_set(e, kind, "ledger: extent table: \"%.*s\" is no VM name", VM_NAME_MAX,
			       x->name);
	if (x->part >= VM_PARTS_MAX)
		return err_set(e, kind, "ledger: extent of VM %s: part %u is impossible", x->name,
			       x->part);
	if (x->region == geo->region)
		return extent_fits(x, geo, kind, e);
	if (x->region >= LEDGER_REGIONS || !x->size || x->size % LEDGER_PAGE ||
	    x->offset % LEDGER_PAGE || x->size > UINT64_MAX - x->offset || (x->in_file && x->offset))
		return err_set(e, kind,
			       "ledger: extent of VM %s: %" PRIu64 " bytes at %" PRIu64
			       " of region %u are impossible",
			       x->name, x->size, x->offset, x->region);
	return 0;
}

int extent_table_check(const struct extent_table *t, const struct ledger_geometry *geo,
		       enum err_kind kind, struct err *e)
{
	const struct extent *a, *b;
	unsigned int i, j;

	for (i = 0; i < VM_MAX; i++) {
		a = &t->slot[i];
		if (!a->name[0]) {
			if (!all_zero(a, sizeof(*a)))
				return err_set(e, kind,
					       "ledger: extent table: unused entry %u is not empty",
					       i);
			continue;
		}
		if (extent_check(a, geo, kind, e) < 0)
			return -1;
		for (j = 0; j < i; j++) {
			b = &t->slot[j];
			if (!b->name[0])
				continue;
			if (collide(a, b))
				return err_set(
					e, kind,
					"ledger: extent table: VM %s (entry %u) and VM %s (entry %u) have the same name or overlap",
					b->name, j, a->name, i);
		}
		if (a->part && extent_find_part(t, a->name, a->part - 1) < 0)
			return err_set(e, kind,
				       "ledger: extent table: part %u of VM %s (entry %u) is there "
				       "without part %u",
				       a->part, a->name, i, a->part - 1);
	}
	return 0;
}

static struct extent entry_decode(const struct ledger_extent_media *m, unsigned int minor)
{
	uint64_t low = LEDGER_EXTENT_REGION | LEDGER_EXTENT_IN_FILE, offset = le64toh(m->offset);
	struct extent x = { .size = le64toh(m->size) };

	/* Who wrote as of minor 1 knew of no parts: then they are no offset. */
	if (minor >= 2) {
		low |= LEDGER_EXTENT_PART;
		x.part = (offset & LEDGER_EXTENT_PART) >> LEDGER_EXTENT_PART_SHIFT;
	}
	memcpy(x.name, m->name, sizeof(m->name));
	x.offset = offset & ~low;
	x.region = offset & LEDGER_EXTENT_REGION;
	x.in_file = offset & LEDGER_EXTENT_IN_FILE;
	return x;
}

static void entry_encode(const struct extent *x, struct ledger_extent_media *m)
{
	memcpy(m->name, x->name, strlen(x->name));
	m->offset = htole64(x->offset | x->region | (uint64_t)x->part << LEDGER_EXTENT_PART_SHIFT |
			    (x->in_file ? LEDGER_EXTENT_IN_FILE : 0));
	m->size = htole64(x->size);
}

int ledger_extents_read(const struct ledger *l, struct extent_table *t, struct err *e)
{
	uint8_t bytes[LEDGER_PAGE];
	struct extent_table got = { 0 };
	struct slot_head head;
	struct slot_pair pair;
	unsigned int slot, i;
	struct cursor c;
	size_t used;

	pair_of(l, LEDGER_EXTENTS, &pair);
	if (pair_newest(l, &pair, &head, &slot, e) < 0)
		return -1;
	if (head.length > sizeof(bytes))
		return err_set(e, ERR_FORMAT,
			       "ledger: the extent table has %" PRIu64
			       " bytes where this build knows 4096",
			       head.length);
	if (pair_payload(l, &pair, slot, &head, bytes, e) < 0)
		return -1;
	c.at = bytes;
	c.left = head.length;
	for (i = 0; i < VM_MAX; i++) {
		struct ledger_extent_media m;

		if (cursor_take(&c, &m, sizeof(m), "ledger: the extent table", e) < 0)
			return -1;
		used = strnlen(m.name, sizeof(m.name));
		if (!all_zero(m.name + used, sizeof(m.name) - used))
			return err_set(e, ERR_FORMAT,
				       "ledger: extent table: entry %u has bytes after its name", i);
		got.slot[i] = entry_decode(&m, head.minor);
	}
	if (extent_table_check(&got, &l->geo, ERR_FORMAT, e) < 0)
		return -1;
	*t = got;
	return 0;
}

int ledger_extents_write(struct ledger *l, const struct extent_table *t, struct err *e)
{
	struct ledger_extent_media m[VM_MAX];
	struct slot_pair pair;
	unsigned int i;

	if (extent_table_check(t, &l->geo, ERR_REFUSED, e) < 0)
		return -1;
	memset(m, 0, sizeof(m));
	for (i = 0; i < VM_MAX; i++)
		entry_encode(&t->slot[i], &m[i]);
	pair_of(l, LEDGER_EXTENTS, &pair);
	return pair_write(l, &pair, 0, m, sizeof(m), e);
}

int extent_find_part(const struct extent_table *t, const char *name, unsigned int part)
{
	int i;

	for (i = 0; i < VM_MAX; i++)
		if (name[0] && !strcmp(t->slot[i].name, name) && t->slot[i].part == part)
			return i;
	return -1;
}

int extent_find(const struct extent_table *t, const char *name)
{
	return extent_find_part(t, name, 0);
}

unsigned int extent_parts(const struct extent_table *t, const char *name,
			  struct extent out[VM_PARTS_MAX])
{
	unsigned int n = 0;
	int slot;

	while (n < VM_PARTS_MAX && (slot = extent_find_part(t, name, n)) >= 0)
		out[n++] = t->slot[slot];
	return n;
}

/* The lowest extent of @region that ends above @at; NULL: all from @at on is
 * free. */
static const struct extent *next_extent(const struct extent_table *t, unsigned int region, uint64_t at)
{
	const struct extent *best = NULL, *x;
	unsigned int i;

	for (i = 0; i < VM_MAX; i++) {
		x = &t->slot[i];
		if (x->name[0] && x->region == region && x->offset + x->size > at &&
		    (!best || x->offset < best->offset))
			best = x;
	}
	return best;
}

/* First gap of at least @size bytes; @largest is the largest one seen. */
static bool find_gap(const struct extent_table *t, const struct ledger_geometry *geo, uint64_t size,
		     uint64_t *offset, uint64_t *largest)
{
	uint64_t at = 0, gap;
	const struct extent *x;

	*largest = 0;
	for (;;) {
		x = next_extent(t, geo->region, at);
		gap = (x ? x->offset : geo->ledger_offset) - at;
		if (gap > *largest)
			*largest = gap;
		if (gap >= size) {
			*offset = at;
			return true;
		}
		if (!x)
			return false;
		at = x->offset + x->size;
	}
}

int extent_alloc(struct extent_table *t, const struct ledger_geometry *geo, const char *name,
		 uint64_t size, struct err *e)
{
	return extent_alloc_part(t, geo, name, 0, size, e);
}

int extent_alloc_part(struct extent_table *t, const struct ledger_geometry *geo, const char *name,
		      unsigned int part, uint64_t size, struct err *e)
{
	uint64_t at, largest;
	char want[32], have[32];
	int slot;

	if (vm_name_check(name, e) < 0)
		return -1;
	if (extent_find_part(t, name, part) >= 0)
		return err_set(e, ERR_REFUSED, "VM %s has an extent on the device already", name);
	for (slot = 0; slot < VM_MAX && t->slot[slot].name[0];)
		slot++;
	if (slot == VM_MAX)
		return err_set(
			e, ERR_REFUSED,
			"VM %s: all %d entries of the extent table are taken; `holdover discard` frees one",
			name, VM_MAX);
	if (!size)
		return err_set(e, ERR_REFUSED, "VM %s: no RAM is asked for", name);
	/* A size near 2^64 would wrap around when rounded up. */
	if (size <= (geo->in_file ? geo->region_size : geo->ledger_offset))
		size = (size + geo->align - 1) & ~(geo->align - 1);
	at = 0;
	if (!geo->in_file && !find_gap(t, geo, size, &at, &largest)) {
		io_format_size(size, want, sizeof(want));
		io_format_size(largest, have, sizeof(have));
		return err_set(
			e, ERR_REFUSED,
			"VM %s: no room for %s of RAM on the device, the largest free part has %s; `holdover discard` frees the extent of a VM that is no longer needed",
			name, want, have);
	}
	memset(&t->slot[slot], 0, sizeof(t->slot[slot]));
	memcpy(t->slot[slot].name, name, strlen(name));
	t->slot[slot].part = part;
	t->slot[slot].offset = at;
	t->slot[slot].size = size;
	t->slot[slot].region = geo->region;
	t->slot[slot].in_file = geo->in_file;
	return slot;
}
