/* SPDX-License-Identifier: GPL-2.0-only */
#include "report.h"

#include <errno.h>
#include <string.h>

#include "json.h"
#include "log.h"
#include "qemu.h"

void report_log(const struct restore_outcome *o)
{
	const char *why = *o->err.msg ? o->err.msg : restore_result_name(o->result);

	switch (o->result) {
	case RESTORE_NOT_TRIED:
		log_debug("vm %s: nothing to do", o->name);
		return;
	case RESTORE_RUNNING:
		log_notice("vm %s: resumed", o->name);
		return;
	case RESTORE_LATER:
		log_notice("vm %s: left to a later placement: %s", o->name, why);
		return;
	case RESTORE_KEPT:
		log_warn("vm %s: not resumed, state kept: %s", o->name, why);
		return;
	case RESTORE_FAILED:
		log_err("vm %s: resume failed, state kept: %s", o->name, why);
		return;
	case RESTORE_COLD_BOOTED:
		log_err("vm %s: not resumed, started afresh (on-failure): %s", o->name, why);
		return;
	case RESTORE_GIVEN_UP:
		log_warn("vm %s: not resumed, state given up (on-failure): %s", o->name, why);
		return;
	case RESTORE_UNDECIDED:
		return;
	}
}

static void append(char out[REPORT_MARKER_SIZE], const char *text)
{
	size_t n = strlen(out), len = strlen(text);

	if (n + len < REPORT_MARKER_SIZE)
		memcpy(out + n, text, len + 1);
}

/* printf() is not among what a signal handler may call. */
static void append_number(char out[REPORT_MARKER_SIZE], const char *key, uint64_t value)
{
	char digits[24], *p = &digits[sizeof(digits) - 1];

	*p = '\0';
	do
		*--p = (char)('0' + value % 10);
	while (value /= 10);
	append(out, key);
	append(out, p);
}

size_t report_marker(char out[REPORT_MARKER_SIZE], const struct restore_report *report, int64_t ms,
		     const char *note)
{
	unsigned int running = 0, failed = 0, kept = 0;

	for (unsigned int i = 0; i < report->vms; i++) {
		enum restore_result r = report->vm[i].result;

		running += r == RESTORE_RUNNING;
		failed += r == RESTORE_FAILED || r == RESTORE_UNDECIDED;
		kept += r == RESTORE_KEPT || r == RESTORE_LATER;
	}
	*out = '\0';
	if (report->known)
		append_number(out, "DONE vms=", report->vms);
	else
		append(out, "DONE vms=unknown");
	append_number(out, " running=", running);
	append_number(out, " failed=", failed);
	if (report->known)
		append_number(out, " kept=", kept);
	else
		append(out, " kept=unknown");
	append_number(out, " ms=", ms > 0 ? (uint64_t)ms : 0);
	if (note) {
		append(out, " (");
		append(out, note);
		append(out, ")");
	}
	return strlen(out);
}

static bool add_vm(yyjson_mut_doc *doc, yyjson_mut_val *vms, const struct restore_outcome *o)
{
	yyjson_mut_val *vm = yyjson_mut_arr_add_obj(doc, vms);
	char reason[sizeof(o->err.msg)];

	return vm && yyjson_mut_obj_add_strcpy(doc, vm, "name", o->name) &&
		yyjson_mut_obj_add_str(doc, vm, "result", restore_result_name(o->result)) &&
		yyjson_mut_obj_add_str(doc, vm, "kind", err_kind_name(o->err.kind)) &&
		yyjson_mut_obj_add_strcpy(doc, vm, "reason",
					  json_clean(o->err.msg, reason, sizeof(reason)));
}

int report_write(const struct restore_report *report, const struct restore *r, struct err *e)
{
	_cleanup_json_mut_ yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
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
		ok = ok && add_vm(doc, vms, &report->vm[i]);
	text = vms && ok ? yyjson_mut_write(doc, YYJSON_WRITE_PRETTY, &len) : NULL;
	if (!text)
		return err_sys(e, ENOMEM, HOLDOVER_RUN_DIR "/resume.json");
	return io_write_file(HOLDOVER_RUN_DIR "/resume.json", text, len, 0600, e);
}
