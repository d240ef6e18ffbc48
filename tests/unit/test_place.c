/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a fresh start's RAM goes: all of its parts, or none. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>

#include <cmocka.h>

#include "ledger_fixture.h"
#include "place.h"

#define MIB (1ULL << 20)
#define SECOND "32M!1280M"

static struct bench {
	struct fixture f;
	struct host h;
	struct extent_table t;
	struct vm vm;
	struct place p;
	struct err e;
} b;

/* What main.c has. */
void cmd_say(const char *fmt, ...)
{
	(void)fmt;
}

/* A VM of two parts: the first in the ledger's region (62 MiB for VMs), the
 * second in region 1 (30 MiB). */
static void want(const char *name, uint64_t first, uint64_t second)
{
	memset(&b.vm, 0, sizeof(b.vm));
	snprintf(b.vm.name, sizeof(b.vm.name), "%s", name);
	b.vm.qemu = (char *)"/bin/sh";
	b.vm.memory = first + second;
	b.vm.memdev = (char *)"r0";
	b.vm.nmore = second ? 1 : 0;
	b.vm.more[0] =
		(struct vm_part){ .memdev = (char *)"r1", .size = second, .region = (char *)SECOND };
}

static int place(void)
{
	err_clear(&b.e);
	assert_ok(ledger_extents_read(&b.f.l, &b.t, &b.e), b.e);
	return place_vm(&b.h, &b.vm, &b.t, &b.p, &b.e);
}

/* What the ledger says, which is what counts. */
static const struct extent_table *table(void)
{
	static struct extent_table t;

	assert_ok(ledger_extents_read(&b.f.l, &t, &b.e), b.e);
	return &t;
}

static unsigned int parts(const char *name)
{
	struct extent x[VM_PARTS_MAX];

	return extent_parts(table(), name, x);
}

static int setup(void **state)
{
	struct region *r = &b.h.region[1];

	(void)state;
	memset(&b, 0, sizeof(b));
	b.h = (struct host)HOST_INIT;
	if (mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0)
		return -1;
	fixture_setup(&b.f);
	b.h.ledger = b.f.l;
	b.h.scanned = true;
	snprintf(b.h.store.dev.path, sizeof(b.h.store.dev.path), "/dev/dax0.0");
	b.h.store.dev.align = 2 * MIB;
	r->tried = true;
	r->stamp.geo = b.f.geo;
	r->stamp.geo.region = 1;
	r->stamp.geo.ledger_offset = 30 * MIB;
	r->store.dev.align = 2 * MIB;
	r->store.dev.region_start = 1280 * MIB;
	r->store.dev.region_size = 32 * MIB;
	snprintf(r->store.dev.path, sizeof(r->store.dev.path), "/dev/dax1.0");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_teardown(&b.f);
	return umount2("/run", MNT_DETACH);
}

static void each_part_in_its_region(void **state)
{
	struct extent_table before;

	(void)state;
	want("two", 10 * MIB, 20 * MIB);
	assert_ok(place(), b.e);
	assert_int_equal(b.p.index, 0);
	assert_int_equal(b.p.parts, 2);
	assert_string_equal(b.p.ram[0].path, "/dev/dax0.0");
	assert_int_equal(b.p.ram[0].size, 10 * MIB);
	assert_string_equal(b.p.ram[1].path, "/dev/dax1.0");
	assert_int_equal(b.p.ram[1].size, 20 * MIB);
	assert_int_equal(b.p.extent[1].region, 1);
	assert_int_equal(b.p.extent[1].part, 1);
	assert_int_equal(parts("two"), 2);
	/* Again: where it was. */
	before = *table();
	assert_ok(place(), b.e);
	assert_memory_equal(table(), &before, sizeof(before));
}

static void both_parts_in_one_region(void **state)
{
	(void)state;
	want("two", 10 * MIB, 20 * MIB);
	b.vm.more[0].region = NULL;
	assert_ok(place(), b.e);
	assert_int_equal(b.p.extent[0].offset, 0);
	assert_int_equal(b.p.extent[1].offset, 10 * MIB);
	assert_int_equal(b.p.extent[1].region, 0);
}

