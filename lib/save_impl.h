/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of a save into a snapshot (save_snapshot.c) that stand in for those
 * of a save into the ledger (save.c). */
#ifndef HOLDOVER_SAVE_IMPL_H
#define HOLDOVER_SAVE_IMPL_H

#include "save.h"

enum plan_verdict save_image_reply(struct plan *p, yyjson_val *ret, struct err *e);
enum plan_verdict save_snapshot_begin(struct plan *p, struct err *e);
enum plan_verdict save_snapshot_reply(struct plan *p, yyjson_val *ret, struct err *e);
enum plan_verdict save_snapshot_event(struct plan *p, const char *name, yyjson_val *data,
				      struct err *e);
enum plan_verdict save_jobs_begin(struct plan *p, struct err *e);
enum plan_verdict save_jobs_reply(struct plan *p, yyjson_val *ret, struct err *e);
enum plan_verdict save_dismiss_begin(struct plan *p, struct err *e);
enum plan_verdict save_flush_begin(struct plan *p, struct err *e);
enum plan_verdict save_made_reply(struct plan *p, yyjson_val *ret, struct err *e);
enum plan_verdict save_still_reply(struct plan *p, yyjson_val *ret, struct err *e);

#endif
