/* SPDX-License-Identifier: GPL-2.0-only */
/* Manifests: out and in again, and everything that is refused on the way in. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "json.h"
#include "ledger_fixture.h"
#include "manifest.h"

static struct ledger_geometry geo;

static int setup(void **state)
{
	(void)state;
	geo = fixture_geometry();
	memset(geo.ledger_uuid, 0x77, 16);
	geo.blob_offset = LEDGER_BLOBS_OFFSET;
	geo.blob_size = 1 << 20;
	return 0;
}

static const struct canary full = { .mode = CANARY_FULL,
				    .seed = 0x8000000000000001ULL,
				    .pages = 1536,
				    .sample = 0x0807060504030201ULL,
				    .whole = UINT64_MAX };
static const struct canary sampled = { .mode = CANARY_SAMPLE, .pages = 1, .sample = 7 };

static void save_elsewhere(struct manifest_vm *v)
{
	v->vm.transport = VM_STATE_SNAPSHOT;
	v->snapshot = (struct snapshot){ .image = "/srv/a \"b\".img",
					 .name = "holdover.9.0123abcd",
					 .id = "1",
					 .state_size = 333081,
					 .date_sec = 1795559934,
					 .date_nsec = 176000,
					 .clock_sec = 17,
					 .clock_nsec = 513971070,
					 .incoming = true };
	v->paused_tsc = 1ULL << 63;
}

/* Two VMs on the fixture's device, made of static strings: never freed. */
static void sample(struct manifest *m)
{
	static char *args[] = { "-smp",	    "2", "-drive", "file=/srv/a \"b\".img,if=virtio",
				"\xc3\xa4", NULL };
	static char *none[] = { NULL };
	static struct disk disks[2];
	static struct manifest_vm vms[2];

	disks[0] = (struct disk){ .path = "/srv/a \"b\".img",
				  .writable = true,
				  .fs_uuid = "0123456789abcdef",
				  .inode = UINT64_MAX,
				  .size = 1ULL << 40,
				  .mtime_ns = 1700000000123456789ULL };
	disks[1] = (struct disk){ .path = "/dev/vg/b", .is_block = true, .id = "dm-uuid=LVM-x" };
	memset(vms, 0, sizeof(vms));
	vms[0].vm = (struct vm){ .name = "db1",
				 .qemu = "/usr/bin/qemu-system-x86_64",
				 .machine = "pc-q35-10.0",
				 .memory = 4 << 20,
				 .memdev = "holdover.ram",
				 .args = args,
				 .nargs = 5,
				 .placement = VM_PLACE_LATE,
				 .on_failure = VM_FAIL_COLD_BOOT,
				 .priority = -3,
				 .timeout_ms = 30000 };
	vms[0].index = 5;
	vms[0].extent = (struct extent){ .name = "db1", .offset = 2 << 20, .size = 6 << 20 };
	vms[0].blob = (struct blob_ref){ .offset = 0, .length = 4096, .xxh3 = 0x0102030405060708ULL };
	memset(vms[0].blob.mac, 0xc3, LEDGER_MAC);
	vms[0].was_running = true;
	vms[0].disks = disks;
	vms[0].ndisks = 2;
	vms[0].canary = full;
	vms[0].scope = "holdover-db1.scope";
	vms[1] = vms[0];
	strcpy(vms[1].vm.name, "b");
	vms[1].vm.args = none;
	vms[1].vm.nargs = 0;
	vms[1].index = VM_MAX - 1;
	strcpy(vms[1].extent.name, "b");
	vms[1].extent.name[2] = '\0';
	vms[1].extent.offset = 8 << 20;
	vms[1].blob.offset = 4096;
	save_elsewhere(&vms[0]);
	vms[1].was_running = false;
	vms[1].cpr_reboot = true;
	vms[1].disks = NULL;
	vms[1].ndisks = 0;
	vms[1].canary = sampled;
	vms[1].scope = NULL;
	memset(m, 0, sizeof(*m));
	m->generation = 9;
	memcpy(m->ledger_uuid, geo.ledger_uuid, 16);
	memset(m->boot_id, 0xb0, 16);
	strcpy(m->kernel, "6.12.0-1-amd64");
	m->tsc_hz = 2994374000;
	m->clock = (struct clock_pair){ 77, 1795559934000000001ULL, true };
	m->vms = vms;
	m->nvms = 2;
}

