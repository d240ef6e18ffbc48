/* SPDX-License-Identifier: GPL-2.0-only */
/* resume.json: one file a boot, which each pass writes anew with what the passes
 * before it have found. */
#include <errno.h>
#include <string.h>

#include "json.h"
#include "qemu.h"
#include "report.h"

#define FILE_NAME HOLDOVER_RUN_DIR "/resume.json"
#define FILE_MAX (1u << 20)

/* More passes than this in one boot are an operator's, who saw the others. */
#define TRIED_MAX 8

/* The root of the file, if there is one and it is of jump @generation (0: of
 * any); @doc is the caller's to free. */
static yyjson_val *load(uint64_t generation, yyjson_doc **doc)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct err ignored = { 0 };
	yyjson_val *root;
	uint64_t of;

	if (io_read_file(FILE_NAME, FILE_MAX, &text, &ignored) < 0)
		return NULL;
	*doc = yyjson_read(text.data, text.len, 0);
	root = yyjson_doc_get_root(*doc);
	if (json_u64(root, "generation", UINT64_MAX, &of, &ignored) < 0 ||
	    (generation && of != generation))
		return NULL;
	return root;
}

static yyjson_val *find(yyjson_val *root, const char *name)
{
	yyjson_val *vms = yyjson_obj_get(root, "vms"), *vm;
	size_t i, n;

	yyjson_arr_foreach(vms, i, n, vm) {
		if (yyjson_equals_str(yyjson_obj_get(vm, "name"), name))
			return vm;
	}
	return NULL;
}

static const char *text_of(yyjson_val *obj, const char *key)
{
	const char *s = yyjson_get_str(yyjson_obj_get(obj, key));

	return s ? s : "";
}

/* Why it did not run where this and earlier passes looked at it. */
static bool add_tried(yyjson_mut_doc *doc, yyjson_mut_val *vm, const struct restore_outcome *o,
		      const char *place, yyjson_val *old)
{
	yyjson_mut_val *tried = yyjson_mut_obj_add_arr(doc, vm, "tried"), *entry;
	yyjson_val *before = yyjson_obj_get(old, "tried"), *one;
	char reason[sizeof(o->err.msg)];
	size_t i, n;

	if (!tried)
		return false;
	yyjson_arr_foreach(before, i, n, one) {
		/* A pass that looks again says anew how it fared. */
		if (!strcmp(text_of(one, "placement"), place))
			continue;
		if (i < TRIED_MAX && !yyjson_mut_arr_append(tried, yyjson_val_mut_copy(doc, one)))
			return false;
	}
	if (o->result != RESTORE_FAILED && (o->result != RESTORE_LATER || !o->due))
		return true;
	entry = yyjson_mut_arr_add_obj(doc, tried);
	return entry && yyjson_mut_obj_add_str(doc, entry, "placement", place) &&
		yyjson_mut_obj_add_strcpy(doc, entry, "reason",
					  json_clean(o->err.msg, reason, sizeof(reason)));
}

static bool add_vm(yyjson_mut_doc *doc, yyjson_mut_val *vms, const struct restore_outcome *o,
		   enum restore_who who, yyjson_val *old)
{
	const char *place = vm_placement_name(decide_place(who));
	bool ran = o->before || o->result == RESTORE_NOT_TRIED;
	yyjson_mut_val *vm = yyjson_mut_arr_add_obj(doc, vms);
	char reason[sizeof(o->err.msg)];

	return vm && yyjson_mut_obj_add_strcpy(doc, vm, "name", o->name) &&
		yyjson_mut_obj_add_str(doc, vm, "result", restore_result_name(o->result)) &&
		yyjson_mut_obj_add_str(doc, vm, "kind", err_kind_name(o->err.kind)) &&
		yyjson_mut_obj_add_strcpy(doc, vm, "reason",
					  json_clean(o->err.msg, reason, sizeof(reason))) &&
		yyjson_mut_obj_add_strcpy(doc, vm, "placement",
					  ran ? text_of(old, "placement") :
						  o->result == RESTORE_RUNNING ? place :
										 "") &&
		add_tried(doc, vm, o, place, old);
}

/* Those that this pass was not about. */
static bool add_others(yyjson_mut_doc *doc, yyjson_mut_val *vms,
		       const struct restore_report *report, yyjson_val *root)
{
	yyjson_val *arr = yyjson_obj_get(root, "vms"), *vm;
	size_t i, n;

	yyjson_arr_foreach(arr, i, n, vm) {
		bool here = i >= VM_MAX;

		for (unsigned int k = 0; k < report->vms; k++)
			here |= !strcmp(report->vm[k].name, text_of(vm, "name"));
		if (!here && !yyjson_mut_arr_append(vms, yyjson_val_mut_copy(doc, vm)))
			return false;
	}
	return true;
}

int report_write(const struct restore_report *report, const struct restore *r, struct err *e)
{
	_cleanup_json_mut_ yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	_cleanup_json_ yyjson_doc *old_doc = NULL;
	yyjson_val *old = load(r->ticket.generation, &old_doc);
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_mut_val *vms;
	_cleanup_free_ char *text = NULL;
	size_t len;
	bool ok;

	yyjson_mut_doc_set_root(doc, root);
	ok = root && yyjson_mut_obj_add_uint(doc, root, "version", 1) &&
		yyjson_mut_obj_add_uint(doc, root, "generation", r->ticket.generation) &&
		yyjson_mut_obj_add_uint(doc, root, "cpu_modules_us", r->cpu_modules_us) &&
		yyjson_mut_obj_add_uint(doc, root, "cpu_exec_us", r->cpu_exec_us);
	vms = ok ? yyjson_mut_obj_add_arr(doc, root, "vms") : NULL;
	for (unsigned int i = 0; vms && i < report->vms; i++)
		ok = ok && add_vm(doc, vms, &report->vm[i], r->who, find(old, report->vm[i].name));
	ok = ok && vms && add_others(doc, vms, report, old);
	text = ok ? yyjson_mut_write(doc, YYJSON_WRITE_PRETTY, &len) : NULL;
	if (!text)
		return err_sys(e, ENOMEM, FILE_NAME);
	return io_write_file(FILE_NAME, text, len, 0600, e);
}

void report_way(const char *name, char place[16], char why[REPORT_WHY_SIZE])
{
	_cleanup_json_ yyjson_doc *doc = NULL;
	yyjson_val *vm = find(load(0, &doc), name), *one;
	size_t i, n, at = 0;

	snprintf(place, 16, "%s", text_of(vm, "placement"));
	*why = '\0';
	yyjson_arr_foreach(yyjson_obj_get(vm, "tried"), i, n, one) {
		at += (size_t)snprintf(why + at, REPORT_WHY_SIZE - at, "%s%s: %s", at ? "; " : "",
				       text_of(one, "placement"), text_of(one, "reason"));
		if (at >= REPORT_WHY_SIZE)
			break;
	}
}
