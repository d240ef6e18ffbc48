/* SPDX-License-Identifier: GPL-2.0-only */
#include "load_impl.h"

#include <fcntl.h>
#include <string.h>

static int call_hook(int (*hook)(struct load *l, struct err *e), struct load *l, struct err *e)
{
	return hook ? hook(l, e) : 0;
}

static enum plan_verdict ask_status(struct plan *p, struct err *e)
{
	return plan_send(p, "query-status", -1, e, NULL);
}

static enum plan_verdict begin(struct plan *p, struct err *e)
{
	return call_hook(((struct load *)p->ctx)->connected, p->ctx, e) < 0 ? PLAN_FAIL :
									      ask_status(p, e);
}

static enum plan_verdict on_status(struct plan *p, yyjson_val *ret, struct err *e)
{
	const struct load *l = p->ctx;

	if (migrate_is(ret, "status", load_incoming(l->snapshot) ? "inmigrate" : "prelaunch"))
		return PLAN_NEXT;
	return err_set(e, ERR_PROTOCOL, "QEMU says '%.40s' instead of waiting for a state",
		       migrate_text(ret, "status"));
}

static enum plan_verdict set_caps(struct plan *p, struct err *e)
{
	return migrate_caps_send(p, true, e);
}

static enum plan_verdict set_mode(struct plan *p, struct err *e)
{
	const struct load *l = p->ctx;

	if (!l->cpr_reboot)
		return PLAN_NEXT;
	return plan_send(p, "migrate-set-parameters", -1, e, "{\"mode\": \"cpr-reboot\"}");
}

static enum plan_verdict send_fd(struct plan *p, struct err *e)
{
	struct load *l = p->ctx;

	if (l->snapshot && !l->snapshot->incoming)
		return PLAN_NEXT;
	l->read_fd = migrate_reopen(l->snapshot ? l->empty_fd : l->state_fd, O_RDONLY, e);
	return l->read_fd < 0 ? PLAN_FAIL : migrate_fd_send(p, l->read_fd, e);
}

static enum plan_verdict on_fd(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct load *l = p->ctx;

	scope_close(&l->read_fd);
	l->read_fd = -1;
	return migrate_fd_sent(p, &l->from, ret, e);
}

static enum plan_verdict send_incoming(struct plan *p, struct err *e)
{
	const struct load *l = p->ctx;

	if (l->snapshot && !l->snapshot->incoming)
		return PLAN_NEXT;
	return plan_send(p, "migrate-incoming", -1, e, "{\"uri\": \"%s\"}", l->from.text);
}

static enum plan_verdict on_incoming(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct load *l = p->ctx;

	(void)ret;
	(void)e;
	l->replied = true;
	return l->ended ? PLAN_NEXT : PLAN_WAIT;
}

static enum plan_verdict on_incoming_event(struct plan *p, const char *name, yyjson_val *data,
					   struct err *e)
{
	struct load *l = p->ctx;

	(void)e;
	l->ended |= migrate_ended(name, data);
	return l->ended && l->replied ? PLAN_NEXT : PLAN_WAIT;
}

static enum plan_verdict ask_result(struct plan *p, struct err *e)
{
	const struct load *l = p->ctx;

	if (l->snapshot && !l->snapshot->incoming)
		return PLAN_NEXT;
	return plan_send(p, "query-migrate", -1, e, NULL);
}

static enum plan_verdict on_result(struct plan *p, yyjson_val *ret, struct err *e)
{
	(void)p;
	return migrate_result(ret, e) < 0 ? PLAN_FAIL : PLAN_NEXT;
}

static enum plan_verdict on_loaded(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct load *l = p->ctx;
	const char *want = load_incoming(l->snapshot) ? "paused" : "prelaunch";

	/* "completed" is said a moment before the run state changes. */
	if (migrate_is(ret, "status", "inmigrate"))
		return ask_status(p, e);
	if (!migrate_is(ret, "status", want))
		return err_set(e, ERR_PROTOCOL, "QEMU says '%.40s' after loading, not %s",
			       migrate_text(ret, "status"), want);
	return call_hook(l->loaded, l, e) < 0 ? PLAN_FAIL : PLAN_NEXT;
}

static enum plan_verdict commit(struct plan *p, struct err *e)
{
	struct load *l = p->ctx;

	if (call_hook(l->commit, l, e) < 0)
		return PLAN_FAIL;
	l->committed = true;
	if (l->run)
		return PLAN_NEXT;
	return call_hook(l->running, l, e) < 0 ? PLAN_FAIL : PLAN_NEXT;
}

static enum plan_verdict send_cont(struct plan *p, struct err *e)
{
	const struct load *l = p->ctx;

	return l->run ? plan_send(p, "cont", -1, e, NULL) : PLAN_NEXT;
}

/* After a refusal: did its vCPUs run? */
static enum plan_verdict on_cont_refused(struct plan *p, const char *desc, struct err *e)
{
	struct load *l = p->ctx;

	if (*l->refusal)
		return err_set(e, ERR_REFUSED, "%s", l->refusal);
	snprintf(l->refusal, sizeof(l->refusal), "QEMU refused: %s", desc);
	return ask_status(p, e);
}

static enum plan_verdict on_cont(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct load *l = p->ctx;

	(void)p;
	if (!*l->refusal)
		return PLAN_WAIT; /* RESUME */
	l->never_ran = !l->resumed &&
		(migrate_is(ret, "status", "paused") || migrate_is(ret, "status", "prelaunch"));
	return err_set(e, ERR_REFUSED, "%s", l->refusal);
}