static void same_vm(const struct manifest_vm *a, const struct manifest_vm *b)
{
	unsigned int i;

	assert_string_equal(a->vm.name, b->vm.name);
	assert_string_equal(a->vm.qemu, b->vm.qemu);
	assert_string_equal(a->vm.machine, b->vm.machine);
	assert_true(a->vm.memory == b->vm.memory);
	assert_string_equal(a->vm.memdev, b->vm.memdev);
	assert_int_equal(a->vm.nargs, b->vm.nargs);
	for (i = 0; i < a->vm.nargs; i++)
		assert_string_equal(a->vm.args[i], b->vm.args[i]);
	assert_null(a->vm.args[i]);
	assert_int_equal(a->vm.placement, b->vm.placement);
	assert_int_equal(a->vm.transport, b->vm.transport);
	assert_memory_equal(&a->snapshot, &b->snapshot, sizeof(a->snapshot));
	assert_true(a->paused_tsc == b->paused_tsc);
	assert_int_equal(a->vm.on_failure, b->vm.on_failure);
	assert_int_equal(a->vm.priority, b->vm.priority);
	assert_int_equal(a->vm.timeout_ms, b->vm.timeout_ms);
	assert_int_equal(a->index, b->index);
	assert_memory_equal(&a->extent, &b->extent, sizeof(a->extent));
	assert_memory_equal(&a->blob, &b->blob, sizeof(a->blob));
	assert_int_equal(a->was_running, b->was_running);
	assert_int_equal(a->cpr_reboot, b->cpr_reboot);
	assert_int_equal(a->ndisks, b->ndisks);
	for (i = 0; i < a->ndisks; i++) {
		assert_string_equal(a->disks[i].path, b->disks[i].path);
		assert_string_equal(a->disks[i].id, b->disks[i].id);
		assert_string_equal(a->disks[i].fs_uuid, b->disks[i].fs_uuid);
		assert_int_equal(a->disks[i].writable, b->disks[i].writable);
		assert_int_equal(a->disks[i].is_block, b->disks[i].is_block);
		assert_true(a->disks[i].inode == b->disks[i].inode);
		assert_true(a->disks[i].size == b->disks[i].size);
		assert_true(a->disks[i].mtime_ns == b->disks[i].mtime_ns);
	}
	assert_memory_equal(&a->canary, &b->canary, sizeof(a->canary));
	assert_int_equal(!a->scope, !b->scope);
	if (a->scope)
		assert_string_equal(a->scope, b->scope);
}

static void what_goes_in_comes_out(void **state)
{
	_cleanup_manifest_ struct manifest got = { .generation = 0 };
	_cleanup_buf_ struct buf json = { .data = NULL }, again = { .data = NULL };
	struct manifest m;
	struct err e;

	(void)state;
	sample(&m);
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_ok(manifest_decode(&json, &geo, &got, &e), e);
	assert_true(got.generation == 9 && got.tsc_hz == m.tsc_hz);
	assert_true(got.clock.tsc == 77 && got.clock.trusted && !got.set_clock);
	assert_true(got.clock.realtime_ns == m.clock.realtime_ns);
	assert_memory_equal(got.ledger_uuid, m.ledger_uuid, 16);
	assert_memory_equal(got.boot_id, m.boot_id, 16);
	assert_string_equal(got.kernel, m.kernel);
	assert_int_equal(got.nvms, 2);
	same_vm(&got.vms[0], &m.vms[0]);
	same_vm(&got.vms[1], &m.vms[1]);
	assert_ok(manifest_encode(&got, &again, &e), e);
	assert_string_equal(again.data, json.data);
	assert_int_equal(again.len, strlen(again.data));
}

/* An agent that does not know the placement would refuse all VMs. */
static void an_older_agent_takes_the_next_placement(void **state)
{
	_cleanup_manifest_ struct manifest got = { .generation = 0 };
	_cleanup_buf_ struct buf json = { .data = NULL };
	struct manifest m;
	struct err e;

	(void)state;
	sample(&m);
	m.vms[1].vm.placement = VM_PLACE_INITRAMFS;
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_null(strstr(json.data, "\"placement\":\"initramfs\""));
	assert_non_null(strstr(json.data, "\"placement\":\"sysroot\",\"initramfs\":true"));
	assert_ok(manifest_decode(&json, &geo, &got, &e), e);
	assert_int_equal(got.vms[0].vm.placement, VM_PLACE_LATE);
	assert_int_equal(got.vms[1].vm.placement, VM_PLACE_INITRAMFS);
}

