/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading from an internal snapshot. Before it loads one QEMU resets the
 * machine, and a reset writes program images (a kernel entered by PVH or as
 * multiboot ELF) into RAM: over the guest's, which is in place already and not
 * part of the snapshot. A QEMU that waits for a migration leaves them out
 * (hw/core/loader.c, rom_reset()). From 10.0 on it can be given its images while
 * it waits (blockdev-set-active) and load the snapshot; a migration stream that
 * carries nothing then ends the waiting.
 */
#include <string.h>

#include "load_impl.h"

enum plan_verdict load_image_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct load *l = p->ctx;

	if (l->snapshot->incoming && p->version < SNAPSHOT_INCOMING_SINCE)
		return err_set(e, ERR_REFUSED,
			       "this QEMU (%u.%u) cannot load a snapshot without a reset that may write "
			       "to the guest's RAM; install 10.0 or newer",
			       p->version / 10000, p->version / 100 % 100);
	return snapshot_check(ret, l->snapshot, l->node, e) < 0 ? PLAN_FAIL : PLAN_NEXT;
}

enum plan_verdict load_activate_begin(struct plan *p, struct err *e)
{
	const struct load *l = p->ctx;

	if (!l->snapshot->incoming)
		return PLAN_NEXT;
	return plan_send(p, "blockdev-set-active", -1, e,
			 "{\"node-name\": \"%s\", \"active\": true}", l->node);
}

enum plan_verdict load_snapshot_begin(struct plan *p, struct err *e)
{
	const struct load *l = p->ctx;
	const char *name = l->snapshot->name;

	return plan_send(
		p, "snapshot-load", -1, e,
		"{\"job-id\": \"%s\", \"tag\": \"%s\", \"vmstate\": \"%s\", \"devices\": [\"%s\"]}",
		name, name, l->node, l->node);
}

enum plan_verdict load_snapshot_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct load *l = p->ctx;

	(void)ret;
	(void)e;
	l->replied = true;
	return l->ended ? PLAN_NEXT : PLAN_WAIT;
}

enum plan_verdict load_snapshot_event(struct plan *p, const char *name, yyjson_val *data,
				      struct err *e)
{
	struct load *l = p->ctx;

	(void)e;
	l->ended |= snapshot_job_concluded(name, data, l->snapshot->name);
	return l->ended && l->replied ? PLAN_NEXT : PLAN_WAIT;
}

enum plan_verdict load_jobs_begin(struct plan *p, struct err *e)
{
	return plan_send(p, "query-jobs", -1, e, NULL);
}

enum plan_verdict load_jobs_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct load *l = p->ctx;

	l->replied = l->ended = false; /* the empty stream's turn */
	return snapshot_job_result(ret, l->snapshot->name, e) < 0 ? PLAN_FAIL : PLAN_NEXT;
}

enum plan_verdict load_dismiss_begin(struct plan *p, struct err *e)
{
	const struct load *l = p->ctx;

	return plan_send(p, "job-dismiss", -1, e, "{\"id\": \"%s\"}", l->snapshot->name);
}

/* The stream has no word of RAM, so QEMU must not ask it for its capabilities. */
enum plan_verdict load_machine_begin(struct plan *p, struct err *e)
{
	const struct load *l = p->ctx;

	if (!l->snapshot->incoming)
		return PLAN_NEXT;
	if (plan_send(p, "migrate-set-capabilities", -1, e,
		      "{\"capabilities\": [{\"capability\": \"x-ignore-shared\", \"state\": false}]}") ==
	    PLAN_FAIL)
		return PLAN_FAIL;
	return plan_send(p, "qom-get", -1, e, "{\"path\": \"/machine\", \"property\": \"type\"}");
}

enum plan_verdict load_machine_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	static const char suffix[] = "-machine";
	const char *type = yyjson_get_str(ret);
	size_t n = type ? strlen(type) : 0;
	struct load *l = p->ctx;
	char name[129];

	if (!type)
		return PLAN_WAIT; /* the answer about the capabilities */
	if (n < sizeof(suffix) || n > sizeof(name) || strcmp(type + n - sizeof(suffix) + 1, suffix))
		return err_set(e, ERR_PROTOCOL, "QEMU's machine type '%.60s' has no known form",
			       type);
	snprintf(name, sizeof(name), "%.*s", (int)(n - sizeof(suffix) + 1), type);
	l->empty_fd = snapshot_empty_state(name, e);
	return l->empty_fd < 0 ? PLAN_FAIL : PLAN_NEXT;
}
