/* SPDX-License-Identifier: GPL-2.0-only */
#include "vmctl.h"

#include <errno.h>
#include <string.h>

#include "bounded.h"
#include "disk.h"
#include "json.h"
#include "qemu.h"

#define BACKING_DEPTH_MAX 64
/* Of what a live file server answers in milliseconds; VMs may be paused. */
#define IDENTIFY_TIMEOUT_MS 5000

int vmctl_open(const char *name, struct qmp *q, unsigned int *version, struct err *e)
{
	char path[256];
	int fd;

	if (io_path(path, sizeof(path), e, HOLDOVER_RUN_DIR "/%s/ctl.sock", name) < 0)
		return -1;
	fd = qmp_connect(path, e);
	if (fd < 0)
		return -1;
	qmp_init(q, fd);
	return qmp_handshake(q, VMCTL_TIMEOUT_MS, version, e);
}

int vmctl_machine(struct qmp *q, const char *machine, char **out, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	const char *type, *options = strchr(machine, ',');
	size_t n;

	if (qmp_call(q, "qom-get", -1, VMCTL_TIMEOUT_MS, &m, e,
		     "{\"path\": \"/machine\", \"property\": \"type\"}") < 0)
		return err_wrap(e, "machine type");
	type = yyjson_get_str(m.body);
	n = type ? strlen(type) : 0;
	if (n < 9 || strcmp(type + n - 8, "-machine"))
		return err_set(e, ERR_PROTOCOL, "QEMU's machine type '%.60s' has no known form",
			       type ? type : "");
	if (asprintf(out, "%.*s%s", (int)(n - 8), type, options ? options : "") < 0)
		return err_sys(e, ENOMEM, "machine type");
	return 0;
}

int vmctl_status(struct qmp *q, char *out, size_t size, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	const char *status;

	if (qmp_call(q, "query-status", -1, VMCTL_TIMEOUT_MS, &m, e, NULL) < 0 ||
	    json_str(m.body, "status", &status, e) < 0)
		return -1;
	snprintf(out, size, "%s", status);
	err_plain(out);
	return 0;
}

static int identify(void *data, struct err *e)
{
	return disk_identify(NULL, data, e);
}

int vmctl_identify(struct disk *d, struct err *e)
{
	if (bounded(identify, d, sizeof(*d), IDENTIFY_TIMEOUT_MS, e) == 0)
		return 0;
	return e->kind == ERR_TIMEOUT ? err_wrap(e, "disk %s: its file system", d->path) : -1;
}

/* One image and what it is backed by. */
static int add_image(yyjson_val *image, bool writable, struct disk **disks, unsigned int *n,
		     struct err *e)
{
	for (int depth = 0; image && depth < BACKING_DEPTH_MAX; depth++) {
		const char *path = yyjson_get_str(yyjson_obj_get(image, "filename"));
		struct disk *d;

		if (path && *path == '/') {
			if (*n == VM_DISKS_MAX)
				return err_set(e, ERR_REFUSED, "more than %d disks", VM_DISKS_MAX);
			d = disk_add(disks, n, path, writable);
			if (!d)
				return err_sys(e, ENOMEM, "disks");
			if (vmctl_identify(d, e) < 0)
				return -1;
		}
		image = yyjson_obj_get(image, "backing-image");
		writable = false;
	}
	return 0;
}

int vmctl_disks(struct qmp *q, struct disk **disks, unsigned int *n, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	yyjson_val *dev;
	size_t i, max;

	if (qmp_call(q, "query-block", -1, VMCTL_TIMEOUT_MS, &m, e, NULL) < 0)
		return err_wrap(e, "disks");
	yyjson_arr_foreach(m.body, i, max, dev) {
		yyjson_val *in = yyjson_obj_get(dev, "inserted");
		bool ro = yyjson_get_bool(yyjson_obj_get(in, "ro"));

		if (in && add_image(yyjson_obj_get(in, "image"), !ro, disks, n, e) < 0)
			return -1;
	}
	return 0;
}

int vmctl_blockers(struct qmp *q, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	yyjson_val *reasons, *r;
	char list[512] = "";
	size_t i, max;

	if (qmp_call(q, "query-migrate", -1, VMCTL_TIMEOUT_MS, &m, e, NULL) < 0)
		return -1;
	reasons = yyjson_obj_get(m.body, "blocked-reasons");
	yyjson_arr_foreach(reasons, i, max, r) {
		size_t at = strlen(list);

		snprintf(list + at, sizeof(list) - at, "%s%s", i ? "; " : "",
			 yyjson_is_str(r) ? yyjson_get_str(r) : "?");
	}
	if (*list)
		return err_set(e, ERR_REFUSED, "QEMU cannot save this VM: %s", list);
	return 0;
}

int vmctl_cont(struct qmp *q, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	char status[32];

	if (qmp_call(q, "cont", -1, VMCTL_TIMEOUT_MS, &m, e, NULL) < 0 ||
	    vmctl_status(q, status, sizeof(status), e) < 0)
		return -1;
	if (strcmp(status, "running"))
		return err_set(e, ERR_REFUSED, "QEMU says '%s' after cont", status);
	return 0;
}
