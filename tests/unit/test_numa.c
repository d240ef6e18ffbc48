/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM whose RAM is of several parts, one a guest NUMA node: as it is configured,
 * written into ledger and manifest, and given to QEMU. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "json.h"
#include "ledger_fixture.h"
#include "manifest.h"
#include "qemu.h"
#include "scratch.h"

#define MIB (1ULL << 20)

#define OBJECT(id, size, path) \
	"-object memory-backend-file,id=" id ",size=" size ",mem-path=" path ",share=on"
#define TWO OBJECT("dimm0", "512M", "/dev/dax0.0") " " OBJECT("dimm1", "1G", "/dev/dax1.0")
#define NODES "-numa node,memdev=dimm0,cpus=0 -numa node,cpus=1,memdev=dimm1"

/* ---- configuration ------------------------------------------------------- */

static void load(const char *text, struct vm *vm)
{
	struct err e = { 0 };

	scratch_write("db1.conf", text);
	if (vm_load(scratch_path(""), "db1", vm, &e) < 0)
		fail_msg("'%s' was refused: %s", text, e.msg);
}

static void refuse(const char *text, const char *says)
{
	_cleanup_vm_ struct vm vm = { 0 };
	struct err e = { 0 };

	scratch_write("db1.conf", text);
	if (vm_load(scratch_path(""), "db1", &vm, &e) == 0)
		fail_msg("'%s' was taken", text);
	if (e.kind != ERR_USAGE || !strstr(e.msg, says))
		fail_msg("'%s': wanted '%s' in %s: %s", text, says, err_kind_name(e.kind), e.msg);
}

static const char *arg(const struct vm *vm, unsigned int i)
{
	return i < vm->nargs ? vm->args[i] : "(none)";
}

static void a_command_line_with_two_backends(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };

	(void)state;
	load("[vm]\nargs = " TWO ",pmem=off,align=4M " NODES " -smp 2 -m 1536M\n", &vm);
	assert_int_equal(vm.memory, 1536 * MIB);
	assert_int_equal(vm_parts(&vm), 2);
	assert_string_equal(vm_part(&vm, 0).memdev, "dimm0");
	assert_int_equal(vm_part(&vm, 0).size, 512 * MIB);
	assert_string_equal(vm_part(&vm, 0).mem_path, "/dev/dax0.0");
	assert_false(vm_part(&vm, 0).no_pmem);
	assert_string_equal(vm_part(&vm, 1).memdev, "dimm1");
	assert_int_equal(vm_part(&vm, 1).size, 1024 * MIB);
	assert_string_equal(vm_part(&vm, 1).mem_path, "/dev/dax1.0");
	assert_int_equal(vm_part(&vm, 1).align, 4 * MIB);
	assert_true(vm_part(&vm, 1).no_pmem);
	assert_int_equal(vm.nargs, 6);
}

