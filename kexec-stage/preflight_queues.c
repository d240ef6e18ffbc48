/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues of virtio devices that are longer than their properties say. QEMU 10.0.13 gives every queue the greatest length
 * that there is, 1024, and writes that into the device state; 11.1.2 makes queues as long as was asked for, and refuses a
 * state with longer ones (seen with both). A device that was asked for 1024 is the same in both.
 */
#include <string.h>

#include "json.h"
#include "preflight.h"
#include "probe.h"

#define LONGEST 1024
/* The first version that is known to refuse. */
#define REFUSES_SINCE 110102

static int ask(struct qmp *q, const char *command, struct qmp_msg *m, struct err *e, const char *args)
{
	return qmp_call(q, command, -1, PROBE_TIMEOUT_MS, m, e, args ? "%s" : NULL, args);
}

static uint64_t property(struct qmp *q, const char *device, const char *name)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	struct err none = { 0 };
	char args[400];

	snprintf(args, sizeof(args), "{\"path\": \"%s\", \"property\": \"%s\"}", device, name);
	return ask(q, "qom-get", &m, &none, args) < 0 ? 0 : yyjson_get_uint(m.body);
}

/* Was this device asked for the longest queues, or is it of a kind that has them? */
static bool meant(struct qmp *q, const char *path, const char *kind)
{
	static const char *const names[] = { "queue-size", "rx_queue_size", "virtqueue_size" };
	const char *end = strrchr(path, '/');
	char device[300];

	snprintf(device, sizeof(device), "%.*s", end ? (int)(end - path) : 0, path);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (property(q, device, names[i]) == LONGEST)
			return true;
	return !strcmp(kind, "virtio-crypto");
}

static bool longest(struct qmp *q, const char *path)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	struct err none = { 0 };
	char args[400];

	snprintf(args, sizeof(args), "{\"path\": \"%s\", \"queue\": 0}", path);
	return ask(q, "x-query-virtio-queue-status", &m, &none, args) == 0 &&
		yyjson_get_uint(yyjson_obj_get(m.body, "vring-num-default")) == LONGEST;
}

void preflight_queues(struct preflight *p, const char *vm_name, struct qmp *now,
		      unsigned int version, unsigned int next)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	struct err none = { 0 };
	yyjson_val *v;
	size_t i, n;

	if (next == version || ask(now, "x-query-virtio", &m, &none, NULL) < 0)
		return;
	yyjson_arr_foreach(m.body, i, n, v) {
		const char *path = yyjson_get_str(yyjson_obj_get(v, "path"));
		const char *kind = yyjson_get_str(yyjson_obj_get(v, "name"));

		if (!path || !kind || strlen(path) > 256 || strpbrk(path, "\"\\") ||
		    !longest(now, path) || meant(now, path, kind))
			continue;
		preflight_add(
			p, next >= REFUSES_SINCE ? FINDING_FAIL : FINDING_WARN, vm_name,
			"the running QEMU has given its %s queues of %d entries, whatever was asked "
			"for, and version %u.%u.%u on disk %s a state with queues longer than its "
			"own; set queue-size=%d where the device takes it, else start the VM afresh "
			"under the new QEMU instead of jumping",
			kind, LONGEST, next / 10000, next / 100 % 100, next % 100,
			next >= REFUSES_SINCE ? "refuses" : "may refuse", LONGEST);
		return;
	}
}
