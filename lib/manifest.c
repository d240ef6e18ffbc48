/* SPDX-License-Identifier: GPL-2.0-only */
/* Writing a manifest; manifest_decode.c is its mirror image. */
#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "json.h"

void manifest_free(struct manifest *m)
{
	unsigned int i, k;

	for (i = 0; i < m->nvms; i++) {
		struct manifest_vm *v = &m->vms[i];

		vm_free(&v->vm);
		for (k = 0; k < v->ndisks; k++)
			free(v->disks[k].path);
		free(v->disks);
		for (k = 0; k < v->ndevices; k++)
			free(v->devices[k]);
		free(v->devices);
		free(v->scope);
	}
	free(m->vms);
	memset(m, 0, sizeof(*m));
}

/**
 * struct writer - one object under construction
 * @doc: owner of everything
 * @obj: the object
 * @vm: name of the VM it belongs to, for errors
 * @e: for errors
 * @failed: set by the first failure; later calls do nothing
 */
struct writer {
	yyjson_mut_doc *doc;
	yyjson_mut_val *obj;
	const char *vm;
	struct err *e;
	bool failed;
};

/* Strings are not copied: the manifest outlives the document. */
static yyjson_mut_val *text_value(struct writer *w, const char *key, const char *s)
{
	_cleanup_free_ char *quoted = s ? json_quote(s) : NULL;

	if (quoted)
		return yyjson_mut_str(w->doc, s);
	if (!w->failed)
		err_set(w->e, ERR_REFUSED, "manifest: VM %s: %s %s", w->vm, key,
			s ? "is not UTF-8; rename the file or change the argument" : "is not set");
	w->failed = true;
	return NULL;
}

static void put(struct writer *w, const char *key, yyjson_mut_val *v)
{
	if (w->failed)
		return;
	if (v && yyjson_mut_obj_add(w->obj, yyjson_mut_str(w->doc, key), v))
		return;
	err_sys(w->e, ENOMEM, "manifest: VM %s: %s", w->vm, key);
	w->failed = true;
}

static void put_str(struct writer *w, const char *key, const char *s)
{
	put(w, key, text_value(w, key, s));
}

static void put_u64(struct writer *w, const char *key, uint64_t n)
{
	put(w, key, yyjson_mut_uint(w->doc, n));
}

static void put_int(struct writer *w, const char *key, int64_t n)
{
	put(w, key, yyjson_mut_sint(w->doc, n));
}

static void put_bool(struct writer *w, const char *key, bool b)
{
	put(w, key, yyjson_mut_bool(w->doc, b));
}

static void put_hex(struct writer *w, const char *key, const uint8_t *data, size_t len)
{
	char hex[2 * LEDGER_MAC + 1];

	io_hex(data, len, hex);
	put(w, key, yyjson_mut_strcpy(w->doc, hex));
}

static void put_hash(struct writer *w, const char *key, uint64_t n)
{
	uint8_t bytes[8];
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(n >> (56 - 8 * i));
	put_hex(w, key, bytes, sizeof(bytes));
}

static void put_uuid(struct writer *w, const char *key, const uint8_t id[16])
{
	char text[37];

	io_uuid_format(id, text);
	put(w, key, yyjson_mut_strcpy(w->doc, text));
}

/* Begin an object inside of @w; it goes in with put() or append(). */
static struct writer inner(struct writer *w)
{
	struct writer in = *w;

	in.obj = yyjson_mut_obj(w->doc);
	return in;
}

static void put_inner(struct writer *w, const char *key, const struct writer *in)
{
	w->failed |= in->failed;
	put(w, key, in->obj);
}

static void append(struct writer *w, yyjson_mut_val *arr, yyjson_mut_val *v)
{
	if (w->failed || yyjson_mut_arr_append(arr, v))
		return;
	err_sys(w->e, ENOMEM, "manifest: VM %s", w->vm);
	w->failed = true;
}

static void put_blob(struct writer *w, const struct blob_ref *b)
{
	struct writer in = inner(w);

	put_u64(&in, "offset", b->offset);
	put_u64(&in, "length", b->length);
	put_hash(&in, "xxh3", b->xxh3);
	put_hex(&in, "mac", b->mac, sizeof(b->mac));
	put_inner(w, "blob", &in);
}