static void a_manifest_without_vms(void **state)
{
	_cleanup_manifest_ struct manifest got = { .generation = 0 };
	_cleanup_buf_ struct buf json = { .data = NULL };
	struct manifest m;
	struct err e;

	(void)state;
	sample(&m);
	m.nvms = 0;
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_ok(manifest_decode(&json, &geo, &got, &e), e);
	assert_int_equal(got.nvms, 0);
}

static void what_json_cannot_say_is_refused(void **state)
{
	struct err e = { .kind = ERR_NONE };
	struct manifest m;
	struct buf json;

	(void)state;
	sample(&m);
	m.vms[0].disks[0].path = "/srv/\xff";
	assert_int_equal(manifest_encode(&m, &json, &e), -1);
	assert_non_null(strstr(e.msg, "db1"));
	assert_non_null(strstr(e.msg, "path"));
	assert_kind(e, ERR_REFUSED);
	sample(&m);
	m.vms[1].vm.machine = NULL;
	assert_int_equal(manifest_encode(&m, &json, &e), -1);
	assert_non_null(strstr(e.msg, "machine"));
	assert_kind(e, ERR_REFUSED);
	sample(&m);
	m.vms[0].vm.args[4] = "\xff";
	assert_int_equal(manifest_encode(&m, &json, &e), -1);
	m.vms[0].vm.args[4] = "\xc3\xa4";
	assert_non_null(strstr(e.msg, "args"));
	assert_kind(e, ERR_REFUSED);
}

/* Replace the first @from in the sample's JSON by @to. */
static struct buf edited(const char *from, const char *to)
{
	_cleanup_buf_ struct buf json = { .data = NULL };
	struct buf out = { .data = NULL };
	struct manifest m;
	struct err e;
	char *at;

	sample(&m);
	assert_ok(manifest_encode(&m, &json, &e), e);
	at = strstr(json.data, from);
	if (!at)
		fail_msg("no %s in %s", from, json.data);
	*at = '\0';
	out.len = (size_t)asprintf(&out.data, "%s%s%s", json.data, to, at + strlen(from));
	return out;
}

/**
 * struct edit - a change and what it must lead to
 * @from: replaced
 * @to: by
 * @kind: of the error; ERR_NONE: accepted
 * @says: part of the error's text
 */
struct edit {
	const char *from, *to;
	enum err_kind kind;
	const char *says;
};