static void two_backends_that_make_no_sense(void **state)
{
	(void)state;
	refuse("[vm]\nargs = " TWO " " NODES " -m 1G\n", "-m 1G is not the 1536M of the 2 backends");
	refuse("[vm]\nmemory = 1G\nargs = " TWO " " NODES "\n", "contradicts the 1536M");
	refuse("[vm]\nargs = " TWO "\n", "dimm0 is the RAM of 0 guest NUMA nodes");
	refuse("[vm]\nargs = " TWO " -numa node,memdev=dimm0\n", "dimm1 is the RAM of 0");
	refuse("[vm]\nargs = " TWO " -numa node,memdev=dimm0 -numa node,memdev=dimm10\n",
	       "dimm1 is the RAM of 0");
	refuse("[vm]\nargs = " TWO " -numa node,memdev=dimm0 -numa node,memdev=dimm1,,\n",
	       "dimm1 is the RAM of 0");
	refuse("[vm]\nargs = " TWO " " NODES " -numa node,memdev=dimm1\n", "dimm1 is the RAM of 2");
	refuse("[vm]\nargs = " OBJECT("r", "2M", "/x") " " OBJECT("r", "2M",
								  "/x") " -numa node,memdev=r\n",
	       "two memory backends are called r");
	refuse("[vm]\nargs = " TWO ",share=off " NODES "\n", "dimm1 is not share=on");
	refuse("[vm]\nregion = n1\nargs = " TWO " " NODES "\n", "region = n1");
	refuse("[vm]\nargs = " TWO " " NODES " -machine memory-backend=dimm0\n",
	       "memory-backend=dimm0 is not");
	refuse("[vm]\nargs = " OBJECT("a", "3M", "/x") " " OBJECT(
		       "b", "1M", "/x") " -numa node,memdev=a -numa node,memdev=b\n",
	       "3M of the memory backend a is not a multiple of 2M");
	refuse("[vm]\nargs = " OBJECT("a", "18446744073707454464", "/x") " " OBJECT("b", "4M",
										    "/x") "\n",
	       "impossible");
	refuse("[vm]\nargs = " TWO " " TWO " " TWO " " TWO " " OBJECT("i", "2M", "/x") "\n",
	       "one memory backend more than 8");
}

static void nodes_of_the_vm_section(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 }, one = { 0 };

	(void)state;
	load("[vm]\nnuma = 512M cpus=0-1,4\nnuma = 1G@node1\n\t2M@1G!5G\tcpus=5\nregion = node0\n"
	     "args = -smp 6\n",
	     &vm);
	assert_int_equal(vm.memory, 1538 * MIB);
	assert_int_equal(vm_parts(&vm), 3);
	assert_string_equal(vm.memdev, "holdover.ram");
	assert_int_equal(vm_part(&vm, 0).size, 512 * MIB);
	assert_string_equal(vm_part(&vm, 0).region, "node0");
	assert_string_equal(vm_part(&vm, 1).memdev, "holdover.ram.1");
	assert_int_equal(vm_part(&vm, 1).size, 1024 * MIB);
	assert_string_equal(vm_part(&vm, 1).region, "node1");
	assert_string_equal(vm_part(&vm, 2).memdev, "holdover.ram.2");
	assert_string_equal(vm_part(&vm, 2).region, "1G!5G");
	assert_int_equal(vm.nargs, 8);
	assert_string_equal(arg(&vm, 2), "-numa");
	assert_string_equal(arg(&vm, 3), "node,memdev=holdover.ram,cpus=0-1,cpus=4");
	assert_string_equal(arg(&vm, 5), "node,memdev=holdover.ram.1");
	assert_string_equal(arg(&vm, 7), "node,memdev=holdover.ram.2,cpus=5");
	assert_null(vm.args[8]);
	load("[vm]\nnuma = 4M@n1\nmemory = 4M\nmemdev = r\n", &one);
	assert_int_equal(vm_parts(&one), 1);
	assert_string_equal(one.region, "n1");
	assert_string_equal(arg(&one, 1), "node,memdev=r");
}

static void nodes_that_make_no_sense(void **state)
{
	(void)state;
	refuse("[vm]\nnuma = 4M\nnuma = 4M\nmemory = 4M\n", "memory = 4M is not the 8M");
	refuse("[vm]\nnuma = 4M\nnuma = 3M\n", "3M of the memory backend holdover.ram.1");
	refuse("[vm]\nnuma = 4M\nnuma = 0\n", "0 of the memory backend holdover.ram.1");
	refuse("[vm]\nnuma = much\n", "db1.conf:2: numa: ");
	refuse("[vm]\nnuma = 4M@\n", "no region after the '@'");
	refuse("[vm]\nnuma = 4M cpus=\n", "'cpus=' is not a list");
	refuse("[vm]\nnuma = 4M cpus=0,,1\n", "is not a list");
	refuse("[vm]\nnuma = 4M cpus=0-\n", "is not a list");
	refuse("[vm]\nnuma = 4M cpus=0 cpus=1\n", "is not a list");
	refuse("[vm]\nnuma = 4M host=0\n", "'host=0' is not a list");
	refuse("[vm]\nnuma = 4M\nargs = -numa node,cpus=1\n", "'-numa node,cpus=1' beside numa =");
	refuse("[vm]\nnuma = 4M\nargs = " OBJECT("r", "4M", "/x") "\n", "in args already");
	refuse("[vm]\nnuma = 2M\n\t2M\n\t2M\n\t2M\n\t2M\n\t2M\n\t2M\n\t2M\n\t2M\n",
	       "more than 8 nodes");
	refuse("[vm]\nnuma = 18446744073707454464\nnuma = 4M\n", "impossible");
}