static void put_canary(struct writer *w, const struct canary *c)
{
	struct writer in = inner(w);

	put_str(&in, "mode", canary_mode_name(c->mode));
	put_hash(&in, "seed", c->seed);
	put_u64(&in, "pages", c->pages);
	put_hash(&in, "sample", c->sample);
	if (c->mode == CANARY_FULL)
		put_hash(&in, "whole", c->whole);
	put_inner(w, "canary", &in);
}

static void put_disks(struct writer *w, const struct manifest_vm *v)
{
	yyjson_mut_val *arr = yyjson_mut_arr(w->doc);
	unsigned int i;

	for (i = 0; i < v->ndisks; i++) {
		const struct disk *d = &v->disks[i];
		struct writer in = inner(w);

		put_str(&in, "path", d->path);
		put_bool(&in, "writable", d->writable);
		put_bool(&in, "block", d->is_block);
		put_str(&in, "fs_uuid", d->fs_uuid);
		if (*d->id)
			put_str(&in, "id", d->id);
		put_u64(&in, "inode", d->inode);
		put_u64(&in, "size", d->size);
		put_u64(&in, "mtime_ns", d->mtime_ns);
		w->failed |= in.failed;
		append(w, arr, in.obj);
	}
	put(w, "disks", arr);
}

static void put_devices(struct writer *w, const struct manifest_vm *v)
{
	yyjson_mut_val *arr = yyjson_mut_arr(w->doc);

	for (unsigned int i = 0; i < v->ndevices; i++)
		append(w, arr, text_value(w, "devices", v->devices[i]));
	put(w, "devices", arr);
}

static void put_limits(struct writer *w, const struct vm *vm)
{
	struct writer in = inner(w);

	for (unsigned int i = 0; i < VM_LIMITS; i++)
		if (vm->limits[i])
			put_u64(&in, vm_limit_key((enum vm_limit)i), vm->limits[i]);
	put_inner(w, "limits", &in);
}

static void put_snapshot(struct writer *w, const struct snapshot *s)
{
	struct writer in = inner(w);

	put_str(&in, "image", s->image);
	put_str(&in, "name", s->name);
	put_str(&in, "id", s->id);
	put_u64(&in, "state_size", s->state_size);
	put_u64(&in, "date_sec", s->date_sec);
	put_u64(&in, "date_nsec", s->date_nsec);
	put_u64(&in, "clock_sec", s->clock_sec);
	put_u64(&in, "clock_nsec", s->clock_nsec);
	put_bool(&in, "incoming", s->incoming);
	put_inner(w, "snapshot", &in);
}

static void put_state(struct writer *w, const struct manifest_vm *v)
{
	put_blob(w, &v->blob);
	if (v->snapshot.state_size)
		put_snapshot(w, &v->snapshot);
	if (v->paused_tsc)
		put_u64(w, "paused_tsc", v->paused_tsc);
}

static void put_extent(struct writer *w, const struct extent *x)
{
	struct writer in = inner(w);

	put_u64(&in, "offset", x->offset);
	put_u64(&in, "size", x->size);
	if (x->region)
		put_u64(&in, "region", x->region);
	if (x->in_file)
		put_bool(&in, "file", true);
	put_inner(w, "extent", &in);
}

/* Where part @i of the RAM is, and what QEMU is told about it. */
static void put_part(struct writer *w, const struct manifest_vm *v, unsigned int i)
{
	struct vm_part p = vm_part(&v->vm, i);

	put_str(w, "memdev", p.memdev);
	if (p.align)
		put_u64(w, "align", p.align);
	if (p.no_pmem)
		put_bool(w, "no_pmem", true);
	put_extent(w, manifest_extent(v, i));
	if (manifest_canary(v, i)->mode != CANARY_NONE)
		put_canary(w, manifest_canary(v, i));
}

/* A reader that knows of one part alone must not take that for all of the RAM:
 * of several, none is where it looks. */
static void put_ram(struct writer *w, const struct manifest_vm *v)
{
	yyjson_mut_val *arr;

	if (!v->vm.nmore) {
		put_part(w, v, 0);
		return;
	}
	arr = yyjson_mut_arr(w->doc);
	for (unsigned int i = 0; i < vm_parts(&v->vm); i++) {
		struct writer in = inner(w);

		put_u64(&in, "memory", vm_part(&v->vm, i).size);
		put_part(&in, v, i);
		w->failed |= in.failed;
		append(w, arr, in.obj);
	}
	put(w, "ram", arr);
}

