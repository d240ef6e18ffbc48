/* SPDX-License-Identifier: GPL-2.0-only */
#include "io.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

void buf_free(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
}

int io_read_fd(int fd, const char *what, size_t max, struct buf *out, struct err *e)
{
	_cleanup_free_ char *data = NULL;
	size_t len = 0, cap = 4096;

	data = malloc(cap);
	if (!data)
		return err_sys(e, ENOMEM, "%s", what);
	for (;;) {
		ssize_t n;

		if (cap - len < 2) {
			char *bigger = realloc(data, cap * 2);

			if (!bigger)
				return err_sys(e, ENOMEM, "%s", what);
			data = bigger;
			cap *= 2;
		}
		n = read(fd, data + len, cap - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "reading %s", what);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return err_set(e, ERR_REFUSED, "%s is longer than %zu bytes", what, max);
	}
	data[len] = '\0';
	out->data = steal_ptr(&data);
	out->len = len;
	return 0;
}

int io_read_file(const char *path, size_t max, struct buf *out, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_ABSENT, "%s does not exist", path);
	if (fd < 0)
		return err_sys(e, errno, "opening %s", path);
	return io_read_fd(fd, path, max, out, e);
}

int io_read_line(const char *path, char *buf, size_t size, struct err *e)
{
	_cleanup_buf_ struct buf b = { 0 };
	size_t n;

	if (io_read_file(path, 65536, &b, e) < 0)
		return -1;
	n = strcspn(b.data, "\n");
	if (n >= size)
		return err_set(e, ERR_REFUSED, "%s: line longer than %zu bytes", path, size - 1);
	memcpy(buf, b.data, n);
	buf[n] = '\0';
	return 0;
}

int io_read_u64(const char *path, uint64_t *out, struct err *e)
{
	char line[64], *end;

	if (io_read_line(path, line, sizeof(line), e) < 0)
		return -1;
	errno = 0;
	*out = strtoull(line, &end, 0);
	if (errno || end == line || *end)
		return err_set(e, ERR_FORMAT, "%s: '%s' is not a number", path, line);
	return 0;
}

int io_write_all(int fd, const void *data, size_t len, const char *what, struct err *e)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, "writing %s", what);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Makes a rename or an unlink in the folder of @path survive a crash. */
static int fsync_folder(const char *path, struct err *e)
{
	_cleanup_free_ char *dir = strdup(path);
	_cleanup_close_ int fd = -1;
	char *slash;

	if (!dir)
		return err_sys(e, ENOMEM, "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		*(slash == dir ? slash + 1 : slash) = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, errno, "syncing the folder of %s", path);
	return 0;
}

int io_write_file(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char tmp[4096];

	if (io_path(tmp, sizeof(tmp), e, "%s.tmp%d", path, (int)getpid()) < 0)
		return -1;
	(void)unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_sys(e, errno, "creating %s", tmp);
	if (fchmod(fd, mode) < 0) {
		err_sys(e, errno, "setting the mode of %s", tmp);
		goto fail;
	}
	if (io_write_all(fd, data, len, tmp, e) < 0)
		goto fail;
	if (fsync(fd) < 0) {
		err_sys(e, errno, "syncing %s", tmp);
		goto fail;
	}
	if (rename(tmp, path) < 0) {
		err_sys(e, errno, "renaming %s to %s", tmp, path);
		goto fail;
	}
	return fsync_folder(path, e);
fail:
	(void)unlink(tmp);
	return -1;
}

int io_write_sysfs(const char *path, const char *text, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "opening %s", path);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return err_sys(e, errno, "writing '%s' to %s", text, path);
	return 0;
}

int io_unlink_durable(const char *path, struct err *e)
{
	if (unlink(path) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, errno, "removing %s", path);
	}
	return fsync_folder(path, e);
}