static enum plan_verdict on_resume_event(struct plan *p, const char *name, yyjson_val *data,
					 struct err *e)
{
	struct load *l = p->ctx;

	(void)data;
	if (strcmp(name, "RESUME") != 0)
		return PLAN_WAIT;
	return call_hook(l->running, l, e) < 0 ? PLAN_FAIL : PLAN_NEXT;
}

/* Switches learn where the VM is now; its own devices send the packets. */
static enum plan_verdict announce(struct plan *p, struct err *e)
{
	const struct load *l = p->ctx;

	if (!l->run)
		return PLAN_NEXT;
	return plan_send(p, "announce-self", -1, e,
			 "{\"initial\": 50, \"max\": 550, \"rounds\": 5, \"step\": 100}");
}

static enum plan_verdict reset_caps(struct plan *p, struct err *e)
{
	return migrate_caps_send(p, false, e);
}

static enum plan_verdict reset_params(struct plan *p, struct err *e)
{
	return migrate_params_reset(p, 0, e);
}

static enum plan_verdict drop_fd(struct plan *p, struct err *e)
{
	struct load *l = p->ctx;

	return migrate_fd_drop(p, &l->from, e);
}

static const struct plan_step load_steps[] = {
	{ "handshake", NULL, NULL, NULL, NULL },
	{ "query-status", begin, on_status, NULL, NULL },
	{ "set capabilities", set_caps, NULL, NULL, NULL },
	{ "set mode", set_mode, NULL, NULL, NULL },
	{ "pass descriptor", send_fd, on_fd, NULL, NULL },
	{ "migrate-incoming", send_incoming, on_incoming, on_incoming_event, NULL },
	{ "migration result", ask_result, on_result, NULL, NULL },
	{ "state after load", ask_status, on_loaded, NULL, NULL },
	{ "commit", commit, NULL, NULL, NULL },
	{ "cont", send_cont, on_cont, on_resume_event, on_cont_refused },
	{ "announce-self", announce, NULL, NULL, migrate_ignore },
	{ "reset capabilities", reset_caps, NULL, NULL, migrate_ignore },
	{ "reset parameters", reset_params, NULL, NULL, migrate_ignore },
	{ "drop descriptor", drop_fd, NULL, NULL, migrate_ignore },
};

static const struct plan_step snapshot_steps[] = {
	{ "handshake", NULL, NULL, NULL, NULL },
	{ "query-status", begin, on_status, NULL, NULL },
	{ "set capabilities", set_caps, NULL, NULL, NULL },
	{ "snapshot", snapshot_ask, load_image_reply, NULL, NULL },
	{ "activate the image", load_activate_begin, NULL, NULL, NULL },
	{ "snapshot-load", load_snapshot_begin, load_snapshot_reply, load_snapshot_event, NULL },
	{ "result of snapshot-load", load_jobs_begin, load_jobs_reply, NULL, NULL },
	{ "job-dismiss", load_dismiss_begin, NULL, NULL, migrate_ignore },
	{ "machine type", load_machine_begin, load_machine_reply, NULL, NULL },
	{ "pass descriptor", send_fd, on_fd, NULL, NULL },
	{ "migrate-incoming", send_incoming, on_incoming, on_incoming_event, NULL },
	{ "migration result", ask_result, on_result, NULL, NULL },
	{ "state after load", ask_status, on_loaded, NULL, NULL },
	{ "commit", commit, NULL, NULL, NULL },
	{ "cont", send_cont, on_cont, on_resume_event, on_cont_refused },
	{ "announce-self", announce, NULL, NULL, migrate_ignore },
	{ "old snapshots", snapshot_purge_begin, snapshot_purge_reply, NULL, migrate_ignore },
	{ "reset capabilities", reset_caps, NULL, NULL, migrate_ignore },
	{ "drop descriptor", drop_fd, NULL, NULL, migrate_ignore },
};

/* A VM that somebody else continues has run: the records must say so, else a
 * later attempt would resume it from old state. */
static enum plan_verdict load_seen(struct plan *p, const char *name, yyjson_val *data, struct err *e)
{
	struct load *l = p->ctx;

	(void)data;
	if (strcmp(name, "RESUME") != 0)
		return PLAN_WAIT;
	l->resumed = true;
	if (l->committed)
		return PLAN_WAIT;
	if (call_hook(l->commit, l, e) < 0)
		return PLAN_FAIL;
	l->committed = true;
	if (call_hook(l->running, l, e) < 0)
		return PLAN_FAIL;
	return err_set(e, ERR_REFUSED, "somebody else has continued the VM");
}

void load_plan(struct plan *p, struct load *l, struct qmp *q, int pidfd, int timeout_ms)
{
	memset(p, 0, sizeof(*p));
	p->vm_name = l->vm_name;
	p->qmp = q;
	p->pidfd = pidfd;
	p->timeout_ms = timeout_ms;
	p->steps = l->snapshot ? snapshot_steps : load_steps;
	p->nsteps = l->snapshot ? ARRAY_LEN(snapshot_steps) : ARRAY_LEN(load_steps);
	p->ctx = l;
	p->seen = load_seen;
	l->read_fd = l->empty_fd = -1;
	l->from.fdset = -1;
	l->ready = true;
	l->committed = l->resumed = l->never_ran = false;
	l->replied = l->ended = false;
	l->refusal[0] = '\0';
}

void load_finish(struct load *l)
{
	if (!l->ready)
		return;
	scope_close(&l->read_fd);
	scope_close(&l->empty_fd);
	l->read_fd = l->empty_fd = -1;
}
