/* SPDX-License-Identifier: GPL-2.0-only */
#include "sysroot.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "io.h"

static int bind_one(const char *root, dev_t root_dev, const char *dir, struct err *e)
{
	char target[4096];
	struct stat st;

	if (io_path(target, sizeof(target), e, "%s%s", root, dir) < 0)
		return -1;
	/* Not through a link: a root of somebody else's making could lead
	 * anywhere. */
	if (lstat(target, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_ABSENT, "%s has no folder %s; is the root mounted?", root, dir);
	if (st.st_dev != root_dev)
		return 0;
	if (mount(dir, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(e, errno, "binding %s to %s", dir, target);
	return 0;
}

int sysroot_prepare(const char *root, struct err *e)
{
	static const char *const dirs[] = { "/dev", "/proc", "/sys", "/run" };
	struct stat st;

	if (stat(root, &st) < 0)
		return err_set(e, ERR_ABSENT, "%s does not exist", root);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (bind_one(root, st.st_dev, dirs[i], e) < 0)
			return -1;
	return 0;
}
