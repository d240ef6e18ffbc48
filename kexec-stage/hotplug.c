/* SPDX-License-Identifier: GPL-2.0-only */
#include "hotplug.h"

#include <inttypes.h>
#include <string.h>

#include "fault.h"
#include "plan.h"
#include "runstate.h"
#include "vmctl.h"

/* What our descriptor sets are called: OURS ID ':' PATH. */
#define OURS "holdover-disk:"

int hotplug_id_check(const char *id, struct err *e)
{
	size_t n = strlen(id);
	bool ok = n && n <= HOTPLUG_ID_MAX;

	for (size_t i = 0; i < n && ok; i++)
		ok = (id[i] >= 'a' && id[i] <= 'z') || (id[i] >= 'A' && id[i] <= 'Z') ||
			(i && ((id[i] >= '0' && id[i] <= '9') || strchr("-._", id[i])));
	if (ok)
		return 0;
	return err_set(e, ERR_USAGE,
		       "'%.40s' is no id for a disk: a letter, then letters, digits and -._, at most %d",
		       id, HOTPLUG_ID_MAX);
}

static const char *text_of(yyjson_val *obj, const char *key)
{
	const char *text = yyjson_get_str(yyjson_obj_get(obj, key));

	return text ? text : "";
}

int hotplug_open(const char *name, struct qmp *q, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	struct err none = { 0 };
	bool was_running;
	int alive = runstate_alive(name, &rs, e);

	if (alive < 0)
		return -1;
	if (!alive)
		return err_set(e, ERR_ABSENT, "no such VM runs on this host");
	if (runstate_read_pause(name, &was_running, &none) == 0)
		return err_set(e, ERR_REFUSED,
			       "a jump left it paused; 'holdover abort' sets that right first");
	return vmctl_open(name, q, NULL, e);
}

/* ---- what is there ----------------------------------------------------- */

static bool has_node(yyjson_val *nodes, const struct hotplug_disk *d)
{
	yyjson_val *node;
	char file[32];
	size_t i, max;

	snprintf(file, sizeof(file), "/dev/fdset/%" PRId64, d->fdset);
	yyjson_arr_foreach(nodes, i, max, node)
		if (!strcmp(text_of(node, "node-name"), d->id) && !strcmp(text_of(node, "file"), file))
			return true;
	return false;
}

/* Is @set one of ours, and in use? */
static bool read_set(yyjson_val *set, yyjson_val *nodes, struct hotplug_disk *d)
{
	const char *opaque = text_of(yyjson_arr_get_first(yyjson_obj_get(set, "fds")), "opaque");
	yyjson_val *id = yyjson_obj_get(set, "fdset-id");
	size_t n;

	if (strncmp(opaque, OURS, strlen(OURS)) || !yyjson_is_uint(id))
		return false;
	opaque += strlen(OURS);
	n = strcspn(opaque, ":");
	if (opaque[n] != ':' || n > HOTPLUG_ID_MAX)
		return false;
	snprintf(d->id, sizeof(d->id), "%.*s", (int)n, opaque);
	snprintf(d->path, sizeof(d->path), "%s", opaque + n + 1);
	err_plain(d->id);
	err_plain(d->path);
	d->fdset = (int64_t)yyjson_get_uint(id);
	return has_node(nodes, d);
}

int hotplug_list(struct qmp *q, struct hotplug_list *out, struct err *e)
{
	struct qmp_msg sets _cleanup_qmp_msg_ = { 0 }, nodes _cleanup_qmp_msg_ = { 0 };

	out->n = 0;
	if (qmp_call(q, "query-fdsets", -1, VMCTL_TIMEOUT_MS, &sets, e, NULL) < 0 ||
	    qmp_call(q, "query-named-block-nodes", -1, VMCTL_TIMEOUT_MS, &nodes, e,
		     "{\"flat\": true}") < 0)
		return -1;
	/* QEMU begins with the latest. */
	for (size_t i = yyjson_arr_size(sets.body); i-- > 0 && out->n < HOTPLUG_MAX;)
		if (read_set(yyjson_arr_get(sets.body, i), nodes.body, &out->disk[out->n]))
			out->n++;
	return 0;
}

/* ---- attach ------------------------------------------------------------ */

static int pass_fd(struct qmp *q, const struct hotplug_image *image, const char *id, int64_t *fdset,
		   struct err *e)
{
	char text[sizeof(OURS) + sizeof(struct hotplug_disk)], clean[sizeof(text)];
	_cleanup_free_ char *quoted = NULL;
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	yyjson_val *set;

	snprintf(text, sizeof(text), OURS "%s:%.*s", id,
		 (int)sizeof(((struct hotplug_disk *)NULL)->path) - 1, image->path);
	quoted = json_quote(json_clean(text, clean, sizeof(clean)));
	if (!quoted)
		return err_set(e, ERR_IO, "out of memory");
	if (qmp_call(q, "add-fd", image->fd, VMCTL_TIMEOUT_MS, &m, e, "{\"opaque\": %s}", quoted) < 0)
		return -1;
	set = yyjson_obj_get(m.body, "fdset-id");
	if (!yyjson_is_uint(set) || yyjson_get_uint(set) > INT64_MAX)
		return err_set(e, ERR_PROTOCOL, "QEMU names no descriptor set");
	*fdset = (int64_t)yyjson_get_uint(set);
	FAULT(disk_fd_passed);
	return 0;
}

