/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image_files.h"
#include "out.h"

static int add_named(struct image_files *f, const char *dir, const char *name, bool always,
		     struct err *e)
{
	struct vm vm _cleanup_vm_ = { 0 };

	if (vm_load(dir, name, &vm, e) < 0)
		return -1;
	if (!always && vm.placement != VM_PLACE_INITRAMFS)
		return 0;
	return image_files_add(f, &vm, e) < 0 ? err_wrap(e, "vm %s", name) : 0;
}

/* One file that is wrong must not leave the others without their placement. */
static int add_all(struct image_files *f, const char *dir, bool *bad, struct err *e)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct dirent *entry;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "%s", dir);
	while ((entry = readdir(d))) {
		size_t n = strlen(entry->d_name);
		char name[VM_NAME_MAX + 1];
		struct err why = { 0 };

		if (n < 6 || n - 5 > VM_NAME_MAX || strcmp(entry->d_name + n - 5, ".conf"))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(n - 5), entry->d_name);
		if (vm_name_check(name, &why) == 0 && add_named(f, dir, name, false, &why) == 0)
			continue;
		cmd_say("holdover: %s", why.msg);
		*bad = true;
	}
	return 0;
}

static int print(const struct app *app, const struct image_files *f)
{
	yyjson_mut_doc *d;
	yyjson_mut_val *files, *modules;

	if (!app->json) {
		for (unsigned int i = 0; i < f->paths; i++)
			printf("file %s\n", f->path[i]);
		for (unsigned int i = 0; i < f->modules; i++)
			printf("module %s\n", f->module[i]);
		return EXIT_DONE;
	}
	d = out_begin();
	files = yyjson_mut_obj_add_arr(d, yyjson_mut_doc_get_root(d), "files");
	modules = yyjson_mut_obj_add_arr(d, yyjson_mut_doc_get_root(d), "modules");
	for (unsigned int i = 0; i < f->paths; i++)
		yyjson_mut_arr_add_strcpy(d, files, f->path[i]);
	for (unsigned int i = 0; i < f->modules; i++)
		yyjson_mut_arr_add_strcpy(d, modules, f->module[i]);
	return out_end(d);
}

static int run(const struct app *app, int argc, char **argv)
{
	struct image_files f _cleanup_(image_files_free) = { .paths = 0 };
	struct err e = { 0 };
	bool bad = false;
	char dir[4096];
	int r;

	if (host_vms_dir(app, dir, sizeof(dir), &e) < 0)
		return cmd_fail(&e);
	for (int i = 1; i < argc; i++)
		if (vm_name_check(argv[i], &e) < 0 || add_named(&f, dir, argv[i], true, &e) < 0)
			return cmd_fail(&e);
	if (argc == 1 && add_all(&f, dir, &bad, &e) < 0)
		return cmd_fail(&e);
	r = print(app, &f);
	return r == EXIT_DONE && bad ? EXIT_PARTIAL : r;
}

const struct cmd cmd_image_files = {
	.name = "image-files",
	.args = "[NAME...]",
	.summary = "what VMs with placement = initramfs need in the image",
	.help = "Prints what the dracut module puts into the image for them: 'file PATH' for QEMU, its\n"
		"modules and firmware (libraries are the module's to find), 'module NAME' for kernel\n"
		"modules. With NAMEs for these VMs, whatever their placement. Disks are never among it.\n",
	.run = run,
};
