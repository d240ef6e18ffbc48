/* SPDX-License-Identifier: GPL-2.0-only */
/* Regions beside the ledger's own, in a manifest: out and in again, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

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

/* A VM whose RAM is in region 3, and the regions 3 (devdax) and 15 (files); never freed. */
static void sample(struct manifest *m)
{
	static char *none[] = { NULL };
	static struct manifest_vm vm;

	memset(&vm, 0, sizeof(vm));
	vm.vm = (struct vm){ .name = "db1",
			     .qemu = "/usr/bin/qemu",
			     .machine = "pc-q35-10.0",
			     .memory = 4 << 20,
			     .memdev = "holdover.ram",
			     .args = none,
			     .timeout_ms = 30000 };
	vm.extent =
		(struct extent){ .name = "db1", .offset = 1ULL << 40, .size = 6 << 20, .region = 3 };
	vm.blob = (struct blob_ref){ .length = 4096 };
	vm.canary = (struct canary){ .mode = CANARY_SAMPLE, .pages = 1 };
	memset(m, 0, sizeof(*m));
	m->generation = 9;
	memcpy(m->ledger_uuid, geo.ledger_uuid, 16);
	m->tsc_hz = 2994374000;
	m->regions[0] =
		(struct manifest_region){ .number = 3, .start = 6ULL << 30, .size = 1ULL << 62 };
	memset(m->regions[0].namespace_uuid, 0xd3, 16);
	m->regions[1] = (struct manifest_region){ .number = LEDGER_REGIONS - 1,
						  .start = UINT64_MAX,
						  .size = 1 };
	memset(m->regions[1].namespace_uuid, 0xdf, 16);
	memset(m->regions[1].fs_uuid, 0xf5, 16);
	m->nregions = 2;
	m->vms = &vm;
	m->nvms = 1;
}

static void what_goes_in_comes_out(void **state)
{
	struct manifest got _cleanup_manifest_ = { .vms = NULL };
	_cleanup_buf_ struct buf json = { .data = NULL };
	struct manifest m;
	struct err e;

	(void)state;
	sample(&m);
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_ok(manifest_decode(&json, &geo, &got, &e), e);
	assert_int_equal(got.nregions, 2);
	assert_memory_equal(got.regions, m.regions, 2 * sizeof(m.regions[0]));
	assert_memory_equal(&got.vms[0].extent, &m.vms[0].extent, sizeof(struct extent));
	assert_ptr_equal(manifest_region(&got, 3), &got.regions[0]);
	assert_ptr_equal(manifest_region(&got, LEDGER_REGIONS - 1), &got.regions[1]);
	/* The ledger's own is not among them. */
	assert_null(manifest_region(&got, 0));
	assert_null(manifest_region(&got, 4));
}

static void a_file_of_another_region(void **state)
{
	struct manifest got _cleanup_manifest_ = { .vms = NULL };
	_cleanup_buf_ struct buf json = { .data = NULL };
	struct manifest m;
	struct err e;

	(void)state;
	sample(&m);
	m.vms[0].extent.region = LEDGER_REGIONS - 1;
	m.vms[0].extent.in_file = true;
	m.vms[0].extent.offset = 0;
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_ok(manifest_decode(&json, &geo, &got, &e), e);
	assert_memory_equal(&got.vms[0].extent, &m.vms[0].extent, sizeof(struct extent));
}

/* What an older stage writes. */
static void without_any(void **state)
{
	struct manifest got _cleanup_manifest_ = { .vms = NULL };
	_cleanup_buf_ struct buf json = { .data = NULL };
	struct manifest m;
	struct err e;

	(void)state;
	sample(&m);
	m.nregions = 0;
	m.vms[0].extent.region = 0;
	m.vms[0].extent.offset = 2 << 20;
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_null(strstr(json.data, "region"));
	assert_ok(manifest_decode(&json, &geo, &got, &e), e);
	assert_int_equal(got.nregions, 0);
	assert_null(manifest_region(&got, 3));
}

