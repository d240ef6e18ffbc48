/* SPDX-License-Identifier: GPL-2.0-only */
#include "ticket.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger_impl.h"

static_assert(TICKET_FILE_SIZE == sizeof(struct ticket_media), "ticket");

static void scope_wipe_media(struct ticket_media *m)
{
	sodium_memzero(m, sizeof(*m));
}
#define _cleanup_media_ _cleanup_(scope_wipe_media)

int ticket_make(struct ticket *t, const struct ledger_geometry *geo, uint64_t generation,
		struct err *e)
{
	if (sodium_init() < 0)
		return err_set(e, ERR_IO, "ticket: the system gives no random numbers for its key");
	memset(t, 0, sizeof(*t));
	randombytes_buf(t->key, sizeof(t->key));
	t->generation = generation;
	t->region_start = geo->region_start;
	t->region_size = geo->region_size;
	memcpy(t->namespace_uuid, geo->namespace_uuid, 16);
	memcpy(t->ledger_uuid, geo->ledger_uuid, 16);
	memcpy(t->fs_uuid, geo->fs_uuid, 16);
	return 0;
}

void ticket_wipe(struct ticket *t)
{
	sodium_memzero(t, sizeof(*t));
}

void ticket_id(const struct ticket *t, uint8_t id[16])
{
	ledger_key_id(t->key, id);
}

void ticket_encode(const struct ticket *t, uint8_t out[TICKET_FILE_SIZE])
{
	_cleanup_media_ struct ticket_media m = { .magic = "" };

	memcpy(m.magic, TICKET_MAGIC, sizeof(m.magic));
	m.major = htole16(LEDGER_MAJOR);
	m.minor = htole16(LEDGER_MINOR);
	m.generation = htole64(t->generation);
	m.region_start = htole64(t->region_start);
	m.region_size = htole64(t->region_size);
	memcpy(m.namespace_uuid, t->namespace_uuid, 16);
	memcpy(m.ledger_uuid, t->ledger_uuid, 16);
	memcpy(m.key, t->key, sizeof(m.key));
	memcpy(m.fs_uuid, t->fs_uuid, 16);
	m.xxh3 = htole64(hash_xxh3(&m, offsetof(struct ticket_media, xxh3), 0));
	memcpy(out, &m, sizeof(m));
}

int ticket_decode(const uint8_t *data, size_t len, struct ticket *out, struct err *e)
{
	_cleanup_media_ struct ticket_media m = { .magic = "" };

	memcpy(&m, data, len < sizeof(m) ? len : sizeof(m));
	if (memcmp(m.magic, TICKET_MAGIC, sizeof(m.magic)))
		return err_set(e, ERR_FORMAT, "ticket: it is no ticket");
	if (le16toh(m.major) != LEDGER_MAJOR)
		return err_set(e, ERR_FORMAT,
			       "ticket: its major version is %u, but this build reads %d",
			       le16toh(m.major), LEDGER_MAJOR);
	if (len != sizeof(m))
		return err_set(e, ERR_FORMAT, "ticket: it has %zu bytes instead of %d", len,
			       TICKET_FILE_SIZE);
	if (hash_xxh3(&m, offsetof(struct ticket_media, xxh3), 0) != le64toh(m.xxh3))
		return err_set(e, ERR_CHECKSUM,
			       "ticket: it does not match its checksum: it is damaged");
	if (le16toh(m.minor) <= LEDGER_MINOR &&
	    !(all_zero(m.reserved0, sizeof(m.reserved0)) &&
	      all_zero(m.reserved1, sizeof(m.reserved1)) &&
	      (m.minor || all_zero(m.fs_uuid, sizeof(m.fs_uuid)))))
		return err_set(e, ERR_FORMAT, "ticket: reserved bytes are in use");
	out->generation = le64toh(m.generation);
	out->region_start = le64toh(m.region_start);
	out->region_size = le64toh(m.region_size);
	memcpy(out->namespace_uuid, m.namespace_uuid, 16);
	memcpy(out->ledger_uuid, m.ledger_uuid, 16);
	memcpy(out->key, m.key, sizeof(out->key));
	memcpy(out->fs_uuid, m.fs_uuid, 16);
	return 0;
}

int ticket_load(const char *path, struct ticket *out, struct err *e)
{
	/* One byte more, to notice a file that is too long. */
	uint8_t data[TICKET_FILE_SIZE + 1];
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	struct stat st;
	ssize_t n;
	int r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_ABSENT, "ticket: there is no %s", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "ticket: %s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 077))
		return err_set(
			e, ERR_REFUSED,
			"ticket: %s must be a regular file of root that nobody else may use, but has owner %u and mode %04o",
			path, (unsigned int)st.st_uid, (unsigned int)(st.st_mode & 07777));
	while (len < sizeof(data)) {
		n = read(fd, data + len, sizeof(data) - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			sodium_memzero(data, sizeof(data));
			return err_sys(e, errno, "ticket: %s", path);
		}
		if (!n)
			break;
		len += (size_t)n;
	}
	/* ticket_shred() that was interrupted before the name was gone. */
	if (len && all_zero(data, len))
		return err_set(e, ERR_ABSENT, "ticket: %s was shredded", path);
	r = ticket_decode(data, len, out, e);
	sodium_memzero(data, sizeof(data));
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

int ticket_save(const char *path, const struct ticket *t, struct err *e)
{
	uint8_t data[TICKET_FILE_SIZE];
	int r;

	ticket_encode(t, data);
	r = io_write_file(path, data, sizeof(data), 0600, e);
	sodium_memzero(data, sizeof(data));
	return r;
}

int ticket_shred(const char *path, struct err *e)
{
	static const uint8_t zero[TICKET_FILE_SIZE];
	_cleanup_close_ int fd = -1;

	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, errno, "ticket: %s", path);
	if (io_write_all(fd, zero, sizeof(zero), path, e) < 0)
		return -1;
	if (fsync(fd) < 0)
		return err_sys(e, errno, "ticket: %s", path);
	return io_unlink_durable(path, e);
}

#define CPIO_HEAD 110
#define CPIO_BLOCK 512
/* Head and name of the file, its content, head and name of the trailer: 110 +
 * 16 -> 128, 192, 110 + 11 -> 124; in all 444, one block. */
#define CPIO_SIZE CPIO_BLOCK

/* One newc head with its name; returns its length, a multiple of 4. */
static size_t cpio_head(char *at, const char *name, unsigned int ino, unsigned int mode,
			unsigned int size)
{
	size_t namesize = strlen(name) + 1;
	char head[CPIO_HEAD + 1];

	snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		 ino, mode, 0u, 0u, 1u, 0u, size, 0u, 0u, 0u, 0u, (unsigned int)namesize, 0u);
	memcpy(at, head, CPIO_HEAD);
	memcpy(at + CPIO_HEAD, name, namesize);
	return (CPIO_HEAD + namesize + 3) & ~(size_t)3;
}

int ticket_cpio(const struct ticket *t, struct buf *out, struct err *e)
{
	char *data = calloc(1, CPIO_SIZE + 1);
	size_t at;

	if (!data)
		return err_sys(e, ENOMEM, "ticket: archive");
	at = cpio_head(data, "holdover.ticket", 1, S_IFREG | 0400, TICKET_FILE_SIZE);
	ticket_encode(t, (uint8_t *)data + at);
	cpio_head(data + at + TICKET_FILE_SIZE, "TRAILER!!!", 0, 0, 0);
	out->data = data;
	out->len = CPIO_SIZE;
	return 0;
}
