/* SPDX-License-Identifier: GPL-2.0-only */
#include "disk_wait.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "device.h"
#include "io.h"
#include "restore_check.h"

/* The deepest folder of @path that is there: the next part of the path, or the
 * link of udev, appears in it. */
static int watch(int fd, const char *path, struct err *e)
{
	char dir[4096];

	if (io_path(dir, sizeof(dir), e, "%s", path) < 0)
		return -1;
	for (;;) {
		char *slash = strrchr(dir, '/');

		if (!slash)
			return err_set(e, ERR_USAGE, "%s is not an absolute path", path);
		slash[slash == dir] = '\0';
		if (inotify_add_watch(fd, dir, IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR) >= 0)
			return 0;
		if ((errno != ENOENT && errno != ENOTDIR) || slash == dir)
			return err_sys(e, errno, "watching %s", dir);
	}
}

static const struct manifest_vm *waiting(const struct restore *r, const struct restore_outcome *o)
{
	for (unsigned int i = 0; o->disk_missing && i < r->m.nvms; i++)
		if (!strcmp(r->m.vms[i].vm.name, o->name))
			return &r->m.vms[i];
	return NULL;
}

struct watching {
	int fd;
	struct err *e;
};

static int watch_device(void *ctx, const char *path)
{
	const struct watching *w = ctx;

	return watch(w->fd, path, w->e);
}

static int watch_vm(int fd, const struct manifest_vm *mv, struct err *e)
{
	struct watching w = { .fd = fd, .e = e };

	for (unsigned int k = 0; k < mv->ndisks; k++)
		if (watch(fd, mv->disks[k].path, e) < 0)
			return -1;
	return device_each(&mv->vm, watch_device, &w);
}

/* Watches first, then looks: what comes in between is not missed. */
static int look(int fd, const struct restore *r, const struct restore_report *report, bool *any,
		bool *ready, struct err *e)
{
	*any = *ready = false;
	for (unsigned int i = 0; i < report->vms; i++) {
		const struct manifest_vm *mv = waiting(r, &report->vm[i]);
		struct err why = { 0 };

		if (!mv)
			continue;
		*any = true;
		if (watch_vm(fd, mv, e) < 0)
			return -1;
		/* Anything but "not there" is the engine's to judge. */
		*ready |= (check_devices(r, mv, &why) == 0 &&
			   check_disks(r, mv, true, false, &why) == 0) ||
			why.kind != ERR_ABSENT;
	}
	return 0;
}

int disk_wait(const struct restore *r, const struct restore_report *report, int64_t until,
	      const char *stop, struct err *e)
{
	_cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char events[4096];
	bool any, ready;

	if (fd < 0)
		return err_sys(e, errno, "inotify");
	for (;;) {
		int64_t left = until - io_now_ms();

		if (watch(fd, stop, e) < 0 || look(fd, r, report, &any, &ready, e) < 0)
			return -1;
		if (!any || left <= 0 || access(stop, F_OK) == 0)
			return 0;
		if (ready)
			return 1;
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return err_sys(e, errno, "waiting for disks");
		while (read(fd, events, sizeof(events)) > 0)
			;
	}
}