/* As many as there can be, and one more. */
static void as_many_as_extents_can_name(void **state)
{
	struct manifest got _cleanup_manifest_ = { .vms = NULL };
	_cleanup_buf_ struct buf json = { .data = NULL };
	struct manifest m;
	struct err e;

	(void)state;
	sample(&m);
	for (m.nregions = 0; m.nregions < LEDGER_REGIONS - 1; m.nregions++)
		m.regions[m.nregions] =
			(struct manifest_region){ .number = m.nregions + 1, .size = 4096 };
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_ok(manifest_decode(&json, &geo, &got, &e), e);
	assert_int_equal(got.nregions, LEDGER_REGIONS - 1);
	manifest_free(&got);
	buf_free(&json);
	m.regions[m.nregions++] = (struct manifest_region){ .number = 1, .size = 4096 };
	assert_ok(manifest_encode(&m, &json, &e), e);
	assert_int_equal(manifest_decode(&json, &geo, &got, &e), -1);
	assert_non_null(strstr(e.msg, "16 regions are more than 15"));
	assert_kind(e, ERR_FORMAT);
}

static const struct {
	const char *from, *to, *says;
} edits[] = {
	{ "\"number\":3", "\"number\":0", "region 0 is impossible" },
	{ "\"number\":3", "\"number\":15", "region 15 is impossible or there twice" },
	{ "\"number\":3", "\"number\":16", "number" },
	{ "\"number\":3", "\"number\":\"3\"", "number" },
	{ "\"number\":3", "\"number\":-3", "number" },
	{ "\"number\":3,", "", "number" },
	{ "\"number\":3", "\"number\":4", "db1 is in region 3, which is not described" },
	{ "\"start\":6442450944", "\"start\":1e9", "start" },
	{ "\"start\":6442450944,", "", "start" },
	{ "\"size\":4611686018427387904", "\"size\":0", "region 3 is impossible" },
	{ "\"size\":4611686018427387904", "\"size\":18446744073709551616", "size" },
	{ "\"size\":4611686018427387904,", "", "size" },
	{ "\"namespace_uuid\":\"d3d3", "\"namespace_uuid\":\"d3", "namespace_uuid" },
	{ "\"namespace_uuid\":\"d3d3", "\"namespace_uuid\":\"d3dg", "namespace_uuid" },
	{ "\"namespace_uuid\":", "\"namespace\":", "namespace_uuid" },
	{ "\"fs_uuid\":\"f5f5", "\"fs_uuid\":\"f5f5f5", "fs_uuid" },
	{ "\"fs_uuid\":\"f5f5f5f5-f5f5-f5f5-f5f5-f5f5f5f5f5f5\"", "\"fs_uuid\":null", "fs_uuid" },
	{ "\"regions\":[{", "\"regions\":[7,{", "number" },
	{ "\"regions\":[", "\"others\":[", "db1 is in region 3, which is not described" },
	{ "\"region\":3", "\"region\":16", "region" },
	{ "\"region\":3", "\"region\":2", "region 2, which is not described" },
};

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

static void every_member_is_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		_cleanup_buf_ struct buf json = edited(edits[i].from, edits[i].to);
		struct manifest got _cleanup_manifest_ = { .vms = NULL };
		struct err e = { .kind = ERR_NONE };

		if (manifest_decode(&json, &geo, &got, &e) == 0)
			fail_msg("%s: accepted", edits[i].to);
		if (e.kind != ERR_FORMAT || !strstr(e.msg, edits[i].says))
			fail_msg("%s: %s \"%s\"", edits[i].to, err_kind_name(e.kind), e.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_goes_in_comes_out, setup),
		cmocka_unit_test_setup(a_file_of_another_region, setup),
		cmocka_unit_test_setup(without_any, setup),
		cmocka_unit_test_setup(as_many_as_extents_can_name, setup),
		cmocka_unit_test_setup(every_member_is_judged, setup),
	};

	return cmocka_run_group_tests_name("manifest_region", tests, NULL, NULL);
}
