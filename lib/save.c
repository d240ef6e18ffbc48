/* SPDX-License-Identifier: GPL-2.0-only */
#include "save_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Bytes a second, far more than a disk-less stream can use. */
#define BANDWIDTH (UINT64_C(1) << 40)

/* ---- while the VM runs -------------------------------------------------- */

static enum plan_verdict ask_status(struct plan *p, struct err *e)
{
	return plan_send(p, "query-status", -1, e, NULL);
}

static enum plan_verdict on_status(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	s->version = p->version;
	s->was_running = migrate_is(ret, "status", "running");
	s->thaw = migrate_is(ret, "status", "postmigrate");
	/* prelaunch: its owner had paused it, and it was resumed from a snapshot */
	if (s->was_running || s->thaw || migrate_is(ret, "status", "paused") ||
	    (*s->snapshot.name && migrate_is(ret, "status", "prelaunch")))
		return PLAN_NEXT;
	return err_set(e, ERR_REFUSED,
		       "QEMU says '%.40s'; only a running or a paused VM can be saved",
		       migrate_text(ret, "status"));
}

static enum plan_verdict ask_migrate(struct plan *p, struct err *e)
{
	return plan_send(p, "query-migrate", -1, e, NULL);
}

static enum plan_verdict on_blockers(struct plan *p, yyjson_val *ret, struct err *e)
{
	yyjson_val *reasons = yyjson_obj_get(ret, "blocked-reasons");
	const char *first = yyjson_get_str(yyjson_arr_get_first(reasons));

	(void)p;
	if (migrate_busy(ret))
		return err_set(e, ERR_REFUSED, "another migration of this VM is under way: '%.40s'",
			       migrate_text(ret, "status"));
	if (yyjson_arr_size(reasons))
		return err_set(e, ERR_REFUSED, "QEMU cannot save this VM: %s",
			       first ? first : "it gives no reason");
	return PLAN_NEXT;
}

static enum plan_verdict ask_caps(struct plan *p, struct err *e)
{
	return plan_send(p, "query-migrate-capabilities", -1, e, NULL);
}

/* What an operator has switched on for his own migrations (multifd, postcopy)
 * would change the stream. */
static enum plan_verdict on_caps(struct plan *p, yyjson_val *ret, struct err *e)
{
	char off[1024] = "";
	yyjson_val *cap;
	bool known = false;
	size_t i, max;

	yyjson_arr_foreach(ret, i, max, cap) {
		const char *name = migrate_text(cap, "capability");
		size_t n = strlen(off);

		if (strcmp(name, "x-ignore-shared") == 0)
			known = true;
		else if (yyjson_get_bool(yyjson_obj_get(cap, "state")))
			snprintf(off + n, sizeof(off) - n,
				 "%s{\"capability\": \"%s\", \"state\": false}", n ? ", " : "", name);
	}
	if (!known)
		return err_set(e, ERR_REFUSED,
			       "this QEMU cannot leave the RAM out of the state (x-ignore-shared, "
			       "since 4.0)");
	if (!*off)
		return PLAN_NEXT;
	return plan_send(p, "migrate-set-capabilities", -1, e, "{\"capabilities\": [%s]}", off);
}

static enum plan_verdict on_caps_or_set(struct plan *p, yyjson_val *ret, struct err *e)
{
	return yyjson_is_arr(ret) ? on_caps(p, ret, e) : PLAN_NEXT;
}

static enum plan_verdict set_caps(struct plan *p, struct err *e)
{
	return migrate_caps_send(p, true, e);
}

static enum plan_verdict ask_params(struct plan *p, struct err *e)
{
	return plan_send(p, "query-migrate-parameters", -1, e, NULL);
}

static enum plan_verdict on_params(struct plan *p, yyjson_val *ret, struct err *e)
{
	yyjson_val *bandwidth = yyjson_obj_get(ret, "max-bandwidth");
	struct save *s = p->ctx;

	if (!bandwidth)
		return PLAN_NEXT; /* the answer to what is sent below */
	/* Kept from the first time: the second would see our own setting. */
	if (yyjson_get_uint(bandwidth) != BANDWIDTH)
		s->max_bandwidth = yyjson_get_uint(bandwidth);
	s->cpr_reboot = yyjson_obj_get(ret, "mode") != NULL;
	return plan_send(p, "migrate-set-parameters", -1, e, "{\"max-bandwidth\": %" PRIu64 "%s}",
			 BANDWIDTH, s->cpr_reboot ? ", \"mode\": \"cpr-reboot\"" : "");
}

