/* SPDX-License-Identifier: GPL-2.0-only */
#include "region.h"

#include <inttypes.h>
#include <string.h>

/* What a stamp's manifest consists of: all that counts is in its head. */
static const char stamp_text[] = "{}";

static int open_stamp(struct region *r, uint64_t start, uint64_t size, const uint8_t *namespace_uuid,
		      const uint8_t *fs_uuid, const uint8_t host_uuid[16], struct err *e)
{
	const struct ledger_geometry *geo = &r->stamp.geo;

	if (store_find(start, size, namespace_uuid, fs_uuid, &r->store, e) ||
	    store_open_ledger(&r->store, &r->map, &r->stamp, e))
		return -1;
	if (!geo->region)
		return err_set(e, ERR_MISMATCH, "%s: holds a ledger of its own instead of a stamp",
			       store_path(&r->store));
	if (memcmp(geo->host_uuid, host_uuid, 16))
		return err_set(e, ERR_MISMATCH, "%s: is stamped as a region of another ledger",
			       store_path(&r->store));
	return 0;
}

int region_open(struct region *r, uint64_t start, uint64_t size, const uint8_t *namespace_uuid,
		const uint8_t *fs_uuid, const uint8_t host_uuid[16], struct err *e)
{
	char at[32], len[32];

	memset(r, 0, sizeof(*r));
	r->map.fd = -1;
	r->tried = true;
	if (open_stamp(r, start, size, namespace_uuid, fs_uuid, host_uuid, e) == 0)
		return 0;
	io_format_size(start, at, sizeof(at));
	io_format_size(size, len, sizeof(len));
	err_wrap(e, "region %s!%s", len, at);
	pmem_map_close(&r->map);
	r->err = *e;
	return -1;
}

void region_close(struct region *r)
{
	if (r->tried)
		pmem_map_close(&r->map);
	memset(r, 0, sizeof(*r));
}

int region_seal(struct region *r, uint64_t generation, const uint8_t key[TICKET_KEY],
		const uint8_t ticket_id[16], struct err *e)
{
	if (ledger_manifest_write(&r->stamp, generation, key, ticket_id, stamp_text,
				  sizeof(stamp_text) - 1, e))
		return err_wrap(e, "stamp of %s", store_path(&r->store));
	return 0;
}

int region_check(const struct region *r, uint64_t generation, const uint8_t key[TICKET_KEY],
		 struct err *e)
{
	_cleanup_buf_ struct buf text = { 0 };
	uint64_t stamped;

	if (ledger_manifest_read(&r->stamp, key, &text, &stamped, NULL, e))
		return err_wrap(e, "stamp of %s", store_path(&r->store));
	if (stamped != generation)
		return err_set(e, ERR_STALE,
			       "stamp of %s: is of jump %" PRIu64 ", not of jump %" PRIu64,
			       store_path(&r->store), stamped, generation);
	return 0;
}