/* ---- ledger -------------------------------------------------------------- */

static struct fixture f;

static int ledger_setup(void **state)
{
	(void)state;
	fixture_setup(&f);
	return 0;
}

static int ledger_teardown(void **state)
{
	(void)state;
	fixture_teardown(&f);
	return 0;
}

static void fill(struct extent_table *t)
{
	struct ledger_geometry other = f.geo;
	struct err e = { 0 };

	memset(t, 0, sizeof(*t));
	other.region = 3;
	assert_int_equal(extent_alloc(t, &f.geo, "one", 4 * MIB, &e), 0);
	assert_int_equal(extent_alloc(t, &f.geo, "two", 6 * MIB, &e), 1);
	assert_int_equal(extent_alloc_part(t, &f.geo, "two", 1, 2 * MIB, &e), 2);
	assert_int_equal(extent_alloc_part(t, &other, "two", 2, 8 * MIB, &e), 3);
	assert_int_equal(extent_alloc_part(t, &f.geo, "two", 1, 2 * MIB, &e), -1);
	assert_kind(e, ERR_REFUSED);
}

static void each_part_has_an_extent(void **state)
{
	struct extent x[VM_PARTS_MAX];
	struct extent_table t, got;
	struct err e = { 0 };

	(void)state;
	fill(&t);
	assert_ok(ledger_extents_write(&f.l, &t, &e), e);
	assert_ok(ledger_extents_read(&f.l, &got, &e), e);
	assert_memory_equal(&got, &t, sizeof(t));
	assert_int_equal(extent_find(&got, "two"), 1);
	assert_int_equal(extent_find_part(&got, "two", 2), 3);
	assert_int_equal(extent_find_part(&got, "two", 3), -1);
	assert_int_equal(extent_parts(&got, "two", x), 3);
	assert_int_equal(x[0].offset, 4 * MIB);
	assert_int_equal(x[1].offset, 10 * MIB);
	assert_int_equal(x[2].offset, 0);
	assert_int_equal(x[2].region, 3);
	assert_int_equal(x[2].part, 2);
}

static void parts_are_held_against_each_other(void **state)
{
	struct extent_table good, t;
	struct err e = { 0 };

	(void)state;
	fill(&good);
#define BAD(change)                                                                   \
	do {                                                                          \
		t = good;                                                             \
		change;                                                               \
		assert_int_equal(ledger_extents_write(&f.l, &t, &e), -1);             \
		assert_kind(e, ERR_REFUSED);                                          \
		assert_int_equal(extent_table_check(&t, &f.geo, ERR_FORMAT, &e), -1); \
		assert_kind(e, ERR_FORMAT);                                           \
	} while (0)
	BAD(t.slot[2].part = 2);
	BAD(t.slot[2].part = 0);
	BAD(t.slot[2].part = VM_PARTS_MAX);
	BAD(t.slot[2].offset = t.slot[1].offset);
	BAD(t.slot[2].offset = t.slot[0].offset);
	BAD(t.slot[3].part = 3);
	BAD(memset(&t.slot[1], 0, sizeof(t.slot[1])));
	BAD(memset(&t.slot[2], 0, sizeof(t.slot[2])));
#undef BAD
	assert_ok(ledger_extents_write(&f.l, &good, &e), e);
}

