/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan_migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#define FD_NAME "holdover-state"

int migrate_reopen(int memfd, int flags, struct err *e)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	fd = open(path, flags | O_CLOEXEC);
	return fd >= 0 ? fd : err_sys(e, errno, "device state: open %s again", path);
}

enum plan_verdict migrate_fd_send(struct plan *p, int fd, struct err *e)
{
	if (p->version >= MIGRATE_FILE_SINCE)
		return plan_send(p, "add-fd", fd, e, "{\"opaque\": \"%s\"}", FD_NAME);
	return plan_send(p, "getfd", fd, e, "{\"fdname\": \"%s\"}", FD_NAME);
}

enum plan_verdict migrate_fd_sent(struct plan *p, struct migrate_uri *uri, yyjson_val *ret,
				  struct err *e)
{
	yyjson_val *set = yyjson_obj_get(ret, "fdset-id");

	if (p->version < MIGRATE_FILE_SINCE) {
		snprintf(uri->text, sizeof(uri->text), "fd:%s", FD_NAME);
		return PLAN_NEXT;
	}
	if (!yyjson_is_uint(set) || yyjson_get_uint(set) > INT64_MAX)
		return err_set(e, ERR_PROTOCOL, "QEMU names no descriptor set");
	uri->fdset = (int64_t)yyjson_get_uint(set);
	snprintf(uri->text, sizeof(uri->text), "file:/dev/fdset/%" PRId64, uri->fdset);
	return PLAN_NEXT;
}

enum plan_verdict migrate_fd_drop(struct plan *p, struct migrate_uri *uri, struct err *e)
{
	int64_t fdset = uri->fdset;

	if (fdset < 0)
		return PLAN_NEXT;
	uri->fdset = -1;
	return plan_send(p, "remove-fd", -1, e, "{\"fdset-id\": %" PRId64 "}", fdset);
}

enum plan_verdict migrate_caps_send(struct plan *p, bool on, struct err *e)
{
	const char *state = on ? "true" : "false";

	return plan_send(p, "migrate-set-capabilities", -1, e,
			 "{\"capabilities\": [{\"capability\": \"x-ignore-shared\", \"state\": %s}, "
			 "{\"capability\": \"events\", \"state\": %s}]}",
			 state, state);
}

enum plan_verdict migrate_params_reset(struct plan *p, uint64_t max_bandwidth, struct err *e)
{
	bool mode = p->version >= MIGRATE_FILE_SINCE;
	char bandwidth[48] = "";

	if (!mode && !max_bandwidth)
		return PLAN_NEXT;
	if (max_bandwidth)
		snprintf(bandwidth, sizeof(bandwidth), "\"max-bandwidth\": %" PRIu64, max_bandwidth);
	return plan_send(p, "migrate-set-parameters", -1, e, "{%s%s%s}",
			 mode ? "\"mode\": \"normal\"" : "", mode && *bandwidth ? ", " : "",
			 bandwidth);
}

enum plan_verdict migrate_ignore(struct plan *p, const char *desc, struct err *e)
{
	(void)p;
	(void)desc;
	(void)e;
	return PLAN_NEXT;
}

const char *migrate_text(yyjson_val *obj, const char *key)
{
	const char *text = yyjson_get_str(yyjson_obj_get(obj, key));

	return text ? text : "";
}

bool migrate_is(yyjson_val *obj, const char *key, const char *text)
{
	return strcmp(migrate_text(obj, key), text) == 0;
}

bool migrate_ended(const char *event, yyjson_val *data)
{
	return strcmp(event, "MIGRATION") == 0 &&
		(migrate_is(data, "status", "completed") || migrate_is(data, "status", "failed") ||
		 migrate_is(data, "status", "cancelled"));
}

bool migrate_busy(yyjson_val *ret)
{
	const char *status = migrate_text(ret, "status");

	return *status && strcmp(status, "none") && strcmp(status, "completed") &&
		strcmp(status, "failed") && strcmp(status, "cancelled");
}

int migrate_result(yyjson_val *ret, struct err *e)
{
	const char *status = migrate_text(ret, "status");
	const char *desc = migrate_text(ret, "error-desc");

	if (strcmp(status, "completed") == 0)
		return 0;
	if (*desc)
		return err_set(e, ERR_REFUSED, "migration %s: %s", status, desc);
	return err_set(e, ERR_REFUSED, "migration is '%s', not completed", *status ? status : "none");
}
