/* SPDX-License-Identifier: GPL-2.0-only */
#include "inventory.h"

#include <errno.h>
#include <string.h>

#include "json.h"
#include "vmctl.h"

void inventory_free(struct inventory *v)
{
	for (unsigned int i = 0; i < v->n; i++)
		free(v->item[i]);
	free(v->item);
	*v = (struct inventory){ .item = NULL };
}

static _printf_(3, 4) int add(struct inventory *v, struct err *e, const char *fmt, ...)
{
	va_list ap;
	int r;

	if (v->n == VM_DEVICES_MAX)
		return err_set(e, ERR_REFUSED, "more than %d devices and drives", VM_DEVICES_MAX);
	va_start(ap, fmt);
	r = vasprintf(&v->item[v->n], fmt, ap);
	va_end(ap);
	if (r < 0)
		return err_sys(e, ENOMEM, "devices");
	v->n++;
	return 0;
}

/* Children of /machine/peripheral (devices with an id) or peripheral-anon. */
static int add_devices(struct qmp *q, struct inventory *v, const char *path, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	yyjson_val *child;
	size_t i, max;

	if (qmp_call(q, "qom-list", -1, VMCTL_TIMEOUT_MS, &m, e, "{\"path\": \"%s\"}", path) < 0)
		return err_wrap(e, "devices");
	yyjson_arr_foreach(m.body, i, max, child) {
		const char *name = yyjson_get_str(yyjson_obj_get(child, "name"));
		const char *type = yyjson_get_str(yyjson_obj_get(child, "type"));

		if (!name || !type || strncmp(type, "child<", 6))
			continue;
		type += 6;
		if (add(v, e, "device %s (%.*s)", name, (int)strcspn(type, ">"), type) < 0)
			return -1;
	}
	return 0;
}

static int add_drives(struct qmp *q, struct inventory *v, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	yyjson_val *drive;
	size_t i, max;

	if (qmp_call(q, "query-block", -1, VMCTL_TIMEOUT_MS, &m, e, NULL) < 0)
		return err_wrap(e, "drives");
	yyjson_arr_foreach(m.body, i, max, drive) {
		const char *name = yyjson_get_str(yyjson_obj_get(drive, "device"));
		const char *qdev = yyjson_get_str(yyjson_obj_get(drive, "qdev"));
		const char *file =
			yyjson_get_str(yyjson_obj_get(yyjson_obj_get(drive, "inserted"), "file"));

		/* An empty tray is one of what the command line can make, too. */
		if (!file)
			file = "nothing";
		else if (*file != '/')
			file = "an image";
		if (add(v, e, "drive %s: %s", name && *name ? name : qdev ? qdev : "?", file) < 0)
			return -1;
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int inventory_read(struct qmp *q, struct inventory *out, struct err *e)
{
	struct inventory v _cleanup_inventory_ = { .item = calloc(VM_DEVICES_MAX, sizeof(char *)) };

	if (!v.item)
		return err_sys(e, ENOMEM, "devices");
	if (add_devices(q, &v, "/machine/peripheral", e) < 0 ||
	    add_devices(q, &v, "/machine/peripheral-anon", e) < 0 || add_drives(q, &v, e) < 0)
		return -1;
	qsort(v.item, v.n, sizeof(v.item[0]), by_text);
	*out = v;
	v = (struct inventory){ .item = NULL };
	return 0;
}

static void list(char *text, size_t size, const char *item)
{
	size_t at = strlen(text);

	snprintf(text + at, size - at, "%s%s", at ? ", " : "", item);
}

/* "drive /machine/peripheral/ID/...: /dev/fdset/N", or "drive ID: ...": the id
 * of one that came by descriptor, as from 'holdover attach'. */
static void note_attached(char *ids, size_t size, const char *item)
{
	static const char folder[] = "/machine/peripheral/", word[] = "drive ";

	if (strncmp(item, word, strlen(word)) || !strstr(item, ": /dev/fdset/"))
		return;
	item += strlen(word);
	if (!strncmp(item, folder, strlen(folder)))
		item += strlen(folder);
	snprintf(ids + strlen(ids), size - strlen(ids), "%s%.*s", *ids ? ", " : "",
		 (int)strcspn(item, ":/"), item);
}

int inventory_check(const struct manifest_vm *was, const struct inventory *now, struct err *e)
{
	char more[320] = "", less[320] = "", attached[200] = "";
	unsigned int i = 0, k = 0;

	if (!was->devices)
		return 0;
	while (i < was->ndevices || k < now->n) {
		int order = i == was->ndevices ? 1 :
			k == now->n	       ? -1 :
						 strcmp(was->devices[i], now->item[k]);

		if (order < 0)
			list(less, sizeof(less), was->devices[i]);
		if (order > 0) {
			list(more, sizeof(more), now->item[k]);
			note_attached(attached, sizeof(attached), now->item[k]);
		}
		i += order <= 0;
		k += order >= 0;
	}
	if (!*more && !*less)
		return 0;
	if (*attached)
		return err_set(e, ERR_REFUSED,
			       "its QEMU was given disks since it was started, which the command line "
			       "after the jump would not know of (%s%s%s); 'holdover detach %s ID' takes "
			       "each out: %s",
			       more, *less ? "; gone: " : "", less, was->vm.name, attached);
	return err_set(
		e, ERR_REFUSED,
		"its QEMU was changed since it was started, which the command line after the jump "
		"would not know of%s%s%s%s; undo that, or put it into the VM's file and start the "
		"VM anew",
		*more ? "; new: " : "", more, *less ? "; gone: " : "", less);
}
