/* SPDX-License-Identifier: GPL-2.0-only */
#include "image.h"

#include <errno.h>
#include <sys/stat.h>

#include "io.h"
#include "json.h"
#include "probe.h"

int image_delete_snapshot(const struct manifest_vm *mv, struct err *e)
{
	struct probe p _cleanup_probe_ = PROBE_INIT;
	_cleanup_free_ char *file = json_quote(mv->snapshot.image), *node = NULL;
	const char *args[] = { "-blockdev", NULL, NULL };
	struct stat st;

	if (stat(mv->snapshot.image, &st) < 0)
		return err_sys(e, errno, "image %s", mv->snapshot.image);
	if (!file ||
	    asprintf(&node,
		     "{\"driver\": \"qcow2\", \"node-name\": \"image\", \"file\": {\"driver\": "
		     "\"%s\", \"filename\": %s}}",
		     S_ISBLK(st.st_mode) ? "host_device" : "file", file) < 0)
		return err_sys(e, ENOMEM, "image %s", mv->snapshot.image);
	args[1] = node;
	if (probe_none(&p, mv->vm.qemu, args, e) < 0)
		return -1;
	return qmp_call(&p.q, "blockdev-snapshot-delete-internal-sync", -1, PROBE_TIMEOUT_MS, NULL,
			e, "{\"device\": \"image\", \"name\": \"%s\"}", mv->snapshot.name);
}
