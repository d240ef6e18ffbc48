/* SPDX-License-Identifier: GPL-2.0-only */
#include "snapshot.h"

#include <endian.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

/* QEMU's migration/savevm.h */
#define STREAM_MAGIC 0x5145564du
#define STREAM_VERSION 3u
#define STREAM_CONFIGURATION 0x07
#define STREAM_END 0x00
#define STREAM_DESCRIPTION 0x06

void snapshot_name(uint64_t generation, char out[SNAPSHOT_NAME_MAX])
{
	snprintf(out, SNAPSHOT_NAME_MAX, SNAPSHOT_PREFIX "%" PRIu64 ".%08" PRIx32, generation,
		 randombytes_random());
}

enum plan_verdict snapshot_ask(struct plan *p, struct err *e)
{
	return plan_send(p, "query-named-block-nodes", -1, e, NULL);
}

/* A node that can hold snapshots, with a name that can be sent back. */
static bool usable(yyjson_val *node)
{
	const char *name = migrate_text(node, "node-name");

	return migrate_is(node, "drv", "qcow2") && !yyjson_get_bool(yyjson_obj_get(node, "ro")) &&
		*name && strlen(name) < SNAPSHOT_NODE_MAX && !strpbrk(name, "\"\\");
}

static yyjson_val *image_of(yyjson_val *node)
{
	return yyjson_obj_get(node, "image");
}

int snapshot_choose(yyjson_val *nodes, char node[SNAPSHOT_NODE_MAX], char image[SNAPSHOT_IMAGE_MAX],
		    struct err *e)
{
	yyjson_val *v;
	size_t i, n;

	yyjson_arr_foreach(nodes, i, n, v) {
		const char *file = migrate_text(image_of(v), "filename");

		if (!usable(v) || *file != '/' || strlen(file) >= SNAPSHOT_IMAGE_MAX)
			continue;
		snprintf(node, SNAPSHOT_NODE_MAX, "%s", migrate_text(v, "node-name"));
		snprintf(image, SNAPSHOT_IMAGE_MAX, "%s", file);
		return 0;
	}
	return err_set(e, ERR_REFUSED,
		       "it has no writable qcow2 image that a snapshot could lie in; give it one, or "
		       "set 'transport = ledger'");
}

static yyjson_val *find(yyjson_val *nodes, const struct snapshot *s, char node[SNAPSHOT_NODE_MAX])
{
	yyjson_val *v, *sn;
	size_t i, n, k, m;

	yyjson_arr_foreach(nodes, i, n, v) {
		if (!usable(v) || !migrate_is(image_of(v), "filename", s->image))
			continue;
		yyjson_arr_foreach(yyjson_obj_get(image_of(v), "snapshots"), k, m, sn)
			if (migrate_is(sn, "name", s->name)) {
				snprintf(node, SNAPSHOT_NODE_MAX, "%s", migrate_text(v, "node-name"));
				return sn;
			}
	}
	return NULL;
}

static uint64_t number(yyjson_val *obj, const char *key)
{
	return yyjson_get_uint(yyjson_obj_get(obj, key));
}

int snapshot_describe(yyjson_val *nodes, struct snapshot *s, char node[SNAPSHOT_NODE_MAX],
		      struct err *e)
{
	yyjson_val *sn = find(nodes, s, node);

	if (!sn)
		return err_set(e, ERR_ABSENT, "image %s has no snapshot %s", s->image, s->name);
	snprintf(s->id, sizeof(s->id), "%s", migrate_text(sn, "id"));
	s->state_size = number(sn, "vm-state-size");
	s->date_sec = number(sn, "date-sec");
	s->date_nsec = number(sn, "date-nsec");
	s->clock_sec = number(sn, "vm-clock-sec");
	s->clock_nsec = number(sn, "vm-clock-nsec");
	if (!s->state_size)
		return err_set(e, ERR_MISMATCH, "snapshot %s of image %s has no device state",
			       s->name, s->image);
	return 0;
}

