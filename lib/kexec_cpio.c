/* SPDX-License-Identifier: GPL-2.0-only */
#include "kexec_cpio.h"

#include <errno.h>
#include <string.h>

/* The newc header: "070701" or "070702", then 13 numbers of 8 hex digits. */
enum { MAGIC_LEN = 6, HEADER_LEN = 110, F_MODE = 1, F_SIZE = 6, F_NAME_LEN = 11 };

#define NAME_MAX_LEN 4096
#define MODE_TYPE 0170000u
#define MODE_REG 0100000u

/* Make sure that something is in the buffer. 1, or 0 at the end, or -1. */
static int refill(struct cpio_stream *s, struct err *e)
{
	ssize_t n;

	if (s->at < s->len)
		return 1;
	do
		n = read(s->fd, s->buf, sizeof(s->buf));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, "reading %s", s->what);
	s->at = 0;
	s->len = (size_t)n;
	return n > 0;
}

/* Take @len bytes into @out (NULL: skip). 1; 0 at the end before the first
 * byte; -1 FORMAT at the end after it. */
static int take(struct cpio_stream *s, void *out, uint64_t len, struct err *e)
{
	uint64_t done = 0;

	while (done < len) {
		int rc = refill(s, e);
		size_t n;

		if (rc < 0)
			return -1;
		if (rc == 0 && done == 0)
			return 0;
		if (rc == 0)
			return err_set(e, ERR_FORMAT, "%s: ends in the middle of a cpio archive",
				       s->what);
		n = s->len - s->at;
		if (n > len - done)
			n = (size_t)(len - done);
		if (out)
			memcpy((uint8_t *)out + done, s->buf + s->at, n);
		s->at += n;
		s->pos += n;
		done += n;
	}
	return 1;
}

static int take_all(struct cpio_stream *s, void *out, uint64_t len, struct err *e)
{
	int rc = len ? take(s, out, len, e) : 1;

	if (rc == 0)
		return err_set(e, ERR_FORMAT, "%s: ends in the middle of a cpio archive", s->what);
	return rc < 0 ? -1 : 0;
}

static int field(const uint8_t *header, int index, uint32_t *out)
{
	const uint8_t *p = header + MAGIC_LEN + index * 8;
	uint32_t v = 0;

	for (int i = 0; i < 8; i++) {
		int d = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' :
			p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10 :
			p[i] >= 'A' && p[i] <= 'F' ? p[i] - 'A' + 10 :
						     -1;

		if (d < 0)
			return -1;
		v = v << 4 | (uint32_t)d;
	}
	*out = v;
	return 0;
}

static bool name_matches(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/'), *at;

	if (name[strlen(name) - 1] == '/') {
		at = strstr(path, name);
		return at && (at == path || at[-1] == '/');
	}
	return !strcmp(slash ? slash + 1 : path, name);
}

/* Archives are aligned to four bytes, with zeroes between them. Returns 1 with
 * the first MAGIC_LEN bytes of what follows, 0 at the end, -1. */
static int skip_padding(struct cpio_stream *s, uint8_t magic[MAGIC_LEN], struct err *e)
{
	for (;;) {
		int rc = refill(s, e);

		if (rc <= 0)
			return rc;
		if (s->buf[s->at])
			break;
		s->at++;
		s->pos++;
	}
	memset(magic, 0, MAGIC_LEN);
	for (int i = 0; i < MAGIC_LEN; i++) {
		int rc = take(s, magic + i, 1, e);

		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
	}
	return 1;
}

/* The entry whose magic has been read. 1 if it is the one looked for, 0, -1. */
static int entry(struct cpio_stream *s, const uint8_t magic[MAGIC_LEN], const char *want,
		 struct err *e)
{
	uint32_t mode, size, name_len;
	uint8_t header[HEADER_LEN];
	char name[NAME_MAX_LEN + 1];
	uint64_t pad;

	memcpy(header, magic, MAGIC_LEN);
	if (take_all(s, header + MAGIC_LEN, HEADER_LEN - MAGIC_LEN, e))
		return -1;
	if (field(header, F_MODE, &mode) || field(header, F_SIZE, &size) ||
	    field(header, F_NAME_LEN, &name_len) || !name_len || name_len > NAME_MAX_LEN)
		return err_set(e, ERR_FORMAT, "%s: bad cpio header", s->what);
	if (take_all(s, name, name_len, e))
		return -1;
	name[name_len] = '\0';
	pad = -(uint64_t)(HEADER_LEN + name_len) & 3;
	if (take_all(s, NULL, pad, e))
		return -1;
	s->found = size;
	if ((mode & MODE_TYPE) == MODE_REG && name_matches(name, want))
		return 1;
	/* skip_padding() takes what follows to the next multiple of four. */
	return take_all(s, NULL, size, e);
}

int cpio_find(struct cpio_stream *s, const char *name, struct err *e)
{
	uint8_t magic[MAGIC_LEN];
	int rc;

	while ((rc = skip_padding(s, magic, e)) > 0) {
		if (memcmp(magic, "070701", MAGIC_LEN) && memcmp(magic, "070702", MAGIC_LEN)) {
			s->pos -= MAGIC_LEN;
			return CPIO_OTHER;
		}
		rc = entry(s, magic, name, e);
		if (rc < 0)
			return -1;
		if (rc)
			return CPIO_FOUND;
	}
	return rc < 0 ? -1 : CPIO_END;
}

int cpio_text(struct cpio_stream *s, const char *mark, char *out, size_t size, struct err *e)
{
	size_t len = strlen(mark), same = 0, n = 0;
	char c = '\0';

	for (; s->found && same < len; s->found--) {
		if (take_all(s, &c, 1, e))
			return -1;
		/* No mark has its first byte twice. */
		same = c == mark[same] ? same + 1 : c == mark[0];
	}
	if (same < len)
		return 0;
	for (; s->found && n + 1 < size; s->found--) {
		if (take_all(s, &c, 1, e))
			return -1;
		if (!c || c == '\n')
			break;
		out[n++] = c;
	}
	out[n] = '\0';
	return 1;
}
