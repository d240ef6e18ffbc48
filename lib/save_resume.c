/* SPDX-License-Identifier: GPL-2.0-only */
/* The way back: a VM that was paused to be saved runs on in place. */
#include <string.h>

#include "save.h"

static enum plan_verdict ask_migrate(struct plan *p, struct err *e)
{
	return plan_send(p, "query-migrate", -1, e, NULL);
}

static enum plan_verdict on_migrate(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	(void)e;
	s->ended = !migrate_busy(ret);
	return PLAN_NEXT;
}

/* A save that did not end in time: QEMU refuses `cont` before it is over. */
static enum plan_verdict cancel(struct plan *p, struct err *e)
{
	struct save *s = p->ctx;

	return s->ended ? PLAN_NEXT : plan_send(p, "migrate_cancel", -1, e, NULL);
}

static enum plan_verdict wait_on(struct plan *p, yyjson_val *ret, struct err *e)
{
	(void)p;
	(void)ret;
	(void)e;
	return PLAN_WAIT;
}

static enum plan_verdict on_migrate_event(struct plan *p, const char *name, yyjson_val *data,
					  struct err *e)
{
	(void)p;
	(void)e;
	return migrate_ended(name, data) ? PLAN_NEXT : PLAN_WAIT;
}

static enum plan_verdict ask_status(struct plan *p, struct err *e)
{
	return plan_send(p, "query-status", -1, e, NULL);
}

static enum plan_verdict on_status(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	if (migrate_is(ret, "status", "finish-migrate"))
		return ask_status(p, e);
	s->resumed = migrate_is(ret, "status", "running");
	return PLAN_NEXT;
}

static enum plan_verdict send_cont(struct plan *p, struct err *e)
{
	struct save *s = p->ctx;

	if (s->resumed || !s->was_running)
		return PLAN_NEXT;
	return plan_send(p, "cont", -1, e, NULL);
}

static enum plan_verdict on_resume_event(struct plan *p, const char *name, yyjson_val *data,
					 struct err *e)
{
	struct save *s = p->ctx;

	(void)data;
	(void)e;
	if (strcmp(name, "RESUME") != 0)
		return PLAN_WAIT;
	s->resumed = true;
	return PLAN_NEXT;
}

static enum plan_verdict reset_caps(struct plan *p, struct err *e)
{
	return migrate_caps_send(p, false, e);
}

static enum plan_verdict reset_params(struct plan *p, struct err *e)
{
	const struct save *s = p->ctx;

	return migrate_params_reset(p, s->max_bandwidth, e);
}

static enum plan_verdict drop_fd(struct plan *p, struct err *e)
{
	struct save *s = p->ctx;

	return migrate_fd_drop(p, &s->to, e);
}

static enum plan_verdict purge(struct plan *p, struct err *e)
{
	const struct save *s = p->ctx;

	return s->snapshots ? snapshot_purge_begin(p, e) : PLAN_NEXT;
}

static const struct plan_step resume_steps[] = {
	{ "handshake", NULL, NULL, NULL, NULL },
	{ "query-migrate", ask_migrate, on_migrate, NULL, NULL },
	{ "migrate_cancel", cancel, wait_on, on_migrate_event, NULL },
	{ "query-status", ask_status, on_status, NULL, NULL },
	{ "cont", send_cont, wait_on, on_resume_event, NULL },
	{ "reset capabilities", reset_caps, NULL, NULL, migrate_ignore },
	{ "reset parameters", reset_params, NULL, NULL, migrate_ignore },
	{ "drop descriptor", drop_fd, NULL, NULL, migrate_ignore },
	{ "old snapshots", purge, snapshot_purge_reply, NULL, migrate_ignore },
};

void save_resume_plan(struct plan *p, struct save *s, struct qmp *q, int pidfd, int timeout_ms,
		      bool greeted)
{
	unsigned int skip = greeted ? 1 : 0;

	memset(p, 0, sizeof(*p));
	p->vm_name = s->vm_name;
	p->qmp = q;
	p->pidfd = pidfd;
	p->timeout_ms = timeout_ms;
	p->version = s->version;
	p->ctx = s;
	p->steps = resume_steps + skip;
	p->nsteps = ARRAY_LEN(resume_steps) - skip;
	if (!s->ready)
		s->to.fdset = -1;
	s->resumed = s->held = false;
}