int snapshot_check(yyjson_val *nodes, const struct snapshot *s, char node[SNAPSHOT_NODE_MAX],
		   struct err *e)
{
	struct snapshot now = *s;

	if (snapshot_describe(nodes, &now, node, e) < 0)
		return -1;
	if (strcmp(now.id, s->id) || now.state_size != s->state_size ||
	    now.date_sec != s->date_sec || now.date_nsec != s->date_nsec ||
	    now.clock_sec != s->clock_sec || now.clock_nsec != s->clock_nsec)
		return err_set(e, ERR_MISMATCH,
			       "snapshot %s of image %s is another one than was made for this jump",
			       s->name, s->image);
	return 0;
}

bool snapshot_job_concluded(const char *event, yyjson_val *data, const char *id)
{
	return !strcmp(event, "JOB_STATUS_CHANGE") && migrate_is(data, "id", id) &&
		migrate_is(data, "status", "concluded");
}

int snapshot_job_result(yyjson_val *jobs, const char *id, struct err *e)
{
	yyjson_val *job;
	size_t i, n;

	yyjson_arr_foreach(jobs, i, n, job) {
		if (!migrate_is(job, "id", id))
			continue;
		if (yyjson_obj_get(job, "error"))
			return err_set(e, ERR_REFUSED, "QEMU says: %s", migrate_text(job, "error"));
		return 0;
	}
	return err_set(e, ERR_PROTOCOL, "QEMU does not know its job %s any more", id);
}

enum plan_verdict snapshot_purge_begin(struct plan *p, struct err *e)
{
	return snapshot_ask(p, e);
}

/* Answers alternate: the nodes, and that a snapshot is gone. */
enum plan_verdict snapshot_purge_reply(struct plan *p, yyjson_val *ret, struct err *e)
{
	yyjson_val *v, *sn;
	size_t i, n, k, m;

	if (!yyjson_is_arr(ret))
		return snapshot_ask(p, e);
	yyjson_arr_foreach(ret, i, n, v) {
		if (!usable(v))
			continue;
		yyjson_arr_foreach(yyjson_obj_get(image_of(v), "snapshots"), k, m, sn) {
			const char *name = migrate_text(sn, "name");

			if (!strncmp(name, SNAPSHOT_PREFIX, strlen(SNAPSHOT_PREFIX)) &&
			    strlen(name) < SNAPSHOT_NAME_MAX && !strpbrk(name, "\"\\"))
				return plan_send(p, "blockdev-snapshot-delete-internal-sync", -1, e,
						 "{\"device\": \"%s\", \"name\": \"%s\"}",
						 migrate_text(v, "node-name"), name);
		}
	}
	return PLAN_NEXT;
}

int snapshot_empty_state(const char *machine, struct err *e)
{
	uint8_t stream[256];
	size_t n = strlen(machine), at = 0;
	uint32_t head[2] = { htobe32(STREAM_MAGIC), htobe32(STREAM_VERSION) };
	uint32_t len = htobe32((uint32_t)n), two = htobe32(2);

	if (n > 128)
		return err_set(e, ERR_PROTOCOL, "the name of machine '%.40s...' is too long",
			       machine);
	memcpy(stream, head, sizeof(head));
	at += sizeof(head);
	stream[at++] = STREAM_CONFIGURATION;
	memcpy(stream + at, &len, sizeof(len));
	at += sizeof(len);
	memcpy(stream + at, machine, n);
	at += n;
	stream[at++] = STREAM_END;
	/* What describes the stream for debuggers: QEMU wants it, unread. */
	stream[at++] = STREAM_DESCRIPTION;
	memcpy(stream + at, &two, sizeof(two));
	at += sizeof(two);
	memcpy(stream + at, "{}", 2);
	return io_memfd("holdover-empty", stream, at + 2, e);
}
