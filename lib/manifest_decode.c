/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading a manifest. Its MAC was checked, so who wrote it held the ticket; what
 * is checked here is that it makes sense to this build. */
#include "manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "json.h"
#include "manifest_impl.h"

int manifest_dup_str(yyjson_val *obj, const char *key, char **out, struct err *e)
{
	const char *s;

	if (json_str(obj, key, &s, e) < 0)
		return -1;
	*out = strdup(s);
	return *out ? 0 : err_sys(e, ENOMEM, "%s", key);
}

static int decode_args(yyjson_val *obj, struct vm *vm, struct err *e)
{
	size_t i, n;
	yyjson_val *arr, *v;

	if (json_arr(obj, "args", &arr, e) < 0)
		return -1;
	n = yyjson_arr_size(arr);
	if (n > VM_ARGS_MAX)
		return err_set(e, ERR_FORMAT, "JSON: \"args\" has %zu entries, more than %d", n,
			       VM_ARGS_MAX);
	vm->args = calloc(n + 1, sizeof(*vm->args));
	if (!vm->args)
		return err_sys(e, ENOMEM, "args");
	yyjson_arr_foreach(arr, i, n, v) {
		if (!yyjson_is_str(v) || strlen(yyjson_get_str(v)) != yyjson_get_len(v))
			return err_set(e, ERR_FORMAT, "JSON: \"args\"[%zu] is not plain text", i);
		vm->args[i] = strdup(yyjson_get_str(v));
		if (!vm->args[i])
			return err_sys(e, ENOMEM, "args");
		vm->nargs++;
	}
	return 0;
}

/* Members that a stage may not have known. */
static int decode_newer(yyjson_val *obj, struct vm *vm, struct err *e)
{
	const char *on_kexec;
	uint64_t attempts;
	yyjson_val *limits;

	if (yyjson_obj_get(obj, "attempts")) {
		if (json_u64(obj, "attempts", VM_ATTEMPTS_MAX, &attempts, e) < 0)
			return -1;
		vm->attempts = (unsigned int)attempts;
	}
	if (yyjson_obj_get(obj, "failure_unit") &&
	    manifest_dup_str(obj, "failure_unit", &vm->failure_unit, e) < 0)
		return -1;
	if (yyjson_obj_get(obj, "on_kexec") &&
	    (json_str(obj, "on_kexec", &on_kexec, e) < 0 ||
	     vm_on_kexec_parse(on_kexec, &vm->on_kexec, e) < 0))
		return -1;
	if (!yyjson_obj_get(obj, "limits"))
		return 0;
	if (json_obj(obj, "limits", &limits, e) < 0)
		return -1;
	for (unsigned int i = 0; i < VM_LIMITS; i++)
		if (yyjson_obj_get(limits, vm_limit_key((enum vm_limit)i)) &&
		    json_u64(limits, vm_limit_key((enum vm_limit)i), UINT64_MAX, &vm->limits[i], e) <
			    0)
			return -1;
	return 0;
}

static int decode_policy(yyjson_val *obj, struct vm *vm, struct err *e)
{
	const char *placement, *on_failure, *transport;
	int64_t priority, timeout;
	bool early = false;

	if (json_str(obj, "placement", &placement, e) < 0 ||
	    vm_placement_parse(placement, &vm->placement, e) < 0 ||
	    json_str(obj, "on_failure", &on_failure, e) < 0 ||
	    vm_on_failure_parse(on_failure, &vm->on_failure, e) < 0 ||
	    json_int(obj, "priority", INT_MIN, INT_MAX, &priority, e) < 0 ||
	    json_int(obj, "timeout_ms", 1, INT_MAX, &timeout, e) < 0)
		return -1;
	if (yyjson_obj_get(obj, "initramfs") && json_bool(obj, "initramfs", &early, e) < 0)
		return -1;
	if (early)
		vm->placement = VM_PLACE_INITRAMFS;
	if (yyjson_obj_get(obj, "transport") &&
	    (json_str(obj, "transport", &transport, e) < 0 ||
	     vm_transport_parse(transport, &vm->transport, e) < 0))
		return -1;
	vm->priority = (int)priority;
	vm->timeout_ms = (int)timeout;
	return decode_newer(obj, vm, e);
}

static int decode_vm(yyjson_val *obj, struct vm *vm, struct err *e)
{
	if (manifest_dup_str(obj, "qemu", &vm->qemu, e) < 0 ||
	    manifest_dup_str(obj, "machine", &vm->machine, e) < 0 ||
	    json_u64(obj, "memory", UINT64_MAX, &vm->memory, e) < 0 || decode_args(obj, vm, e) < 0)
		return -1;
	return decode_policy(obj, vm, e);
}

