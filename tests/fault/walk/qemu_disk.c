/* SPDX-License-Identifier: GPL-2.0-only */
#include "qemu_disk.h"

#include <stdio.h>
#include <string.h>

#define FDSET 1

static struct {
	bool fd, node, device;
	char opaque[256], id[64];
} disk;

static const char *text_of(yyjson_val *args, const char *key)
{
	const char *text = yyjson_get_str(yyjson_obj_get(args, key));

	return text ? text : "";
}

static const char *add_fd(yyjson_val *args)
{
	snprintf(disk.opaque, sizeof(disk.opaque), "%s", text_of(args, "opaque"));
	disk.fd = true;
	return "{\"fdset-id\": 1, \"fd\": 21}";
}

static const char *fdsets(void)
{
	static char text[512];

	snprintf(text, sizeof(text),
		 "[{\"fdset-id\": %d, \"fds\": [{\"fd\": 21, \"opaque\": \"%s\"}]}]", FDSET,
		 disk.opaque);
	return disk.fd ? text : "[]";
}

/* Sets @flag to @to if it is not so yet, and the steps before it have been made. */
static const char *change(bool *flag, bool to, bool before, const char **error)
{
	if (*flag != to && before) {
		*flag = to;
		return "{}";
	}
	*error = "the walk's QEMU has no such disk, or has it already";
	return NULL;
}

const char *disk_command(const char *name, yyjson_val *args, const char **error)
{
	if (!strcmp(name, "add-fd") && !strncmp(text_of(args, "opaque"), "holdover-disk:", 14))
		return add_fd(args);
	if (!strcmp(name, "remove-fd") && yyjson_get_uint(yyjson_obj_get(args, "fdset-id")) == FDSET)
		return change(&disk.fd, false, !disk.node, error);
	if (!strcmp(name, "query-fdsets"))
		return fdsets();
	if (!strcmp(name, "device-list-properties"))
		return "[{\"name\": \"drive\", \"type\": \"str\"}]";
	if (!strcmp(name, "blockdev-add")) {
		snprintf(disk.id, sizeof(disk.id), "%s", text_of(args, "node-name"));
		return change(&disk.node, true, disk.fd, error);
	}
	if (!strcmp(name, "blockdev-del"))
		return change(&disk.node, false, !disk.device, error);
	if (!strcmp(name, "device_add"))
		return change(&disk.device, true, disk.node, error);
	if (!strcmp(name, "device_del"))
		return change(&disk.device, false, true, error);
	if (!strcmp(name, "qom-list") && !strncmp(text_of(args, "path"), "/machine/peripheral/", 20)) {
		if (disk.device)
			return "[]";
		*error = "it is not plugged in";
	}
	return NULL;
}

const char *disk_with_device(const char *name, const char *text)
{
	static char more[6144];
	size_t n = strlen(text) - 1;

	bool node = !strcmp(name, "query-named-block-nodes");

	if (node ? !disk.node :
		   !disk.device || (strcmp(name, "qom-list") && strcmp(name, "query-block")))
		return text;
	snprintf(more, sizeof(more), "%.*s%s", (int)n, text, n > 1 ? ", " : "");
	n = strlen(more);
	if (node)
		snprintf(more + n, sizeof(more) - n,
			 "{\"node-name\": \"%s\", \"file\": \"/dev/fdset/%d\"}]", disk.id, FDSET);
	else if (!strcmp(name, "qom-list"))
		snprintf(more + n, sizeof(more) - n,
			 "{\"name\": \"%s\", \"type\": \"child<virtio-blk-pci>\"}]", disk.id);
	else
		snprintf(more + n, sizeof(more) - n,
			 "{\"device\": \"\", \"qdev\": \"/machine/peripheral/%s/virtio-backend\", "
			 "\"inserted\": {\"ro\": false, \"file\": \"/dev/fdset/%d\"}}]",
			 disk.id, FDSET);
	return more;
}
