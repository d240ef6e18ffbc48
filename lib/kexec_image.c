/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a kernel image says of itself: Documentation/arch/x86/boot.rst.
 *
 *	0x1f1	setup_sects: sectors of 512 bytes after the first one
 *	0x1f4	syssize: paragraphs of 16 bytes after those
 *	0x202	"HdrS"
 *	0x20e	where, less 0x200, the version text begins
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kexec.h"

#define HEAD_SIZE 0x210

/* 1 with @head filled in, 0 if it is no image of this kind. */
static int read_head(int fd, uint8_t head[HEAD_SIZE])
{
	return pread(fd, head, HEAD_SIZE, 0) == HEAD_SIZE && !memcmp(head + 0x202, "HdrS", 4);
}

int kexec_release(const char *kernel_path, char *out, size_t size, struct err *e)
{
	_cleanup_close_ int fd = open(kernel_path, O_RDONLY | O_CLOEXEC);
	uint8_t head[HEAD_SIZE];
	char text[128] = "";
	off_t at;

	if (fd < 0)
		return err_sys(e, errno, "kernel %s", kernel_path);
	if (!read_head(fd, head))
		return err_set(e, ERR_FORMAT, "kernel %s: no boot header", kernel_path);
	at = (head[0x20e] | head[0x20f] << 8) + 0x200;
	if (pread(fd, text, sizeof(text) - 1, at) <= 0 || !strcspn(text, " "))
		return err_set(e, ERR_FORMAT, "kernel %s: no version in its header", kernel_path);
	text[strcspn(text, " ")] = '\0';
	return io_path(out, size, e, "%s", text);
}

int kexec_image_whole(const char *kernel_path, struct err *e)
{
	_cleanup_close_ int fd = open(kernel_path, O_RDONLY | O_CLOEXEC);
	uint8_t head[HEAD_SIZE];
	uint64_t want;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "kernel %s", kernel_path);
	if (!read_head(fd, head))
		return 0;
	/* 0 means 4 there. */
	want = ((head[0x1f1] ? head[0x1f1] : 4) + 1) * 512ULL +
		16ULL *
			(head[0x1f4] | head[0x1f5] << 8 | head[0x1f6] << 16 |
			 (uint64_t)head[0x1f7] << 24);
	if ((uint64_t)st.st_size >= want)
		return 0;
	return err_set(e, ERR_FORMAT,
		       "kernel %s is cut short: %lld bytes of %" PRIu64 "; install it anew",
		       kernel_path, (long long)st.st_size, want);
}