static const struct edit edits[] = {
	{ "{", "", ERR_FORMAT, "JSON" },
	{ "\"vms\":[", "\"vms\":{", ERR_FORMAT, "JSON" },
	{ "\"generation\":9", "\"generation\":-9", ERR_FORMAT, "generation" },
	{ "\"generation\":9,", "", ERR_FORMAT, "generation" },
	{ "\"ledger_uuid\":\"7", "\"ledger_uuid\":\"6", ERR_MISMATCH, "another ledger" },
	{ "\"ledger_uuid\":\"7", "\"ledger_uuid\":\"", ERR_FORMAT, "ledger_uuid" },
	{ "\"boot_id\":\"b", "\"boot_id\":\"x", ERR_FORMAT, "boot_id" },
	{ "6.12.0", "6.12.0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  ERR_FORMAT, "kernel" },
	{ "2994374000", "\"fast\"", ERR_FORMAT, "tsc_hz" },
	{ "\"tsc\":77", "\"tsc\":-1", ERR_FORMAT, "tsc" },
	{ "\"set\":false", "\"set\":0", ERR_FORMAT, "set" },
	{ "\"realtime_ns\":17", "\"realtime_ns\":97", ERR_FORMAT, "realtime_ns" },
	{ "\"clock\":{", "\"watch\":{", ERR_NONE, "" },
	{ "\"paused_tsc\":", "\"paused_tsc\":-", ERR_FORMAT, "paused_tsc" },
	{ "\"name\":\"db1\"", "\"name\":\"b\"", ERR_FORMAT, "same name" },
	{ "\"name\":\"db1\"", "\"name\":\"../b\"", ERR_FORMAT, "../b" },
	{ "\"name\":\"db1\"", "\"name\":\"\"", ERR_FORMAT, "name" },
	{ "\"name\":\"db1\"", "\"name\":5", ERR_FORMAT, "VM number 0" },
	{ "\"name\":\"db1\"", "\"name\":\"123456789012345678901234567890123456789012345678\"",
	  ERR_FORMAT, "longer than 47" },
	{ "\"index\":5", "\"index\":63", ERR_FORMAT, "index 63" },
	{ "\"index\":5", "\"index\":64", ERR_FORMAT, "index" },
	{ "\"qemu\":\"/", "\"qemu\":\"", ERR_FORMAT, "qemu" },
	{ "\"memory\":4194304", "\"memory\":4194305", ERR_FORMAT, "memory" },
	{ "\"memory\":4194304", "\"memory\":8388608", ERR_FORMAT, "extent" },
	{ "\"memory\":4194304", "\"memory\":0", ERR_FORMAT, "memory" },
	{ "\"memdev\":\"holdover.ram\"", "\"memdev\":\"a,b\"", ERR_FORMAT, "memdev" },
	{ "\"-smp\"", "\"-m\"", ERR_FORMAT, "-m" },
	{ "\"-smp\"", "3", ERR_FORMAT, "args" },
	{ "\"-smp\"", "\"a\\u0000b\"", ERR_FORMAT, "args" },
	{ "\"late\"", "\"never\"", ERR_FORMAT, "never" },
	{ "\"cold-boot\"", "\"panic\"", ERR_FORMAT, "panic" },
	{ "\"priority\":-3", "\"priority\":2147483648", ERR_FORMAT, "priority" },
	{ "\"timeout_ms\":30000", "\"timeout_ms\":0", ERR_FORMAT, "timeout_ms" },
	{ "\"offset\":2097152", "\"offset\":4194304", ERR_FORMAT, "overlap" },
	{ "\"offset\":2097152", "\"offset\":2097153", ERR_FORMAT, "aligned" },
	{ "\"offset\":2097152", "\"offset\":65011712", ERR_FORMAT, "reach past" },
	{ "\"offset\":2097152", "\"offset\":18446744073709551615", ERR_FORMAT, "aligned" },
	{ "\"offset\":2097152", "\"offset\":18446744073707454464", ERR_FORMAT, "reach past" },
	{ "\"size\":6291456", "\"size\":18446744073707454464", ERR_FORMAT, "reach past" },
	{ "\"length\":4096", "\"length\":4097", ERR_FORMAT, "overlap" },
	{ "\"length\":4096", "\"length\":0", ERR_FORMAT, "lies outside" },
	{ "\"length\":4096", "\"length\":1048577", ERR_FORMAT, "lies outside" },
	{ "\"blob\":{\"offset\":0", "\"blob\":{\"offset\":18446744073709551615", ERR_FORMAT,
	  "lies outside" },
	{ "\"xxh3\":\"01", "\"xxh3\":\"0", ERR_FORMAT, "xxh3" },
	{ "\"mac\":\"c3", "\"mac\":\"c3c3", ERR_FORMAT, "mac" },
	{ "\"transport\":\"snapshot\"", "\"transport\":\"pigeon\"", ERR_FORMAT, "pigeon" },
	{ "\"transport\":\"snapshot\"", "\"transport\":\"ledger\"", ERR_NONE, "" },
	{ "\"snapshot\":{", "\"other\":{", ERR_FORMAT, "snapshot" },
	{ "\"image\":\"/", "\"image\":\"", ERR_FORMAT, "makes no sense" },
	{ "\"name\":\"holdover.9", "\"name\":\"\\\"9", ERR_FORMAT, "makes no sense" },
	{ "\"name\":\"holdover.9.0123abcd\"", "\"name\":\"\"", ERR_FORMAT, "makes no sense" },
	{ "\"state_size\":333081", "\"state_size\":0", ERR_FORMAT, "makes no sense" },
	{ "\"incoming\":true", "\"incoming\":1", ERR_FORMAT, "incoming" },
	{ "\"was_running\":true", "\"was_running\":1", ERR_FORMAT, "was_running" },
	{ "\"cpr_reboot\":false,", "", ERR_FORMAT, "cpr_reboot" },
	{ "\"path\":\"/", "\"path\":\"", ERR_FORMAT, "absolute" },
	{ "0123456789abcdef", "0123456789abcde", ERR_FORMAT, "fs_uuid" },
	{ "0123456789abcdef", "0123456789abcdef0", ERR_FORMAT, "fs_uuid" },
	{ "0123456789abcdef", "0123456789abcdeg", ERR_FORMAT, "fs_uuid" },
	{ "0123456789abcdef", "", ERR_NONE, "" },
	{ "\"block\":false,", "", ERR_FORMAT, "block" },
	{ "\"mode\":\"full\"", "\"mode\":\"most\"", ERR_FORMAT, "most" },
	{ "\"mode\":\"full\"", "\"mode\":\"none\"", ERR_NONE, "" },
	{ "\"canary\":{", "\"canary\":[{}],\"c\":{", ERR_FORMAT, "canary" },
	{ "\"seed\":\"8", "\"seed\":\"", ERR_FORMAT, "seed" },
	{ "\"pages\":1536", "\"pages\":0", ERR_FORMAT, "pages" },
	{ "\"pages\":1536", "\"pages\":1537", ERR_FORMAT, "pages" },
	{ "\"sample\":\"08", "\"sample\":\"8", ERR_FORMAT, "sample" },
	{ "\"whole\"", "\"half\"", ERR_FORMAT, "whole" },
	{ "\"scope\":\"holdover-db1.scope\"", "\"scope\":null", ERR_FORMAT, "scope" },
	{ "{", "{\"new\":[1,{}],", ERR_NONE, "" },
	{ "{\"name\"", "{\"new\":null,\"name\"", ERR_NONE, "" },
	{ "{\"path\"", "{\"new\":0.5,\"path\"", ERR_NONE, "" },
};

static void every_change_is_judged(void **state)
{
	struct err e = { .kind = ERR_NONE };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(edits); i++) {
		_cleanup_manifest_ struct manifest got = { .generation = 0 };
		_cleanup_buf_ struct buf json = edited(edits[i].from, edits[i].to);
		int r = manifest_decode(&json, &geo, &got, &e);

		if (e.kind != edits[i].kind || (r < 0) != (edits[i].kind != ERR_NONE) ||
		    !strstr(e.msg, edits[i].says))
			fail_msg("%s -> %s: %d %s: %s", edits[i].from, edits[i].to, r,
				 err_kind_name(e.kind), e.msg);
		err_clear(&e);
	}
}