static void put_vm(struct writer *w, const struct manifest_vm *v)
{
	yyjson_mut_val *args = yyjson_mut_arr(w->doc);
	const struct vm *vm = &v->vm;
	unsigned int i;
	bool early;

	put_str(w, "name", vm->name);
	put_u64(w, "index", v->index);
	put_str(w, "qemu", vm->qemu);
	put_str(w, "machine", vm->machine);
	put_u64(w, "memory", vm->memory);
	put_ram(w, v);
	for (i = 0; i < vm->nargs; i++)
		append(w, args, text_value(w, "args", vm->args[i]));
	put(w, "args", args);
	/* An agent that knows of no earlier one takes the next. */
	early = vm->placement == VM_PLACE_INITRAMFS;
	put_str(w, "placement", vm_placement_name(early ? VM_PLACE_SYSROOT : vm->placement));
	if (early)
		put_bool(w, "initramfs", true);
	/* Unknown to older versions, which are the better off without. */
	if (vm->transport != VM_STATE_LEDGER)
		put_str(w, "transport", vm_transport_name(vm->transport));
	put_str(w, "on_failure", vm_on_failure_name(vm->on_failure));
	if (vm->failure_unit)
		put_str(w, "failure_unit", vm->failure_unit);
	if (vm->attempts)
		put_u64(w, "attempts", vm->attempts);
	put_str(w, "on_kexec", vm_on_kexec_name(vm->on_kexec));
	put_limits(w, vm);
	put_int(w, "priority", vm->priority);
	put_int(w, "timeout_ms", vm->timeout_ms);
	put_state(w, v);
	put_bool(w, "was_running", v->was_running);
	put_bool(w, "cpr_reboot", v->cpr_reboot);
	put_disks(w, v);
	if (v->devices)
		put_devices(w, v);
	if (v->scope)
		put_str(w, "scope", v->scope);
}

static void put_regions(struct writer *w, const struct manifest *m)
{
	static const uint8_t none[16];
	yyjson_mut_val *arr = yyjson_mut_arr(w->doc);

	for (unsigned int i = 0; i < m->nregions; i++) {
		const struct manifest_region *r = &m->regions[i];
		struct writer in = inner(w);

		put_u64(&in, "number", r->number);
		put_u64(&in, "start", r->start);
		put_u64(&in, "size", r->size);
		put_uuid(&in, "namespace_uuid", r->namespace_uuid);
		if (memcmp(r->fs_uuid, none, sizeof(none)))
			put_uuid(&in, "fs_uuid", r->fs_uuid);
		w->failed |= in.failed;
		append(w, arr, in.obj);
	}
	put(w, "regions", arr);
}

static void put_clock(struct writer *w, const struct manifest *m)
{
	struct writer in = inner(w);

	put_u64(&in, "tsc", m->clock.tsc);
	put_u64(&in, "realtime_ns", m->clock.realtime_ns);
	put_bool(&in, "trusted", m->clock.trusted);
	put_bool(&in, "set", m->set_clock);
	put_inner(w, "clock", &in);
}

int manifest_encode(const struct manifest *m, struct buf *out, struct err *e)
{
	_cleanup_json_mut_ yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	struct writer w = { .doc = doc, .vm = "-", .e = e };
	yyjson_mut_val *vms;
	unsigned int i;
	size_t len;
	char *text;

	if (!doc)
		return err_sys(e, ENOMEM, "manifest");
	w.obj = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, w.obj);
	put_u64(&w, "generation", m->generation);
	put_uuid(&w, "ledger_uuid", m->ledger_uuid);
	put_uuid(&w, "boot_id", m->boot_id);
	put_str(&w, "kernel", m->kernel);
	put_u64(&w, "tsc_hz", m->tsc_hz);
	if (m->nregions)
		put_regions(&w, m);
	if (m->clock.realtime_ns)
		put_clock(&w, m);
	vms = yyjson_mut_arr(doc);
	for (i = 0; i < m->nvms; i++) {
		struct writer in = inner(&w);

		in.vm = m->vms[i].vm.name;
		put_vm(&in, &m->vms[i]);
		w.failed |= in.failed;
		append(&w, vms, in.obj);
	}
	put(&w, "vms", vms);
	if (w.failed)
		return -1;
	text = yyjson_mut_write(doc, 0, &len);
	if (!text)
		return err_sys(e, ENOMEM, "manifest");
	out->data = text;
	out->len = len;
	return 0;
}