/* "backing": null keeps QEMU from opening what the image may name by now. */
static int add_node(struct qmp *q, const struct hotplug_image *image, const char *id,
		    const char *format, bool readonly, int64_t fdset, struct err *e)
{
	if (qmp_call(q, "blockdev-add", -1, VMCTL_TIMEOUT_MS, NULL, e,
		     "{\"driver\": \"%s\", \"node-name\": \"%s\", \"read-only\": %s, %s\"file\": "
		     "{\"driver\": \"%s\", \"filename\": \"/dev/fdset/%" PRId64 "\"}}",
		     format, id, readonly ? "true" : "false",
		     strcmp(format, "qcow2") ? "" : "\"backing\": null, ",
		     image->block ? "host_device" : "file", fdset) < 0)
		return -1;
	FAULT(disk_node_added);
	return 0;
}

static int drop_node(struct qmp *q, const char *id, struct err *e)
{
	return qmp_call(q, "blockdev-del", -1, VMCTL_TIMEOUT_MS, NULL, e, "{\"node-name\": \"%s\"}",
			id);
}

static int drop_fd(struct qmp *q, int64_t fdset, struct err *e)
{
	return qmp_call(q, "remove-fd", -1, VMCTL_TIMEOUT_MS, NULL, e,
			"{\"fdset-id\": %" PRId64 "}", fdset);
}

/* Adds to @e if that is not possible. */
static int undo(struct qmp *q, const char *id, bool node, int64_t fdset, struct err *e)
{
	struct err why = { 0 };
	size_t at;

	if (node && drop_node(q, id, &why) < 0)
		err_wrap(&why, "the block node stays");
	else if (drop_fd(q, fdset, &why) < 0)
		err_wrap(&why, "the descriptor stays");
	at = strlen(e->msg);
	if (why.kind != ERR_NONE)
		snprintf(e->msg + at, sizeof(e->msg) - at, "; %s", why.msg);
	return -1;
}

int hotplug_attach(struct qmp *q, const struct hotplug_image *image, const char *id,
		   const char *format, bool readonly, const struct device_args *args, struct err *e)
{
	int64_t fdset;

	if (pass_fd(q, image, id, &fdset, e) < 0)
		return -1;
	if (add_node(q, image, id, format, readonly, fdset, e) < 0)
		return undo(q, id, false, fdset, e);
	if (qmp_call(q, "device_add", -1, VMCTL_TIMEOUT_MS, NULL, e, "{%s}", args->text) < 0)
		return undo(q, id, true, fdset, e);
	FAULT(disk_device_added);
	return 0;
}

/* ---- detach ------------------------------------------------------------ */

static int has_device(struct qmp *q, const char *id, bool *out, struct err *e)
{
	*out = qmp_call(q, "qom-list", -1, VMCTL_TIMEOUT_MS, NULL, e,
			"{\"path\": \"/machine/peripheral/%s\"}", id) == 0;
	if (!*out && e->kind != ERR_REFUSED)
		return -1;
	err_clear(e);
	return 0;
}

static enum plan_verdict ask_to_go(struct plan *p, struct err *e)
{
	const struct hotplug_disk *d = p->ctx;

	return plan_send(p, "device_del", -1, e, "{\"id\": \"%s\"}", d->id);
}

/* The answer says only that the guest was asked. */
static enum plan_verdict asked(struct plan *p, yyjson_val *ret, struct err *e)
{
	(void)p;
	(void)ret;
	(void)e;
	return PLAN_WAIT;
}

static enum plan_verdict gone(struct plan *p, const char *name, yyjson_val *data, struct err *e)
{
	const struct hotplug_disk *d = p->ctx;

	if (strcmp(text_of(data, "device"), d->id))
		return PLAN_WAIT;
	if (!strcmp(name, "DEVICE_DELETED"))
		return PLAN_NEXT;
	if (strcmp(name, "DEVICE_UNPLUG_GUEST_ERROR"))
		return PLAN_WAIT;
	return err_set(e, ERR_REFUSED, "the guest will not let go of it");
}

/* It was asked before: it may still come. */
static enum plan_verdict already(struct plan *p, const char *desc, struct err *e)
{
	(void)p;
	if (strstr(desc, "already in the process of unplug"))
		return PLAN_WAIT;
	return err_set(e, ERR_REFUSED, "QEMU refused: %s", desc);
}

static int unplug(struct qmp *q, const struct hotplug_disk *disk, int timeout_ms, struct err *e)
{
	static const struct plan_step steps[] = {
		{ "device_del", ask_to_go, asked, gone, already },
	};
	struct plan p = {
		.qmp = q,
		.pidfd = -1,
		.timeout_ms = timeout_ms,
		.steps = steps,
		.nsteps = ARRAY_LEN(steps),
		.ctx = (void *)disk,
	};
	struct plan *const plans[] = { &p };

	if (plan_run(plans, 1) == 0)
		return 0;
	*e = p.err;
	if (e->kind == ERR_TIMEOUT) {
		err_clear(e);
		return err_set(e, ERR_TIMEOUT,
			       "its guest has not let go of it within %d s; the disk stays, let it be "
			       "unmounted there and detach it again",
			       timeout_ms / 1000);
	}
	return -1;
}

int hotplug_unplug(struct qmp *q, const struct hotplug_disk *disk, int timeout_ms, struct err *e)
{
	bool there;

	if (has_device(q, disk->id, &there, e) < 0)
		return -1;
	if (there && unplug(q, disk, timeout_ms, e) < 0)
		return -1;
	FAULT(disk_device_gone);
	return 0;
}

int hotplug_drop(struct qmp *q, const struct hotplug_disk *disk, struct err *e)
{
	if (drop_node(q, disk->id, e) < 0)
		return -1;
	FAULT(disk_node_gone);
	return drop_fd(q, disk->fdset, e);
}