/* However large the VM: comparing a sample must not take for ever. */
static void a_sample_is_bounded(void **state)
{
	_cleanup_manifest_ struct manifest got = { .generation = 0 };
	_cleanup_buf_ struct buf most = { .data = NULL }, more = { .data = NULL };
	struct err e = { .kind = ERR_NONE };
	struct manifest m, none;

	(void)state;
	sample(&m);
	m.vms[0].extent.size = 1ULL << 40;
	m.vms[0].canary.pages = CANARY_PAGES_MAX;
	assert_ok(manifest_encode(&m, &most, &e), e);
	assert_ok(manifest_decode(&most, NULL, &got, &e), e);
	m.vms[0].canary.pages++;
	assert_ok(manifest_encode(&m, &more, &e), e);
	assert_int_equal(manifest_decode(&more, NULL, &none, &e), -1);
	assert_non_null(strstr(e.msg, "pages"));
	assert_kind(e, ERR_FORMAT);
}

/* What an older stage writes, and one with canaries = none. */
static void without_a_canary(void **state)
{
	_cleanup_manifest_ struct manifest got = { .generation = 0 };
	_cleanup_buf_ struct buf json = edited("\"canary\":{", "\"other\":{");
	struct err e = { .kind = ERR_NONE };

	(void)state;
	assert_ok(manifest_decode(&json, &geo, &got, &e), e);
	assert_int_equal(got.vms[0].canary.mode, CANARY_NONE);
	assert_int_equal(got.vms[1].canary.mode, CANARY_SAMPLE);
}