static enum plan_verdict send_fd(struct plan *p, struct err *e)
{
	struct save *s = p->ctx;

	s->state_fd = memfd_create("holdover-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->state_fd < 0)
		return err_sys(e, errno, "device state: memfd");
	s->write_fd = migrate_reopen(s->state_fd, O_WRONLY, e);
	if (s->write_fd < 0)
		return PLAN_FAIL;
	return migrate_fd_send(p, s->write_fd, e);
}

static enum plan_verdict on_fd(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	scope_close(&s->write_fd);
	s->write_fd = -1;
	return migrate_fd_sent(p, &s->to, ret, e);
}

/* ---- pause and save ----------------------------------------------------- */

static void now_paused(struct save *s)
{
	if (s->held)
		return;
	s->held = true;
	if (s->paused)
		s->paused(s);
}

static enum plan_verdict send_stop(struct plan *p, struct err *e)
{
	struct save *s = p->ctx;

	if (s->pausing && s->pausing(s, e) < 0)
		return PLAN_FAIL;
	s->awaited = 1;
	if (s->thaw) {
		s->awaited = 2;
		if (plan_send(p, "cont", -1, e, NULL) == PLAN_FAIL)
			return PLAN_FAIL;
	} else if (!s->was_running) {
		now_paused(s);
		return PLAN_NEXT;
	}
	s->stopped = true;
	return plan_send(p, "stop", -1, e, NULL);
}

static enum plan_verdict on_stop_event(struct plan *p, const char *name, yyjson_val *data,
				       struct err *e)
{
	(void)data;
	(void)e;
	if (strcmp(name, "STOP") == 0)
		now_paused(p->ctx);
	return PLAN_WAIT;
}

/* QEMU answers when the disks are quiet, some time after STOP. */
static enum plan_verdict on_stopped(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	(void)ret;
	(void)e;
	if (--s->awaited)
		return PLAN_WAIT;
	now_paused(s);
	return PLAN_NEXT;
}

static enum plan_verdict send_migrate(struct plan *p, struct err *e)
{
	struct save *s = p->ctx;

	s->awaited = 1;
	return plan_send(p, "migrate", -1, e, "{\"uri\": \"%s\"}", s->to.text);
}

/* Both the answer and the event: a migration that cannot start says "failed"
 * first and the reason afterwards. */
static enum plan_verdict on_migrate(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	(void)ret;
	(void)e;
	s->awaited = 0;
	return s->ended ? PLAN_NEXT : PLAN_WAIT;
}

static enum plan_verdict on_migrate_event(struct plan *p, const char *name, yyjson_val *data,
					  struct err *e)
{
	struct save *s = p->ctx;

