/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz.h"
#include "ledger_format.h"
#include "manifest.h"

/* What was decoded must encode, and decode again from that. */
static void round_trip(const struct manifest *m, const struct ledger_geometry *geo)
{
	struct buf json _cleanup_buf_ = { 0 };
	struct manifest again _cleanup_manifest_ = { 0 };
	struct err e = { 0 };

	if (manifest_encode(m, &json, &e) < 0 || manifest_decode(&json, geo, &again, &e) < 0)
		abort();
	if (again.nvms != m->nvms || again.generation != m->generation)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct buf json = { .data = text, .len = size };
	struct ledger_geometry geo = {
		.device_size = 64 << 20,
		.align = 2 << 20,
		.ledger_offset = 62 << 20,
		.ledger_size = 2 << 20,
		.blob_offset = LEDGER_BLOBS_OFFSET,
		.blob_size = 1 << 20,
	};
	struct manifest m _cleanup_manifest_ = { 0 };
	struct err e = { 0 };
	int rc;

	/* the ledger that seeds/manifest was made for */
	memset(geo.ledger_uuid, 0x77, sizeof(geo.ledger_uuid));
	rc = manifest_decode(&json, &geo, &m, &e);
	fuzz_check(rc, &e);
	if (!rc)
		round_trip(&m, &geo);
	free(text);
	return 0;
}
