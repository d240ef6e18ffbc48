/* SPDX-License-Identifier: GPL-2.0-only */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "hotplug.h"
#include "out.h"

/* For a guest that has to unmount nothing, only to answer. */
#define DETACH_TIMEOUT_MS 30000

struct opts {
	const char *name, *id;
	int timeout_ms;
};

static int parse(int argc, char **argv, struct opts *o, struct err *e)
{
	static const struct option options[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ 0 },
	};
	int c;

	o->timeout_ms = DETACH_TIMEOUT_MS;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 't')
			return err_set(e, ERR_USAGE, "unknown option, or its value is missing: %s",
				       argv[optind - 1]);
		if (config_parse_seconds(optarg, &o->timeout_ms, e) < 0)
			return -1;
	}
	if (optind + 2 != argc)
		return err_set(e, ERR_USAGE, "give a VM name and the id of a disk");
	o->name = argv[optind];
	o->id = argv[optind + 1];
	if (hotplug_id_check(o->id, e) < 0)
		return -1;
	return vm_name_check(o->name, e);
}

static const struct hotplug_disk *find(const struct hotplug_list *list, const char *id, struct err *e)
{
	char ids[512] = "";

	for (unsigned int i = 0; i < list->n; i++) {
		size_t at = strlen(ids);

		if (!strcmp(list->disk[i].id, id))
			return &list->disk[i];
		snprintf(ids + at, sizeof(ids) - at, "%s%s", i ? ", " : "", list->disk[i].id);
	}
	err_set(e, ERR_ABSENT, "no disk %s was attached to it by 'holdover attach'%s%s", id,
		*ids ? "; there are: " : "", ids);
	return NULL;
}

static int detach(const struct app *app, struct host *h, const struct opts *o, struct err *e)
{
	_cleanup_free_ struct hotplug_list *list = malloc(sizeof(*list));
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	const struct hotplug_disk *disk;
	yyjson_mut_doc *d;

	if (!list)
		return err_set(e, ERR_IO, "out of memory");
	if (hotplug_open(o->name, &q, e) < 0 || hotplug_list(&q, list, e) < 0)
		return -1;
	disk = find(list, o->id, e);
	if (!disk)
		return -1;
	/* Nobody else can do anything to this VM as long as we have its monitor. */
	host_unlock(h);
	if (hotplug_unplug(&q, disk, o->timeout_ms, e) < 0 || host_lock(h, e) < 0 ||
	    hotplug_drop(&q, disk, e) < 0)
		return err_wrap(e, "disk %s", disk->id);
	if (!app->json) {
		printf("%s: %s (%s) is detached\n", o->name, disk->id, disk->path);
		return EXIT_DONE;
	}
	d = out_begin();
	out_str(d, yyjson_mut_doc_get_root(d), "name", o->name);
	out_str(d, yyjson_mut_doc_get_root(d), "id", disk->id);
	out_str(d, yyjson_mut_doc_get_root(d), "image", disk->path);
	return out_end(d);
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	struct err e = { 0 };
	struct opts o;
	int r;

	if (parse(argc, argv, &o, &e) < 0)
		return cmd_usage(&cmd_detach, "%s", e.msg);
	if (host_open(&h, app, HOST_LOCK, &e) < 0)
		return cmd_fail(&e);
	r = detach(app, &h, &o, &e);
	if (r >= 0)
		return r;
	err_wrap(&e, "vm %s", o.name);
	return cmd_fail(&e);
}

const struct cmd cmd_detach = {
	.name = "detach",
	.args = "[--timeout SECONDS] NAME ID",
	.summary = "take a disk that was attached out again",
	.help = "Asks the guest to let go of the device and waits until it has, then closes the image.\n"
		"'holdover status' lists what is attached.\n\n"
		"  --timeout SECONDS  how long (default 30)\n",
	.run = run,
};