	(void)e;
	if (migrate_ended(name, data))
		s->ended = true;
	return s->ended && !s->awaited ? PLAN_NEXT : PLAN_WAIT;
}

static enum plan_verdict on_result(struct plan *p, yyjson_val *ret, struct err *e)
{
	(void)p;
	return migrate_result(ret, e) < 0 ? PLAN_FAIL : PLAN_NEXT;
}

/* QEMU still has the descriptor: nobody may change what will be sealed. */
static int take_state(struct save *s, struct err *e)
{
	struct stat st;

	if (fcntl(s->state_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0 ||
	    fstat(s->state_fd, &st) < 0)
		return err_sys(e, errno, "device state: memfd");
	if (st.st_size == 0)
		return err_set(e, ERR_PROTOCOL, "QEMU has saved an empty state");
	s->state_len = (uint64_t)st.st_size;
	return 0;
}

static enum plan_verdict on_postmigrate(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	/* "completed" is said a moment before the run state changes. */
	if (migrate_is(ret, "status", "finish-migrate"))
		return ask_status(p, e);
	if (!migrate_is(ret, "status", "postmigrate"))
		return err_set(e, ERR_PROTOCOL, "QEMU says '%.40s' after the save, not postmigrate",
			       migrate_text(ret, "status"));
	if (take_state(s, e) < 0)
		return PLAN_FAIL;
	if (s->saved)
		s->saved(s);
	return PLAN_NEXT;
}

static enum plan_verdict drop_fd(struct plan *p, struct err *e)
{
	struct save *s = p->ctx;

	return migrate_fd_drop(p, &s->to, e);
}

static const struct plan_step save_steps[] = {
	{ "handshake", NULL, NULL, NULL, NULL },
	{ "query-status", ask_status, on_status, NULL, NULL },
	{ "query-migrate", ask_migrate, on_blockers, NULL, NULL },
	{ "capabilities", ask_caps, on_caps_or_set, NULL, NULL },
	{ "set capabilities", set_caps, NULL, NULL, NULL },
	{ "parameters", ask_params, on_params, NULL, NULL },
	{ "pass descriptor", send_fd, on_fd, NULL, NULL },
	{ "stop", send_stop, on_stopped, on_stop_event, NULL },
	{ "migrate", send_migrate, on_migrate, on_migrate_event, NULL },
	{ "migration result", ask_migrate, on_result, NULL, NULL },
	{ "state after save", ask_status, on_postmigrate, NULL, NULL },
	{ "drop descriptor", drop_fd, NULL, NULL, migrate_ignore },
};

static const struct plan_step snapshot_steps[] = {
	{ "handshake", NULL, NULL, NULL, NULL },
	{ "query-status", ask_status, on_status, NULL, NULL },
	{ "query-migrate", ask_migrate, on_blockers, NULL, NULL },
	{ "capabilities", ask_caps, on_caps_or_set, NULL, NULL },
	{ "set capabilities", set_caps, NULL, NULL, NULL },
	{ "image", snapshot_ask, save_image_reply, NULL, NULL },
	{ "old snapshots", snapshot_purge_begin, snapshot_purge_reply, NULL, migrate_ignore },
	{ "stop", send_stop, on_stopped, on_stop_event, NULL },
	{ "snapshot-save", save_snapshot_begin, save_snapshot_reply, save_snapshot_event, NULL },
	{ "result of the snapshot", save_jobs_begin, save_jobs_reply, NULL, NULL },
	{ "job-dismiss", save_dismiss_begin, NULL, NULL, migrate_ignore },
	{ "flush", save_flush_begin, NULL, NULL, NULL },
	{ "snapshot", snapshot_ask, save_made_reply, NULL, NULL },
	{ "state after save", ask_status, save_still_reply, NULL, NULL },
};

static enum plan_verdict save_seen(struct plan *p, const char *name, yyjson_val *data, struct err *e)
{
	struct save *s = p->ctx;

	(void)data;
	if (!s->held || strcmp(name, "RESUME") != 0)
		return PLAN_WAIT;
	s->resumed = true;
	return err_set(e, ERR_REFUSED, "somebody has continued the VM while it was to be saved");
}

static void set_up(struct plan *p, struct save *s, struct qmp *q, int pidfd, int timeout_ms)
{
	memset(p, 0, sizeof(*p));
	p->vm_name = s->vm_name;
	p->qmp = q;
	p->pidfd = pidfd;
	p->timeout_ms = timeout_ms;
	p->version = s->version;
	p->ctx = s;
}

void save_plan(struct plan *p, struct save *s, struct qmp *q, int pidfd, int timeout_ms)
{
	set_up(p, s, q, pidfd, timeout_ms);
	p->steps = *s->snapshot.name ? snapshot_steps : save_steps;
	p->nsteps = *s->snapshot.name ? ARRAY_LEN(snapshot_steps) : ARRAY_LEN(save_steps);
	p->seen = save_seen;
	s->state_fd = s->write_fd = -1;
	s->to.fdset = -1;
	s->ready = true;
	s->state_len = 0;
	s->stopped = s->resumed = s->held = s->ended = false;
}

/* ---- before the jump: is it still as it was left? ----------------------- */

static enum plan_verdict on_check(struct plan *p, yyjson_val *ret, struct err *e)
{
	const struct save *s = p->ctx;
	const char *want = *s->snapshot.name ? "paused" : "postmigrate";

	if (migrate_is(ret, "status", want) ||
	    (*s->snapshot.name && migrate_is(ret, "status", "prelaunch")))
		return PLAN_NEXT;
	return err_set(e, ERR_REFUSED, "QEMU says '%.40s', no longer %s",
		       migrate_text(ret, "status"), want);
}

static const struct plan_step check_steps[] = {
	{ "state before the jump", ask_status, on_check, NULL, NULL },
};

void save_check_plan(struct plan *p, struct save *s, struct qmp *q, int pidfd, int timeout_ms)
{
	set_up(p, s, q, pidfd, timeout_ms);
	p->steps = check_steps;
	p->nsteps = ARRAY_LEN(check_steps);
	p->seen = save_seen;
}

void save_finish(struct save *s)
{
	if (!s->ready)
		return;
	s->ready = false;
	scope_close(&s->state_fd);
	scope_close(&s->write_fd);
	s->state_fd = s->write_fd = -1;
}