/* As a version that knew of no parts has it: bits 4 to 6 are part of an offset,
 * which is then misaligned. That is also how such a version reads a newer table. */
static void to_an_older_version_a_part_is_misaligned(void **state)
{
	struct ledger_line *line;
	struct extent_table t;
	struct err e = { 0 };

	(void)state;
	fill(&t);
	assert_ok(ledger_extents_write(&f.l, &t, &e), e);
	for (unsigned int slot = 0; slot < 2; slot++) {
		line = (struct ledger_line *)(f.mem + LEDGER_EXTENTS_OFFSET +
					      slot * LEDGER_EXTENTS_SLOT);
		line->minor = htole16(1);
		line->xxh3 = htole64(hash_xxh3(line, offsetof(struct ledger_line, xxh3), 0));
	}
	assert_int_equal(ledger_extents_read(&f.l, &t, &e), -1);
	assert_non_null(strstr(e.msg, "aligned"));
	assert_kind(e, ERR_FORMAT);
}

/* ---- manifest ------------------------------------------------------------ */

static struct ledger_geometry geo;
static struct manifest_vm vms[2];
static char *args[] = { "-numa", "node,memdev=r0", "-numa", "node,memdev=r1", NULL };
static char *none[] = { NULL };

static void sample(struct manifest *m)
{
	geo = fixture_geometry();
	geo.blob_offset = 0;
	geo.blob_size = MIB;
	vms[0] = (struct manifest_vm){
		.vm = { .name = "db1",
			.qemu = "/bin/qemu",
			.machine = "q35",
			.memory = 10 * MIB,
			.memdev = "r0",
			.align = 2 * MIB,
			.args = args,
			.nargs = 4,
			.timeout_ms = 1,
			.more = { { .memdev = "r1", .size = 6 * MIB, .no_pmem = true } },
			.nmore = 1 },
		.index = 2,
		.extent = { .name = "db1", .offset = 2 * MIB, .size = 4 * MIB },
		.canary = { .mode = CANARY_SAMPLE, .seed = 1, .pages = 2, .sample = 3 },
		.blob = { .length = 4096 },
		.more = { { .extent = { .name = "db1",
					.part = 1,
					.offset = 4 * MIB,
					.size = 6 * MIB,
					.region = 1 },
			    .canary = { .mode = CANARY_SAMPLE, .seed = 4, .pages = 5, .sample = 6 } } },
	};
	vms[1] = (struct manifest_vm){
		.vm = { .name = "b",
			.qemu = "/q",
			.machine = "q35",
			.memory = 2 * MIB,
			.memdev = "r0",
			.args = none,
			.timeout_ms = 1 },
		.extent = { .name = "b", .offset = 6 * MIB, .size = 2 * MIB },
		.blob = { .offset = 4096, .length = 4096 },
	};
	*m = (struct manifest){ .generation = 9,
				.kernel = "6",
				.vms = vms,
				.nvms = 2,
				.regions = { { .number = 1, .start = 1ULL << 30, .size = 64 * MIB } },
				.nregions = 1 };
	memcpy(m->ledger_uuid, geo.ledger_uuid, 16);
}

static void a_manifest_has_all_parts(void **state)
{
	_cleanup_manifest_ struct manifest got = { .generation = 0 };
	_cleanup_buf_ struct buf json = { 0 };
	const struct manifest_vm *v;
	struct err e = { 0 };
	struct manifest m;

	(void)state;
	sample(&m);
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_ok(manifest_decode(&json, &geo, &got, &e), e);
	v = &got.vms[0];
	assert_int_equal(vm_parts(&v->vm), 2);
	assert_int_equal(v->vm.memory, 10 * MIB);
	assert_string_equal(v->vm.memdev, "r0");
	assert_int_equal(v->vm.align, 2 * MIB);
	assert_string_equal(v->vm.more[0].memdev, "r1");
	assert_int_equal(v->vm.more[0].size, 6 * MIB);
	assert_true(v->vm.more[0].no_pmem);
	assert_memory_equal(manifest_extent(v, 0), &vms[0].extent, sizeof(struct extent));
	assert_memory_equal(manifest_extent(v, 1), &vms[0].more[0].extent, sizeof(struct extent));
	assert_memory_equal(manifest_canary(v, 0), &vms[0].canary, sizeof(struct canary));
	assert_memory_equal(manifest_canary(v, 1), &vms[0].more[0].canary, sizeof(struct canary));
	assert_int_equal(vm_parts(&got.vms[1].vm), 1);
}

