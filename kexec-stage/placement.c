/* SPDX-License-Identifier: GPL-2.0-only */
#include "placement.h"

#include <sys/stat.h>

#include "io.h"

static bool device_of(const char *root, const char *path, dev_t *out)
{
	char full[4096];
	struct err ignored;
	struct stat st;

	if (io_path(full, sizeof(full), &ignored, "%s%s", root, path) < 0 || stat(full, &st) < 0)
		return false;
	*out = st.st_dev;
	return true;
}

/* Of those that the initramfs mounts. */
static bool on_root(const char *root, const char *path)
{
	dev_t of, slash, usr;

	if (!device_of(root, path, &of))
		return false;
	return (device_of(root, "/", &slash) && of == slash) ||
		(device_of(root, "/usr", &usr) && of == usr);
}

enum vm_placement placement_expect(const char *root, enum vm_placement wanted,
				   const struct disk *disks, unsigned int ndisks, char *why,
				   size_t size)
{
	enum vm_placement got = wanted;

	*why = '\0';
	for (unsigned int i = 0; i < ndisks && got != VM_PLACE_LATE; i++) {
		const struct disk *d = &disks[i];

		if (d->is_block)
			continue;
		if (!on_root(root, d->path)) {
			snprintf(why, size,
				 "disk %s is on a file system that the initramfs does not mount",
				 d->path);
			got = VM_PLACE_LATE;
		} else if (got == VM_PLACE_INITRAMFS && d->writable) {
			snprintf(why, size,
				 "disk %s is a file, and before the root is mounted there are only block "
				 "devices",
				 d->path);
			got = VM_PLACE_SYSROOT;
		}
	}
	return got;
}