static void all_or_nothing(void **state)
{
	struct extent_table before = *table();

	(void)state;
	want("two", 10 * MIB, 32 * MIB);
	assert_int_equal(place(), -1);
	assert_non_null(strstr(b.e.msg, "no room for 32M"));
	assert_kind(b.e, ERR_REFUSED);
	assert_memory_equal(table(), &before, sizeof(before));
	b.h.region[1].tried = false;
	want("two", 10 * MIB, 2 * MIB);
	assert_int_equal(place(), -1);
	assert_kind(b.e, ERR_ABSENT);
	assert_memory_equal(table(), &before, sizeof(before));
}

static void another_size_and_fewer_parts(void **state)
{
	(void)state;
	want("two", 10 * MIB, 20 * MIB);
	assert_ok(place(), b.e);
	want("two", 10 * MIB, 30 * MIB);
	assert_ok(place(), b.e);
	assert_int_equal(b.p.extent[0].offset, 0);
	assert_int_equal(b.p.extent[1].size, 30 * MIB);
	want("two", 10 * MIB, 0);
	assert_ok(place(), b.e);
	assert_int_equal(b.p.parts, 1);
	assert_int_equal(parts("two"), 1);
	want("other", 2 * MIB, 30 * MIB);
	assert_ok(place(), b.e);
}

/* By `init --add --force`: what is said about it in the table is of before. */
static void a_region_that_was_made_anew(void **state)
{
	struct region *r = &b.h.region[1];

	(void)state;
	want("other", 2 * MIB, 10 * MIB);
	assert_ok(place(), b.e);
	want("two", 10 * MIB, 20 * MIB);
	assert_ok(place(), b.e);
	assert_int_equal(b.p.extent[1].offset, 10 * MIB);
	r->stamp.geo.ledger_offset = 24 * MIB;
	assert_ok(place(), b.e);
	assert_int_equal(b.p.extent[1].offset, 0);
	assert_int_equal(parts("other"), 0);
	r->stamp.geo.in_file = true;
	r->store.dev.mode = PMEM_FSDAX;
	snprintf(r->store.fs.dir, sizeof(r->store.fs.dir), "/run/none");
	assert_int_equal(place(), -1);
	assert_non_null(strstr(b.e.msg, "/run/none/two+1.ram"));
}

/* Its first part keeps the second one from the room that they have together. */
static void a_part_in_the_way_of_another(void **state)
{
	(void)state;
	want("a", 20 * MIB, 0);
	assert_ok(place(), b.e);
	want("two", 20 * MIB, 0);
	assert_ok(place(), b.e);
	assert_int_equal(b.p.extent[0].offset, 20 * MIB);
	want("two", 20 * MIB, 40 * MIB);
	b.vm.more[0].region = NULL;
	assert_ok(place(), b.e);
	assert_int_equal(parts("two"), 2);
	assert_int_equal(parts("a"), 0);
}

static void idle_vms_give_up_all_parts(void **state)
{
	(void)state;
	want("idle", 2 * MIB, 30 * MIB);
	assert_ok(place(), b.e);
	want("two", 10 * MIB, 20 * MIB);
	assert_ok(place(), b.e);
	assert_int_equal(parts("idle"), 0);
	assert_int_equal(parts("two"), 2);
}

static void waiting_vms_give_up_none(void **state)
{
	struct vm_record rec = { .state = VM_SEALED, .generation = 1 };
	struct extent_table before;

	(void)state;
	want("other", 2 * MIB, 0);
	assert_ok(place(), b.e);
	want("waits", 2 * MIB, 30 * MIB);
	assert_ok(place(), b.e);
	assert_int_equal(b.p.index, 1);
	assert_ok(ledger_record_write(&b.f.l, 1, &rec, &b.e), b.e);
	before = *table();
	want("two", 10 * MIB, 20 * MIB);
	assert_int_equal(place(), -1);
	assert_kind(b.e, ERR_REFUSED);
	assert_memory_equal(table(), &before, sizeof(before));
	want("waits", 2 * MIB, 30 * MIB);
	assert_int_equal(place(), -1);
	assert_non_null(strstr(b.e.msg, "waits in the ledger"));
	assert_kind(b.e, ERR_REFUSED);
	assert_memory_equal(table(), &before, sizeof(before));
}

static int own_run(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ?
		-1 :
		0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_part_in_its_region),
		CASE(both_parts_in_one_region),
		CASE(all_or_nothing),
		CASE(another_size_and_fewer_parts),
		CASE(a_region_that_was_made_anew),
		CASE(a_part_in_the_way_of_another),
		CASE(idle_vms_give_up_all_parts),
		CASE(waiting_vms_give_up_none),
	};

	return cmocka_run_group_tests_name("place", tests, own_run, NULL);
}
