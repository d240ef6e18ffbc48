/* SPDX-License-Identifier: GPL-2.0-only */
/* Saving into an internal snapshot of an image. */
#include <fcntl.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "save_impl.h"

enum plan_verdict save_image_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	return snapshot_choose(ret, s->node, s->snapshot.image, e) < 0 ? PLAN_FAIL : PLAN_NEXT;
}

/* Only the image that takes the state gets a snapshot of its content: the VM
 * stands still until it is loaded, so no disk is ever set back. */
enum plan_verdict save_snapshot_begin(struct plan *p, struct err *e)
{
	struct save *s = p->ctx;

	s->awaited = 1;
	return plan_send(
		p, "snapshot-save", -1, e,
		"{\"job-id\": \"%s\", \"tag\": \"%s\", \"vmstate\": \"%s\", \"devices\": [\"%s\"]}",
		s->snapshot.name, s->snapshot.name, s->node, s->node);
}

enum plan_verdict save_snapshot_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	(void)ret;
	(void)e;
	s->awaited = 0;
	return s->ended ? PLAN_NEXT : PLAN_WAIT;
}

enum plan_verdict save_snapshot_event(struct plan *p, const char *name, yyjson_val *data,
				      struct err *e)
{
	struct save *s = p->ctx;

	(void)e;
	s->ended |= snapshot_job_concluded(name, data, s->snapshot.name);
	return s->ended && !s->awaited ? PLAN_NEXT : PLAN_WAIT;
}

enum plan_verdict save_jobs_begin(struct plan *p, struct err *e)
{
	return plan_send(p, "query-jobs", -1, e, NULL);
}

enum plan_verdict save_jobs_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	return snapshot_job_result(ret, s->snapshot.name, e) < 0 ? PLAN_FAIL : PLAN_NEXT;
}

enum plan_verdict save_dismiss_begin(struct plan *p, struct err *e)
{
	struct save *s = p->ctx;

	return plan_send(p, "job-dismiss", -1, e, "{\"id\": \"%s\"}", s->snapshot.name);
}

/* Unlike a migration, the job leaves what it wrote in QEMU's caches. `stop` of a
 * stopped VM does nothing but drain and flush all its disks. */
enum plan_verdict save_flush_begin(struct plan *p, struct err *e)
{
	return plan_send(p, "stop", -1, e, NULL);
}

/* What the ledger gets in place of the device state: a version of Holdover that
 * knows of no snapshots gives it to QEMU, which refuses it. */
static int put_words(struct save *s, struct err *e)
{
	char text[SNAPSHOT_IMAGE_MAX + SNAPSHOT_NAME_MAX + 64];

	snprintf(text, sizeof(text), "The device state is snapshot %s of %s.\n", s->snapshot.name,
		 s->snapshot.image);
	s->state_len = strlen(text);
	s->state_fd = io_memfd("holdover-state", text, s->state_len, e);
	if (s->state_fd < 0)
		return -1;
	if (fcntl(s->state_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return err_sys(e, errno, "device state: memfd");
	return 0;
}

enum plan_verdict save_made_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	return snapshot_describe(ret, &s->snapshot, s->node, e) < 0 || put_words(s, e) < 0 ?
		PLAN_FAIL :
		PLAN_NEXT;
}

enum plan_verdict save_still_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	struct save *s = p->ctx;

	if (!migrate_is(ret, "status", "paused") && !migrate_is(ret, "status", "prelaunch"))
		return err_set(e, ERR_PROTOCOL, "QEMU says '%.40s' after the snapshot, not paused",
			       migrate_text(ret, "status"));
	if (s->saved)
		s->saved(s);
	return PLAN_NEXT;
}