/* What one that knows of one part looks for, it must not find. */
static void an_older_reader_misses_what_it_needs(void **state)
{
	_cleanup_json_ yyjson_doc *doc = NULL;
	_cleanup_buf_ struct buf json = { 0 };
	struct err e = { 0 };
	struct manifest m;
	yyjson_val *vm;

	(void)state;
	sample(&m);
	assert_ok(manifest_encode(&m, &json, &e), e);
	doc = yyjson_read(json.data, json.len, 0);
	vm = yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(doc), "vms"));
	assert_non_null(yyjson_obj_get(vm, "ram"));
	assert_null(yyjson_obj_get(vm, "memdev"));
	assert_null(yyjson_obj_get(vm, "extent"));
}

static const struct {
	const char *from, *to, *says;
} edits[] = {
	{ "\"memory\":10485760", "\"memory\":8388608", "parts of the RAM have" },
	{ "{\"memory\":6291456", "{\"memory\":4194304", "parts of the RAM have" },
	{ "{\"memory\":6291456", "{\"memory\":6291457", "more than its extent" },
	{ "\"ram\":[{", "\"ram\":[{},{", "\"memory\" is missing" },
	{ "\"ram\":[{", "\"ram\":{\"x\":[{", "JSON" },
	{ "\"ram\":[", "\"ram\":[],\"r\":[", "RAM of 0 parts" },
	{ "\"ram\":[", "\"extent\":{\"offset\":0,\"size\":10485760},\"ram\":[", "no extent beside" },
	{ "\"ram\":[", "\"r\":[", "memdev" },
	{ "\"memdev\":\"r1\"", "\"memdev\":\"r0\"", "r0" },
	{ "\"memdev\":\"r1\"", "\"memdev\":\"r2\"", "r2 is the RAM of 0" },
	{ "\"memdev\":\"r1\"", "\"memdev\":5", "memdev" },
	{ "\"offset\":4194304,\"size\":6291456,\"region\":1", "\"offset\":4194304,\"size\":6291456",
	  "overlap" },
	{ "\"offset\":4194304,\"size\":6291456,\"region\":1", "\"offset\":8388608,\"size\":1048576",
	  "more than its extent" },
	{ "\"offset\":4194304,\"size\":6291456,\"region\":1",
	  "\"offset\":62914560,\"size\":6291456", "reach past" },
	{ "\"offset\":4194304,\"size\":6291456", "\"offset\":4194305,\"size\":6291456", "impossible" },
	{ "\"size\":6291456,\"region\":1", "\"size\":6291456,\"region\":2", "region 2" },
	{ "\"size\":6291456,\"region\":1", "\"size\":6291456,\"region\":16", "region" },
	{ "\"pages\":5", "\"pages\":1537", "pages" },
	{ "\"canary\":{\"mode\":\"sample\",\"seed\":\"0000000000000004\"", "\"c\":{\"seed\":\"\"",
	  "some parts of the RAM alone" },
	{ "\"name\":\"b\"", "\"name\":\"db1\"", "same name" },
};

static struct buf edited(const struct buf *json, const char *from, const char *to)
{
	const char *at = strstr(json->data, from);
	struct buf out = { 0 };

	if (!at)
		fail_msg("%s is not in %s", from, (char *)json->data);
	out.data = malloc(json->len + strlen(to) + 1);
	out.len = (size_t)sprintf(out.data, "%.*s%s%s", (int)(at - (char *)json->data),
				  (char *)json->data, to, at + strlen(from));
	return out;
}

