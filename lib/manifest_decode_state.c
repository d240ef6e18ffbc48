/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of a manifest that say where a VM's state is, and of which moment. */
#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "manifest_impl.h"

static int decode_hash(yyjson_val *obj, const char *key, uint64_t *out, struct err *e)
{
	uint8_t bytes[8];
	unsigned int i;

	if (json_hex(obj, key, bytes, sizeof(bytes), e) < 0)
		return -1;
	*out = 0;
	for (i = 0; i < sizeof(bytes); i++)
		*out = *out << 8 | bytes[i];
	return 0;
}

int manifest_decode_blob(yyjson_val *vm, struct blob_ref *b, const struct ledger_geometry *geo,
			 struct err *e)
{
	yyjson_val *obj;

	if (json_obj(vm, "blob", &obj, e) < 0 ||
	    json_u64(obj, "offset", UINT64_MAX, &b->offset, e) < 0 ||
	    json_u64(obj, "length", UINT64_MAX, &b->length, e) < 0 ||
	    decode_hash(obj, "xxh3", &b->xxh3, e) < 0 ||
	    json_hex(obj, "mac", b->mac, sizeof(b->mac), e) < 0)
		return -1;
	if (!geo) /* a running VM's own description has no state yet */
		return 0;
	if (!b->length || b->offset > geo->blob_size || b->length > geo->blob_size - b->offset)
		return err_set(e, ERR_FORMAT,
			       "its device state, %" PRIu64 " bytes at %" PRIu64
			       ", lies outside of the ledger's %" PRIu64 " bytes for it",
			       b->length, b->offset, geo->blob_size);
	return 0;
}

int manifest_decode_snapshot(yyjson_val *vm, const struct manifest_vm *v,
			     const struct ledger_geometry *geo, struct snapshot *s, struct err *e)
{
	yyjson_val *obj;

	/* A running VM's own description has none yet. */
	if (v->vm.transport != VM_STATE_SNAPSHOT || (!geo && !yyjson_obj_get(vm, "snapshot")))
		return 0;
	if (json_obj(vm, "snapshot", &obj, e) < 0 ||
	    json_copy_str(obj, "image", s->image, sizeof(s->image), e) < 0 ||
	    json_copy_str(obj, "name", s->name, sizeof(s->name), e) < 0 ||
	    json_copy_str(obj, "id", s->id, sizeof(s->id), e) < 0 ||
	    json_u64(obj, "state_size", UINT64_MAX, &s->state_size, e) < 0 ||
	    json_u64(obj, "date_sec", UINT64_MAX, &s->date_sec, e) < 0 ||
	    json_u64(obj, "date_nsec", UINT64_MAX, &s->date_nsec, e) < 0 ||
	    json_u64(obj, "clock_sec", UINT64_MAX, &s->clock_sec, e) < 0 ||
	    json_u64(obj, "clock_nsec", UINT64_MAX, &s->clock_nsec, e) < 0 ||
	    json_bool(obj, "incoming", &s->incoming, e) < 0)
		return -1;
	/* It is sent to QEMU as it is. */
	if (!s->state_size || s->image[0] != '/' || !s->name[0] || strpbrk(s->name, "\"\\"))
		return err_set(e, ERR_FORMAT, "snapshot \"%s\" of \"%s\" makes no sense", s->name,
			       s->image);
	return 0;
}

/* Absent: an older stage, or none wanted. */
int manifest_decode_canary(yyjson_val *vm, const struct extent *extent, struct canary *c,
			   struct err *e)
{
	uint64_t most = extent->size / 4096;
	const char *mode;
	yyjson_val *obj;

	if (!yyjson_obj_get(vm, "canary"))
		return 0;
	if (json_obj(vm, "canary", &obj, e) < 0 || json_str(obj, "mode", &mode, e) < 0 ||
	    canary_mode_parse(mode, &c->mode, e) < 0)
		return -1;
	if (c->mode == CANARY_NONE)
		return 0;
	if (most > CANARY_PAGES_MAX)
		most = CANARY_PAGES_MAX;
	if (decode_hash(obj, "seed", &c->seed, e) < 0 ||
	    json_u64(obj, "pages", most, &c->pages, e) < 0 ||
	    decode_hash(obj, "sample", &c->sample, e) < 0 ||
	    (c->mode == CANARY_FULL && decode_hash(obj, "whole", &c->whole, e) < 0))
		return -1;
	if (!c->pages)
		return err_set(e, ERR_FORMAT, "a canary without pages");
	return 0;
}

/* Absent: an older stage. */
int manifest_decode_clock(yyjson_val *root, struct manifest *m, struct err *e)
{
	yyjson_val *obj;

	if (!yyjson_obj_get(root, "clock"))
		return 0;
	if (json_obj(root, "clock", &obj, e) < 0 ||
	    json_u64(obj, "tsc", UINT64_MAX, &m->clock.tsc, e) < 0 ||
	    json_u64(obj, "realtime_ns", INT64_MAX, &m->clock.realtime_ns, e) < 0 ||
	    json_bool(obj, "trusted", &m->clock.trusted, e) < 0)
		return -1;
	return json_bool(obj, "set", &m->set_clock, e);
}
