/* SPDX-License-Identifier: GPL-2.0-only */
#include "pmem.h"

#include <errno.h>
#include <libkmod.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "pmem_internal.h"

/* Time for a module that somebody else is loading to finish its start. */
#define LOADING_MS 5000

enum module_state { MODULE_ABSENT, MODULE_LOADING, MODULE_LIVE };

static enum module_state module_state(const char *name)
{
	struct err ignored;
	char path[128], state[32];

	if (io_path(path, sizeof(path), &ignored, "/sys/module/%s", name) || access(path, F_OK))
		return MODULE_ABSENT;
	if (io_path(path, sizeof(path), &ignored, "/sys/module/%s/initstate", name) ||
	    io_read_line(path, state, sizeof(state), &ignored))
		return MODULE_LIVE; /* built in: has no such file */
	return strcmp(state, "live") ? MODULE_LOADING : MODULE_LIVE;
}

/* Stands in for `install` commands of modprobe.d, which libkmod would hand to
 * a shell. KMOD_PROBE_IGNORE_COMMAND covers only the module asked for, and the
 * best known of these commands is for a dependency (libnvdimm, to load keys). */
static int insert_instead(struct kmod_module *m, const char *cmd, void *data)
{
	(void)cmd;
	(void)data;
	return kmod_module_insert_module(m, 0, kmod_module_get_options(m));
}

static void no_log(void *data, int priority, const char *file, int line, const char *fn,
		   const char *format, va_list args)
{
	(void)data, (void)priority, (void)file, (void)line, (void)fn;
	(void)format, (void)args;
}

static int wait_live(const char *name, struct err *e)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int64_t end = io_now_ms() + LOADING_MS;

	while (module_state(name) != MODULE_LIVE) {
		if (io_now_ms() > end)
			return err_set(e, ERR_TIMEOUT, "module %s: still loading after %d ms", name,
				       LOADING_MS);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int load(struct kmod_ctx *kmod, const char *name, struct err *e)
{
	struct kmod_list *list = NULL, *l;
	struct utsname uts;
	int rc;

	rc = kmod_module_new_from_lookup(kmod, name, &list);
	if (rc == 0 && !list)
		rc = -ENOENT;
	kmod_list_foreach(l, list) {
		struct kmod_module *m = kmod_module_get_module(l);

		rc = kmod_module_probe_insert_module(m, KMOD_PROBE_IGNORE_COMMAND, NULL,
						     insert_instead, NULL, NULL);
		kmod_module_unref(m);
		if (rc < 0)
			break;
	}
	kmod_module_unref_list(list);
	if (rc >= 0)
		return 0;
	if (rc != -ENOENT && rc != -ENOSYS)
		return err_sys(e, -rc, "module %s: loading it failed", name);
	if (uname(&uts))
		return err_sys(e, errno, "uname");
	return err_set(
		e, ERR_ABSENT,
		rc == -ENOENT ?
			"module %s: not in /lib/modules/%s; the kernel needs it (or built in), and so does the initramfs" :
			"module %s: /lib/modules/%s has it in a compressed form that the kernel cannot unpack (CONFIG_MODULE_DECOMPRESS)",
		name, uts.release);
}

int pmem_load_named_modules(const char *const *names, size_t n, struct err *e)
{
	struct kmod_ctx *kmod = NULL;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (module_state(names[i]) == MODULE_ABSENT) {
			/* Reads modprobe.d and the module indexes: not done
			 * when everything is loaded already. */
			if (!kmod)
				kmod = kmod_new(NULL, NULL);
			if (!kmod)
				return err_sys(e, errno ? errno : ENOMEM, "libkmod");
			kmod_set_log_fn(kmod, no_log, NULL);
			rc = load(kmod, names[i], e);
		} else {
			rc = wait_live(names[i], e);
		}
	}
	kmod_unref(kmod);
	return rc;
}

int pmem_load_modules(struct err *e)
{
	static const char *const names[] = { "nd_e820", "nd_pmem", "dax_pmem", "device_dax" };

	return pmem_load_named_modules(names, ARRAY_LEN(names), e);
}