static void every_change_of_parts_is_judged(void **state)
{
	_cleanup_buf_ struct buf json = { 0 };
	struct err e = { 0 };
	struct manifest m;

	(void)state;
	sample(&m);
	assert_ok(manifest_encode(&m, &json, &e), e);
	for (unsigned int i = 0; i < ARRAY_LEN(edits); i++) {
		_cleanup_manifest_ struct manifest got = { .generation = 0 };
		_cleanup_buf_ struct buf text = edited(&json, edits[i].from, edits[i].to);

		if (manifest_decode(&text, &geo, &got, &e) == 0)
			fail_msg("%s -> %s: accepted", edits[i].from, edits[i].to);
		if (e.kind != ERR_FORMAT || !strstr(e.msg, edits[i].says))
			fail_msg("%s -> %s: %s: %s", edits[i].from, edits[i].to,
				 err_kind_name(e.kind), e.msg);
		err_clear(&e);
	}
}

static void more_parts_than_the_table_has_entries(void **state)
{
	static struct manifest_vm many[VM_MAX];
	_cleanup_manifest_ struct manifest got = { .generation = 0 };
	_cleanup_buf_ struct buf json = { 0 };
	struct err e = { 0 };
	struct manifest m;

	(void)state;
	sample(&m);
	for (unsigned int i = 0; i < VM_MAX; i++) {
		many[i] = vms[i ? 1 : 0];
		snprintf(many[i].vm.name, sizeof(many[i].vm.name), "vm%u", i);
		many[i].index = i;
		many[i].blob.offset = i * 4096ULL;
	}
	m.vms = many;
	m.nvms = VM_MAX;
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_int_equal(manifest_decode(&json, NULL, &got, &e), -1);
	assert_non_null(strstr(e.msg, "more than 64 parts"));
	assert_kind(e, ERR_FORMAT);
}

/* ---- QEMU ---------------------------------------------------------------- */

static void qemu_gets_a_backend_for_each_part(void **state)
{
	struct qemu_launch launch = { .ram = { { .path = "/dev/dax3.0", .offset = 2 * MIB },
					       { .path = "/dev/dax1.0", .align = 1 << 30 } } };
	char **argv, all[2048] = "";
	struct err e = { 0 };
	struct manifest m;

	(void)state;
	sample(&m);
	launch.vm = &vms[0].vm;
	argv = qemu_argv(&launch, 3, 4, &e);
	assert_non_null(argv);
	for (char **p = argv; *p; p++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), " %s", *p);
	qemu_argv_free(argv);
	assert_non_null(strstr(all,
			       " -m 10M -object memory-backend-file,id=r0,size=4M,mem-path=/dev/dax3.0,"
			       "share=on,pmem=on,align=2M,offset=2097152 "
			       "-object memory-backend-file,id=r1,size=6M,mem-path=/dev/dax1.0,"
			       "share=on,pmem=off,align=1G -machine q35 "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_command_line_with_two_backends, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(two_backends_that_make_no_sense, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(nodes_of_the_vm_section, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(nodes_that_make_no_sense, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(each_part_has_an_extent, ledger_setup,
						ledger_teardown),
		cmocka_unit_test_setup_teardown(parts_are_held_against_each_other, ledger_setup,
						ledger_teardown),
		cmocka_unit_test_setup_teardown(to_an_older_version_a_part_is_misaligned,
						ledger_setup, ledger_teardown),
		cmocka_unit_test(a_manifest_has_all_parts),
		cmocka_unit_test(an_older_reader_misses_what_it_needs),
		cmocka_unit_test(every_change_of_parts_is_judged),
		cmocka_unit_test(more_parts_than_the_table_has_entries),
		cmocka_unit_test(qemu_gets_a_backend_for_each_part),
	};

	return cmocka_run_group_tests_name("numa", tests, NULL, NULL);
}