static int decode_disk(yyjson_val *obj, struct disk *d, struct err *e)
{
	uint8_t fsid[8];

	if (manifest_dup_str(obj, "path", &d->path, e) < 0 ||
	    json_bool(obj, "writable", &d->writable, e) < 0 ||
	    json_bool(obj, "block", &d->is_block, e) < 0 ||
	    json_copy_str(obj, "fs_uuid", d->fs_uuid, sizeof(d->fs_uuid), e) < 0 ||
	    json_u64(obj, "inode", UINT64_MAX, &d->inode, e) < 0 ||
	    json_u64(obj, "size", UINT64_MAX, &d->size, e) < 0 ||
	    json_u64(obj, "mtime_ns", UINT64_MAX, &d->mtime_ns, e) < 0)
		return -1;
	if (d->path[0] != '/')
		return err_set(e, ERR_FORMAT, "disk \"%s\" is not an absolute path", d->path);
	if (yyjson_obj_get(obj, "id") && json_copy_str(obj, "id", d->id, sizeof(d->id), e) < 0)
		return -1;
	/* A disk that was not identified yet has an empty one. */
	if (d->fs_uuid[0] && json_hex(obj, "fs_uuid", fsid, sizeof(fsid), e) < 0)
		return -1;
	return 0;
}

static int decode_disks(yyjson_val *vm, struct manifest_vm *v, struct err *e)
{
	yyjson_val *arr, *d;
	size_t i, n;

	if (json_arr(vm, "disks", &arr, e) < 0)
		return -1;
	n = yyjson_arr_size(arr);
	if (n > VM_DISKS_MAX)
		return err_set(e, ERR_FORMAT, "%zu disks are more than %d", n, VM_DISKS_MAX);
	v->disks = calloc(n ? n : 1, sizeof(*v->disks));
	if (!v->disks)
		return err_sys(e, ENOMEM, "disks");
	yyjson_arr_foreach(arr, i, n, d) {
		/* Counted first: what it owns is freed, whatever fails. */
		v->ndisks++;
		if (decode_disk(d, &v->disks[i], e) < 0)
			return -1;
	}
	return 0;
}

/* Absent where nobody looked: in manifests of older stages. */
static int decode_devices(yyjson_val *vm, struct manifest_vm *v, struct err *e)
{
	yyjson_val *arr, *text;
	size_t i, n;

	if (!yyjson_obj_get(vm, "devices"))
		return 0;
	if (json_arr(vm, "devices", &arr, e) < 0)
		return -1;
	n = yyjson_arr_size(arr);
	if (n > VM_DEVICES_MAX)
		return err_set(e, ERR_FORMAT, "%zu devices are more than %d", n, VM_DEVICES_MAX);
	v->devices = calloc(n ? n : 1, sizeof(*v->devices));
	if (!v->devices)
		return err_sys(e, ENOMEM, "devices");
	yyjson_arr_foreach(arr, i, n, text) {
		const char *s = yyjson_get_str(text);

		if (!s || strlen(s) != yyjson_get_len(text))
			return err_set(e, ERR_FORMAT, "device number %zu is no text", i);
		v->devices[i] = strdup(s);
		if (!v->devices[i])
			return err_sys(e, ENOMEM, "devices");
		v->ndevices++;
	}
	return 0;
}

static int decode_manifest_vm(yyjson_val *obj, const struct ledger_geometry *geo,
			      struct manifest_vm *v, struct err *e)
{
	uint64_t index;

	if (json_u64(obj, "index", VM_MAX - 1, &index, e) < 0 || decode_vm(obj, &v->vm, e) < 0 ||
	    manifest_decode_ram(obj, v, e) < 0 || vm_check(&v->vm, e) < 0 ||
	    manifest_decode_blob(obj, &v->blob, geo, e) < 0 ||
	    manifest_decode_snapshot(obj, v, geo, &v->snapshot, e) < 0 ||
	    json_bool(obj, "was_running", &v->was_running, e) < 0 ||
	    json_bool(obj, "cpr_reboot", &v->cpr_reboot, e) < 0 || decode_disks(obj, v, e) < 0 ||
	    decode_devices(obj, v, e) < 0)
		return -1;
	v->index = (unsigned int)index;
	if (yyjson_obj_get(obj, "paused_tsc") &&
	    json_u64(obj, "paused_tsc", UINT64_MAX, &v->paused_tsc, e) < 0)
		return -1;
	if (yyjson_obj_get(obj, "scope") && manifest_dup_str(obj, "scope", &v->scope, e) < 0)
		return -1;
	return 0;
}

