/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device state in an internal snapshot of a qcow2 image: what the plans of save
 * and load have in common.
 *
 * The names of Holdover's snapshots begin with SNAPSHOT_PREFIX. Whenever a VM
 * runs, on in place or resumed, those on its images are worth nothing any more
 * and are deleted.
 */
#ifndef HOLDOVER_SNAPSHOT_H
#define HOLDOVER_SNAPSHOT_H

#include "manifest.h"
#include "plan_migrate.h"

#define SNAPSHOT_PREFIX "holdover."
#define SNAPSHOT_NODE_MAX 64

/* From 10.0 on a QEMU that waits for a state can be made to use its images. */
#define SNAPSHOT_INCOMING_SINCE 100000

/** snapshot_name() - a name for the snapshot of jump @generation. */
void snapshot_name(uint64_t generation, char out[SNAPSHOT_NAME_MAX]);

/** snapshot_ask() - begin of a step: query-named-block-nodes. */
enum plan_verdict snapshot_ask(struct plan *p, struct err *e);

/** snapshot_choose() - the first writable qcow2 node in the answer to it, and
 * its file. REFUSED if there is none. */
_must_check_ int snapshot_choose(yyjson_val *nodes, char node[SNAPSHOT_NODE_MAX],
				 char image[SNAPSHOT_IMAGE_MAX], struct err *e);

/** snapshot_describe() - fill in id, size and times of @s, known by its image
 * and name, from @nodes; also its @node. ABSENT if it is not there. */
_must_check_ int snapshot_describe(yyjson_val *nodes, struct snapshot *s,
				   char node[SNAPSHOT_NODE_MAX], struct err *e);

/** snapshot_check() - is @s, as the manifest describes it, what QEMU sees?
 * MISMATCH or ABSENT if not. */
_must_check_ int snapshot_check(yyjson_val *nodes, const struct snapshot *s,
				char node[SNAPSHOT_NODE_MAX], struct err *e);

/** snapshot_job_concluded() - does this event say that job @id has ended? */
bool snapshot_job_concluded(const char *event, yyjson_val *data, const char *id);

/** snapshot_job_result() - 0 if the answer to query-jobs says that job @id went
 * well, else -1 with QEMU's reason. */
_must_check_ int snapshot_job_result(yyjson_val *jobs, const char *id, struct err *e);

/** snapshot_purge_begin(), snapshot_purge_reply() - a step that deletes all of
 * Holdover's snapshots on the VM's writable images, one after another; use with
 * migrate_ignore(): a leftover costs room in the image, nothing else. */
enum plan_verdict snapshot_purge_begin(struct plan *p, struct err *e);
enum plan_verdict snapshot_purge_reply(struct plan *p, yyjson_val *ret, struct err *e);

/** snapshot_empty_state() - memfd with a migration stream for @machine (a type
 * without its "-machine") that carries nothing: it ends a QEMU's waiting for a
 * state when another way has brought that. Returns it, or -1. */
int snapshot_empty_state(const char *machine, struct err *e);

#endif
