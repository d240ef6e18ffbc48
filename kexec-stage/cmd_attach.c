/* SPDX-License-Identifier: GPL-2.0-only */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "hotplug.h"
#include "out.h"

struct opts {
	const char *name, *image;
	const char *id, *format, *device;
	bool readonly;
};

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		{ "id", required_argument, NULL, 'i' },
		{ "format", required_argument, NULL, 'f' },
		{ "device", required_argument, NULL, 'd' },
		{ "readonly", no_argument, NULL, 'r' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			o->id = optarg;
			break;
		case 'f':
			o->format = optarg;
			break;
		case 'd':
			o->device = optarg;
			break;
		case 'r':
			o->readonly = true;
			break;
		default:
			return err_set(e, ERR_USAGE, "unknown option, or its value is missing: %s",
				       argv[optind - 1]);
		}
	}
	if (optind + 2 != argc)
		return err_set(e, ERR_USAGE, "give a VM name and an image");
	o->name = argv[optind];
	o->image = argv[optind + 1];
	if (o->format && strcmp(o->format, "raw") && strcmp(o->format, "qcow2"))
		return err_set(e, ERR_USAGE, "--format is raw or qcow2, not '%.40s'", o->format);
	if (o->id && hotplug_id_check(o->id, e) < 0)
		return -1;
	return vm_name_check(o->name, e);
}

static bool taken(const struct hotplug_list *list, const char *id)
{
	for (unsigned int i = 0; i < list->n; i++)
		if (!strcmp(list->disk[i].id, id))
			return true;
	return false;
}

/* The operator's, or the first free attachedN. */
static int choose_id(const struct opts *o, struct qmp *q, char id[HOTPLUG_ID_MAX + 1], struct err *e)
{
	_cleanup_free_ struct hotplug_list *list = malloc(sizeof(*list));

	if (!list)
		return err_set(e, ERR_IO, "out of memory");
	if (hotplug_list(q, list, e) < 0)
		return -1;
	if (list->n == HOTPLUG_MAX)
		return err_set(e, ERR_REFUSED, "%d disks are attached to it already", HOTPLUG_MAX);
	if (o->id && taken(list, o->id))
		return err_set(e, ERR_REFUSED,
			       "a disk %s is attached to it already; choose another --id, or detach that "
			       "one first",
			       o->id);
	snprintf(id, HOTPLUG_ID_MAX + 1, "%s", o->id ? o->id : "attached1");
	for (unsigned int n = 2; !o->id && taken(list, id); n++)
		snprintf(id, HOTPLUG_ID_MAX + 1, "attached%u", n);
	return 0;
}

static int print(const struct app *app, const struct opts *o, const char *id, const char *path,
		 const char *bus)
{
	yyjson_mut_doc *d;
	yyjson_mut_val *obj;

	if (!app->json) {
		printf("%s: %s is attached as %s, %s%s%s; until 'holdover detach %s %s' the VM cannot "
		       "jump\n",
		       o->name, path, id, o->device, *bus ? " behind " : "", bus, o->name, id);
		return EXIT_DONE;
	}
	d = out_begin();
	obj = yyjson_mut_doc_get_root(d);
	out_str(d, obj, "name", o->name);
	out_str(d, obj, "id", id);
	out_str(d, obj, "image", path);
	out_str(d, obj, "format", o->format);
	out_str(d, obj, "device", o->device);
	out_str(d, obj, "bus", bus);
	yyjson_mut_obj_add_bool(d, obj, "readonly", o->readonly);
	return out_end(d);
}

static int attach(const struct app *app, struct opts *o, struct hotplug_image *image, struct err *e)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct device_args args;
	char id[HOTPLUG_ID_MAX + 1];

	if (hotplug_open(o->name, &q, e) < 0 ||
	    hotplug_image_open(o->image, o->format, o->readonly, image, e) < 0 ||
	    choose_id(o, &q, id, e) < 0)
		return -1;
	o->format = o->format ? o->format : "raw";
	o->device = o->device ? o->device : "virtio-blk-pci";
	if (hotplug_device(&q, o->device, id, &args, e) < 0)
		return -1;
	if (hotplug_attach(&q, image, id, o->format, o->readonly, &args, e) < 0) {
		if (!*args.bus && strstr(e->msg, "not support hotplugging")) {
			size_t at = strlen(e->msg);

			snprintf(e->msg + at, sizeof(e->msg) - at,
				 "; this machine type needs one free port a disk from its start on: "
				 "'-device pcie-root-port,id=port1,chassis=1' in the VM's args");
		}
		return -1;
	}
	return print(app, o, id, image->path, args.bus);
}

static int run(const struct app *app, int argc, char **argv)
{
	struct hotplug_image image _cleanup_(hotplug_image_close) = HOTPLUG_IMAGE_INIT;
	struct host h _cleanup_host_ = HOST_INIT;
	struct opts o = { 0 };
	struct err e = { 0 };
	int r;

	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_attach, "%s", e.msg);
	if (host_open(&h, app, HOST_LOCK, &e) < 0)
		return cmd_fail(&e);
	r = attach(app, &o, &image, &e);
	if (r >= 0)
		return r;
	err_wrap(&e, "vm %s", o.name);
	return cmd_fail(&e);
}

const struct cmd cmd_attach = {
	.name = "attach",
	.args = "[--id ID] [--format raw|qcow2] [--device DRIVER[,KEY=VALUE]] [--readonly] NAME IMAGE",
	.summary = "plug a disk into a running VM, by descriptor",
	.help = "Opens the image here and hands it to QEMU, which need not see it or have the right to\n"
		"open it. The VM cannot jump until it was detached.\n\n"
		"  --id ID            of the device (default attached1, attached2, ...)\n"
		"  --format FORMAT    raw (the default) or qcow2, never guessed; no backing files\n"
		"  --device DRIVER[,KEY=VALUE]\n"
		"                     as for QEMU's -device (default virtio-blk-pci)\n"
		"  --readonly         the guest only reads\n",
	.run = run,
};