int io_mkdir_p(const char *path, mode_t mode, struct err *e)
{
	_cleanup_free_ char *copy = strdup(path);
	struct stat st;

	if (!copy)
		return err_sys(e, ENOMEM, "%s", path);
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return err_sys(e, errno, "making %s", copy);
		*p = '/';
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_sys(e, errno, "making %s", path);
	if (lstat(path, &st) < 0)
		return err_sys(e, errno, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_REFUSED, "%s is not a folder; remove it and try again", path);
	if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0)
		return err_sys(e, errno, "setting the mode of %s", path);
	return 0;
}

int io_memfd(const char *name, const void *data, size_t len, struct err *e)
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(e, errno, "memfd %s", name);
	if (len && io_write_all(fd, data, len, name, e) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "memfd %s", name);
	return steal_fd(&fd);
}

int io_boot_id(uint8_t id[16], struct err *e)
{
	char line[64];

	if (io_read_line("/proc/sys/kernel/random/boot_id", line, sizeof(line), e) < 0)
		return -1;
	return io_uuid_parse(line, id, e);
}

int io_unhex(const char *text, uint8_t *out, size_t len, struct err *e)
{
	for (size_t i = 0; i < len * 2; i++) {
		const char *digits = "0123456789abcdef";
		const char *at = text[i] ? strchr(digits, tolower((unsigned char)text[i])) : NULL;

		if (!at)
			return err_set(e, ERR_FORMAT, "expected %zu hex digits, found '%.80s'",
				       len * 2, text);
		out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | (at - digits) : (at - digits) << 4);
	}
	if (text[len * 2])
		return err_set(e, ERR_FORMAT, "expected %zu hex digits, found more", len * 2);
	return 0;
}

void io_hex(const uint8_t *data, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", data[i]);
	out[2 * len] = '\0';
}

int io_uuid_parse(const char *text, uint8_t id[16], struct err *e)
{
	char hex[33];
	size_t n = 0;

	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (!text[i] || (text[i] == '-') != dash)
			return err_set(e, ERR_FORMAT, "'%.40s' is not a uuid", text);
		if (!dash)
			hex[n++] = text[i];
	}
	hex[n] = '\0';
	if (text[36] || io_unhex(hex, id, 16, e) < 0)
		return err_set(e, ERR_FORMAT, "'%.40s' is not a uuid", text);
	return 0;
}

void io_uuid_format(const uint8_t id[16], char text[37])
{
	char hex[33];

	io_hex(id, 16, hex);
	snprintf(text, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

int io_parse_size(const char *text, uint64_t *out, struct err *e)
{
	static const char suffixes[] = "KMGT";
	const char *at;
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || !isdigit((unsigned char)*text))
		return err_set(e, ERR_FORMAT, "'%.80s' is not a size; write 512M, 4G or bytes", text);
	if (*end) {
		at = strchr(suffixes, toupper((unsigned char)*end));
		if (!at || end[1])
			return err_set(e, ERR_FORMAT,
				       "'%.80s' is not a size; suffixes are "
				       "K, M, G and T",
				       text);
		for (long i = 0; i <= at - suffixes; i++) {
			if (n > UINT64_MAX / 1024)
				return err_set(e, ERR_FORMAT, "'%.80s' is too large", text);
			n *= 1024;
		}
	}
	*out = n;
	return 0;
}

void io_format_size(uint64_t bytes, char *out, size_t size)
{
	static const char suffixes[] = " KMGT";
	unsigned int i = 0;

	while (bytes && bytes % 1024 == 0 && i < 4) {
		bytes /= 1024;
		i++;
	}
	if (i)
		snprintf(out, size, "%" PRIu64 "%c", bytes, suffixes[i]);
	else
		snprintf(out, size, "%" PRIu64, bytes);
}

int64_t io_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int io_path(char *buf, size_t size, struct err *e, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= size)
		return err_set(e, ERR_REFUSED, "path too long: %.80s...", buf);
	return 0;
}
