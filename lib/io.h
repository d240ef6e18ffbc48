/* SPDX-License-Identifier: GPL-2.0-only */
/* Files, descriptors, identities and numbers: what libc leaves to its user. */
#ifndef HOLDOVER_IO_H
#define HOLDOVER_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/** struct buf - an owned byte buffer; @data is NUL-terminated past @len. */
struct buf {
	char *data;
	size_t len;
};

void buf_free(struct buf *b);
#define _cleanup_buf_ _cleanup_(buf_free)

/** io_read_file() - read @path whole, at most @max bytes.
 *
 * Returns 0 with @out owned by the caller; -1 with ABSENT if there is no such
 * file, REFUSED if it is longer than @max, IO otherwise. sysfs and procfs
 * files are read until EOF, whatever st_size says.
 */
_must_check_ int io_read_file(const char *path, size_t max, struct buf *out, struct err *e);

/** io_read_fd() - as io_read_file() from the current position of @fd. */
_must_check_ int io_read_fd(int fd, const char *what, size_t max, struct buf *out, struct err *e);

/** io_read_line() - first line of a small file into @buf, without newline. */
_must_check_ int io_read_line(const char *path, char *buf, size_t size, struct err *e);

/** io_read_u64() - a file that holds one number, decimal or 0x hex. */
_must_check_ int io_read_u64(const char *path, uint64_t *out, struct err *e);

/** io_write_all() - write the whole of @data, over short writes and EINTR. */
_must_check_ int io_write_all(int fd, const void *data, size_t len, const char *what, struct err *e);

/** io_write_file() - replace @path atomically: temporary name, fsync, rename,
 * fsync of the folder. The file gets exactly @mode. */
_must_check_ int io_write_file(const char *path, const void *data, size_t len, mode_t mode,
			       struct err *e);

/** io_write_sysfs() - one write() of @text to an existing file. */
_must_check_ int io_write_sysfs(const char *path, const char *text, struct err *e);

/** io_unlink_durable() - remove @path if it is there and fsync its folder. */
_must_check_ int io_unlink_durable(const char *path, struct err *e);

/** io_mkdir_p() - make @path and its parents; the last one gets @mode even if
 * it was there before, and must not be a symbolic link. */
_must_check_ int io_mkdir_p(const char *path, mode_t mode, struct err *e);

/** io_memfd() - a sealable, close-on-exec memfd with @len bytes of @data;
 * returns the descriptor or -1. The position is 0. */
int io_memfd(const char *name, const void *data, size_t len, struct err *e);

/** io_open_in_root() - open @path as a process chrooted into @root (NULL or ""
 * for "/") would, symbolic links included. Close-on-exec. Returns the
 * descriptor, or -errno. */
int io_open_in_root(const char *root, const char *path, int flags);

/** io_lock() - take an exclusive flock on @path (made 0600) without waiting.
 *
 * Returns the descriptor to keep open, or -1 with REFUSED naming the holder's
 * pid, which every holder writes into the file.
 */
int io_lock(const char *path, struct err *e);

/** io_lock_wait() - the same, waiting for at most @timeout_ms. */
int io_lock_wait(const char *path, int timeout_ms, struct err *e);

/** io_boot_id() - this boot's id from /proc, as 16 bytes. */
_must_check_ int io_boot_id(uint8_t id[16], struct err *e);

/** io_uuid_parse()/io_uuid_format() - 36 character form, lower case. */
_must_check_ int io_uuid_parse(const char *text, uint8_t id[16], struct err *e);
void io_uuid_format(const uint8_t id[16], char text[37]);

/** io_hex() - lower-case hex of @len bytes into @out (2 * len + 1 bytes). */
void io_hex(const uint8_t *data, size_t len, char *out);
_must_check_ int io_unhex(const char *text, uint8_t *out, size_t len, struct err *e);

/** io_parse_size() - "512M", "4G", "0x1000", "2097152": bytes, suffixes
 * K M G T (powers of 1024), as memmap= and QEMU understand them. */
_must_check_ int io_parse_size(const char *text, uint64_t *out, struct err *e);

/** io_format_size() - the largest unit that divides exactly: 1G, 1006M, 4097. */
void io_format_size(uint64_t bytes, char *out, size_t size);

/** io_now_ms() - CLOCK_MONOTONIC in milliseconds. */
int64_t io_now_ms(void);

/** io_path() - printf a path into @buf; REFUSED if it does not fit. */
_must_check_ int io_path(char *buf, size_t size, struct err *e, const char *fmt, ...) _printf_(4, 5);

#endif
