/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernels and initramfs that are not files by themselves: they are put into
 * memory, and their path is /proc/self/fd/N. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io.h"
#include "kexec_uki.h"
#include "target.h"

#define CHUNK 65536

static int set_fd_path(char **path, int fd, struct err *e)
{
	char text[32];

	snprintf(text, sizeof(text), "/proc/self/fd/%d", fd);
	free(*path);
	*path = strdup(text);
	return *path ? 0 : err_sys(e, ENOMEM, "target");
}

int target_unpack(struct target *t, struct err *e)
{
	_cleanup_close_ int fd = open(t->kernel, O_RDONLY | O_CLOEXEC);
	struct uki u _cleanup_uki_ = UKI_INIT;
	int r;

	if (fd < 0)
		return 0; /* the checks say why it cannot be used */
	r = uki_open(fd, t->kernel, &u, e);
	if (r <= 0)
		return r;
	t->kernel_fd = steal_fd(&u.kernel);
	if (set_fd_path(&t->kernel, t->kernel_fd, e) < 0)
		return -1;
	if (u.initrd >= 0 && !t->initrd) {
		t->initrd_fd = steal_fd(&u.initrd);
		if (set_fd_path(&t->initrd, t->initrd_fd, e) < 0)
			return -1;
	}
	if (u.cmdline && !t->cmdline)
		t->cmdline = steal_ptr(&u.cmdline);
	return 0;
}

static int append_file(int out, const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	static const char zeros[4];
	_cleanup_free_ char *chunk = malloc(CHUNK);
	size_t total = 0;

	if (fd < 0)
		return err_sys(e, errno, "initrd %s", path);
	if (!chunk)
		return err_sys(e, ENOMEM, "initrd %s", path);
	for (;;) {
		ssize_t n = read(fd, chunk, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "initrd %s", path);
		if (n == 0)
			return io_write_all(out, zeros, -total % 4, path, e);
		if (io_write_all(out, chunk, (size_t)n, path, e) < 0)
			return -1;
		total += (size_t)n;
	}
}

int target_join(struct target *t, char *const *paths, unsigned int n, struct err *e)
{
	if (n == 1) {
		t->initrd = strdup(paths[0]);
		return t->initrd ? 0 : err_sys(e, ENOMEM, "initrd");
	}
	t->initrd_fd = memfd_create("holdover-initrd", MFD_CLOEXEC);
	if (t->initrd_fd < 0)
		return err_sys(e, errno, "initrd");
	for (unsigned int i = 0; i < n; i++)
		if (append_file(t->initrd_fd, paths[i], e) < 0)
			return -1;
	return set_fd_path(&t->initrd, t->initrd_fd, e);
}
