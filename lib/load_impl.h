/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of a load from a snapshot (load_snapshot.c) that stand in for those
 * of a load from the ledger (load.c). */
#ifndef HOLDOVER_LOAD_IMPL_H
#define HOLDOVER_LOAD_IMPL_H

#include "load.h"

enum plan_verdict load_image_reply(struct plan *p, yyjson_val *ret, struct err *e);
enum plan_verdict load_activate_begin(struct plan *p, struct err *e);
enum plan_verdict load_snapshot_begin(struct plan *p, struct err *e);
enum plan_verdict load_snapshot_reply(struct plan *p, yyjson_val *ret, struct err *e);
enum plan_verdict load_snapshot_event(struct plan *p, const char *name, yyjson_val *data,
				      struct err *e);
enum plan_verdict load_jobs_begin(struct plan *p, struct err *e);
enum plan_verdict load_jobs_reply(struct plan *p, yyjson_val *ret, struct err *e);
enum plan_verdict load_dismiss_begin(struct plan *p, struct err *e);
enum plan_verdict load_machine_begin(struct plan *p, struct err *e);
enum plan_verdict load_machine_reply(struct plan *p, yyjson_val *ret, struct err *e);

#endif