/* state.json of a running VM: no ledger to hold it against. */
static void without_a_ledger(void **state)
{
	_cleanup_manifest_ struct manifest got = { .generation = 0 };
	_cleanup_buf_ struct buf far = edited("\"offset\":2097152", "\"offset\":1"),
				 same = edited("\"index\":5", "\"index\":63");
	struct err e = { .kind = ERR_NONE };
	struct manifest none;

	(void)state;
	memset(geo.ledger_uuid, 0, 16);
	assert_int_equal(manifest_decode(&far, &geo, &none, &e), -1);
	assert_kind(e, ERR_MISMATCH);
	assert_ok(manifest_decode(&far, NULL, &got, &e), e);
	assert_int_equal(got.vms[0].extent.offset, 1);
	assert_int_equal(manifest_decode(&same, NULL, &none, &e), -1);
	assert_kind(e, ERR_FORMAT);
}

static void every_prefix_is_refused(void **state)
{
	_cleanup_buf_ struct buf json = { .data = NULL };
	struct err e = { .kind = ERR_NONE };
	struct manifest m, got;
	size_t len;

	(void)state;
	sample(&m);
	assert_ok(manifest_encode(&m, &json, &e), e);
	for (len = 0; len < json.len; len++) {
		_cleanup_free_ char *part = malloc(len + 1);
		struct buf b = { .data = part, .len = len };

		memcpy(part, json.data, len);
		part[len] = '\0';
		assert_int_equal(manifest_decode(&b, &geo, &got, &e), -1);
		assert_kind(e, ERR_FORMAT);
	}
}

/* A manifest of @n VMs, args and disks of the first one. */
static int counts(unsigned int vms, unsigned int args, unsigned int disks, struct err *e)
{
	_cleanup_manifest_ struct manifest got = { .generation = 0 };
	_cleanup_buf_ struct buf json = { .data = NULL };
	_cleanup_free_ struct manifest_vm *v = calloc(vms, sizeof(*v));
	_cleanup_free_ struct disk *d = calloc(disks, sizeof(*d));
	_cleanup_free_ char **a = calloc(args + 1, sizeof(*a));
	struct manifest m;
	unsigned int i;

	sample(&m);
	for (i = 0; i < args; i++)
		a[i] = "x";
	for (i = 0; i < disks; i++)
		d[i].path = "/d";
	for (i = 0; i < vms; i++) {
		v[i] = m.vms[1];
		snprintf(v[i].vm.name, sizeof(v[i].vm.name), "vm%u", i);
		v[i].vm.memory = v[i].extent.size = 2 << 20;
		v[i].index = i < VM_MAX ? i : 0;
		v[i].extent.offset = (uint64_t)i << 21;
		v[i].blob.offset = i * 4096;
	}
	v[0].vm.args = a;
	v[0].vm.nargs = args;
	v[0].disks = d;
	v[0].ndisks = disks;
	m.vms = v;
	m.nvms = vms;
	assert_ok(manifest_encode(&m, &json, e), *e);
	return manifest_decode(&json, &geo, &got, e);
}

static void limits(void **state)
{
	struct err e = { .kind = ERR_NONE };

	(void)state;
	geo.ledger_offset = geo.device_size = 1ULL << 30;
	assert_ok(counts(VM_MAX, VM_ARGS_MAX, VM_DISKS_MAX, &e), e);
	assert_int_equal(counts(VM_MAX + 1, 1, 1, &e), -1);
	assert_non_null(strstr(e.msg, "65 VMs"));
	assert_kind(e, ERR_FORMAT);
	assert_int_equal(counts(1, VM_ARGS_MAX + 1, 1, &e), -1);
	assert_kind(e, ERR_FORMAT);
	assert_int_equal(counts(1, 1, VM_DISKS_MAX + 1, &e), -1);
	assert_kind(e, ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_goes_in_comes_out, setup),
		cmocka_unit_test_setup(a_manifest_without_vms, setup),
		cmocka_unit_test_setup(an_older_agent_takes_the_next_placement, setup),
		cmocka_unit_test_setup(what_json_cannot_say_is_refused, setup),
		cmocka_unit_test_setup(every_change_is_judged, setup),
		cmocka_unit_test_setup(a_sample_is_bounded, setup),
		cmocka_unit_test_setup(without_a_canary, setup),
		cmocka_unit_test_setup(without_a_ledger, setup),
		cmocka_unit_test_setup(every_prefix_is_refused, setup),
		cmocka_unit_test_setup(limits, setup),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