static int decode_vms(yyjson_val *root, const struct ledger_geometry *geo, struct manifest *m,
		      struct err *e)
{
	yyjson_val *arr, *obj;
	size_t i, n;

	if (json_arr(root, "vms", &arr, e) < 0)
		return -1;
	n = yyjson_arr_size(arr);
	if (n > VM_MAX)
		return err_set(e, ERR_FORMAT, "%zu VMs are more than %d", n, VM_MAX);
	m->vms = calloc(n ? n : 1, sizeof(*m->vms));
	if (!m->vms)
		return err_sys(e, ENOMEM, "VMs");
	yyjson_arr_foreach(arr, i, n, obj) {
		struct manifest_vm *v = &m->vms[i];

		m->nvms++;
		if (json_copy_str(obj, "name", v->vm.name, sizeof(v->vm.name), e) < 0)
			return err_wrap(e, "VM number %zu", i);
		if (decode_manifest_vm(obj, geo, v, e) < 0)
			return err_wrap(e, "VM %s", v->vm.name);
	}
	return 0;
}

static bool blobs_overlap(const struct blob_ref *a, const struct blob_ref *b)
{
	return a->offset < b->offset + b->length && b->offset < a->offset + a->length;
}

/* What the VMs say is right one by one; do they agree with each other? */
static int check_together(const struct manifest *m, const struct ledger_geometry *geo, struct err *e)
{
	struct extent_table t;
	unsigned int i, k;

	memset(&t, 0, sizeof(t));
	for (i = 0; i < m->nvms; i++) {
		const struct manifest_vm *v = &m->vms[i];

		if (t.slot[v->index].name[0])
			return err_set(e, ERR_FORMAT, "VM %s and VM %s both have index %u",
				       t.slot[v->index].name, v->vm.name, v->index);
		t.slot[v->index] = v->extent;
		if (geo && manifest_check_regions(m, v, e) < 0)
			return -1;
		for (k = 0; k < i; k++)
			if (blobs_overlap(&v->blob, &m->vms[k].blob))
				return err_set(e, ERR_FORMAT,
					       "the device states of VM %s and VM %s overlap",
					       m->vms[k].vm.name, v->vm.name);
	}
	if (manifest_add_parts(m, &t, e) < 0)
		return -1;
	return geo ? extent_table_check(&t, geo, ERR_FORMAT, e) : 0;
}

static int decode(yyjson_val *root, const struct ledger_geometry *geo, struct manifest *m,
		  struct err *e)
{
	if (json_u64(root, "generation", UINT64_MAX, &m->generation, e) < 0 ||
	    json_uuid(root, "ledger_uuid", m->ledger_uuid, e) < 0)
		return -1;
	if (geo && memcmp(m->ledger_uuid, geo->ledger_uuid, 16))
		return err_set(e, ERR_MISMATCH, "it belongs to another ledger");
	if (json_uuid(root, "boot_id", m->boot_id, e) < 0 ||
	    json_copy_str(root, "kernel", m->kernel, sizeof(m->kernel), e) < 0 ||
	    json_u64(root, "tsc_hz", UINT64_MAX, &m->tsc_hz, e) < 0 ||
	    manifest_decode_regions(root, m, e) < 0 || manifest_decode_clock(root, m, e) < 0 ||
	    decode_vms(root, geo, m, e) < 0)
		return -1;
	return check_together(m, geo, e);
}

int manifest_decode(const struct buf *json, const struct ledger_geometry *geo, struct manifest *out,
		    struct err *e)
{
	_cleanup_manifest_ struct manifest m = { .generation = 0 };
	_cleanup_json_ yyjson_doc *doc = NULL;
	yyjson_read_err why;

	/* The reader does not change its input without YYJSON_READ_INSITU. */
	doc = yyjson_read_opts(json->data, json->len, 0, NULL, &why);
	if (!doc)
		return err_set(e,
			       why.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? ERR_IO : ERR_FORMAT,
			       "manifest: not JSON at byte %zu: %s", why.pos, why.msg);
	if (decode(yyjson_doc_get_root(doc), geo, &m, e) < 0) {
		/* For vm_check() and friends a wrong value is a user's mistake. */
		if (e->kind == ERR_USAGE)
			e->kind = ERR_FORMAT;
		return err_wrap(e, "manifest");
	}
	*out = m;
	memset(&m, 0, sizeof(m));
	return 0;
}
