/* SPDX-License-Identifier: GPL-2.0-only */
/* Is a QEMU's RAM what it should be: the device, not a file made by accident? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "io.h"
#include "qemu.h"

static bool same_object(const struct stat *a, const struct stat *b)
{
	if ((a->st_mode & S_IFMT) != (b->st_mode & S_IFMT))
		return false;
	if (S_ISCHR(a->st_mode)) /* each /dev has its own node of one device */
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int stat_ram(const char *path, struct stat *st, struct err *e)
{
	if (stat(path, st) < 0)
		return err_sys(e, errno, "RAM %s", path);
	if (!S_ISCHR(st->st_mode) && !S_ISREG(st->st_mode))
		return err_set(e, ERR_REFUSED, "RAM %s is neither a device nor a file", path);
	return 0;
}

int qemu_ram_path_check(const char *root, const struct ram *ram, struct err *e)
{
	const char *shown = root ? root : "", *path = ram->path;
	_cleanup_close_ int fd = -1;
	struct stat want, st;

	if (stat_ram(path, &want, e) < 0)
		return -1;
	if (S_ISREG(want.st_mode) && (uint64_t)want.st_size < ram->offset + ram->size)
		return err_set(e, ERR_MISMATCH,
			       "RAM %s has %llu bytes instead of %" PRIu64
			       ", and QEMU would make the rest of zeros",
			       path, (unsigned long long)want.st_size, ram->offset + ram->size);
	fd = io_open_in_root(root, path, O_PATH);
	if (fd < 0)
		return err_set(e, ERR_ABSENT,
			       "RAM %s does not exist in %s (%s), and QEMU would make an empty file "
			       "of that name; is /dev mounted there?",
			       path, *shown ? shown : "/", strerror(-fd));
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "RAM %s%s", shown, path);
	if (!same_object(&want, &st))
		return err_set(e, ERR_ABSENT,
			       "RAM %s%s is not the %s %s; is another /dev mounted there?", shown,
			       path, S_ISCHR(want.st_mode) ? "device" : "file", path);
	return 0;
}

/**
 * struct mapping - a line of /proc/PID/maps
 * @offset: in the mapped object
 * @len: bytes
 */
struct mapping {
	uint64_t start, end;
	uint64_t offset, len;
	bool shared, writable;
};

static bool parse_line(const char *line, struct mapping *m)
{
	char perms[5];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64, &m->start, &m->end, perms,
		   &m->offset) != 4 ||
	    m->end <= m->start)
		return false;
	m->len = m->end - m->start;
	m->writable = perms[0] == 'r' && perms[1] == 'w';
	m->shared = perms[3] == 's';
	return true;
}

/* The kernel's own link to what is mapped: paths mean nothing in a chroot. */
static bool maps_object(pid_t pid, const struct mapping *m, const struct stat *want)
{
	char link[96];
	struct stat st;

	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, m->start,
		 m->end);
	return stat(link, &st) == 0 && same_object(want, &st);
}

int qemu_ram_mapped_check(pid_t pid, const struct ram *ram, struct err *e)
{
	uint64_t next = ram->offset, end = ram->offset + ram->size;
	_cleanup_fclose_ FILE *f = NULL;
	char maps[64], line[512];
	bool lives = false;
	struct stat want;

	if (stat_ram(ram->path, &want, e) < 0)
		return -1;
	snprintf(maps, sizeof(maps), "/proc/%d/maps", (int)pid);
	f = fopen(maps, "re");
	if (!f)
		return err_sys(e, errno, "%s", maps);
	/* In one piece, or in adjacent ones, in the order of addresses. A path
	 * longer than a line only gives lines that say nothing. */
	while (next < end && fgets(line, sizeof(line), f)) {
		struct mapping m;

		lives = true;
		if (!parse_line(line, &m) || !m.shared || !m.writable || m.offset > next ||
		    m.len <= next - m.offset || !maps_object(pid, &m, &want))
			continue;
		next = m.offset + m.len;
	}
	if (!lives)
		return err_set(e, ERR_EXITED, "QEMU (pid %d) has ended", (int)pid);
	if (next < end)
		return err_set(e, ERR_MISMATCH,
			       "QEMU (pid %d) has not mapped %s at %" PRIu64 " as its RAM",
			       (int)pid, ram->path, ram->offset);
	return 0;
}
