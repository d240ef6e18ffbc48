/* SPDX-License-Identifier: GPL-2.0-only */
#include "kexec_uki.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Microsoft's "PE Format": offsets in the DOS, COFF and section headers. */
enum {
	DOS_LFANEW = 0x3c,
	DOS_SIZE = 0x40,
	PE_SECTIONS = 6,
	PE_OPTIONAL_SIZE = 20,
	PE_SIZE = 24,
	SECTION_VIRTUAL_SIZE = 8,
	SECTION_RAW_SIZE = 16,
	SECTION_RAW_AT = 20,
	SECTION_SIZE = 40,
};
#define SECTIONS_MAX 96
#define CMDLINE_MAX 65536
#define CHUNK 65536

void uki_free(struct uki *u)
{
	scope_close(&u->kernel);
	scope_close(&u->initrd);
	free(u->cmdline);
	*u = (struct uki)UKI_INIT;
}

static uint32_t get16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) | get16(p + 2) << 16;
}

/* One section, as far as it lies in the file. */
struct section {
	uint64_t at, size;
};

static int check_section(const uint8_t *s, uint64_t file_size, const char *what,
			 struct section *out, struct err *e)
{
	uint64_t raw = get32(s + SECTION_RAW_SIZE);

	out->at = get32(s + SECTION_RAW_AT);
	/* The raw size is rounded up. */
	out->size = get32(s + SECTION_VIRTUAL_SIZE);
	if (out->size > raw)
		out->size = raw;
	if (out->at <= file_size && out->size <= file_size - out->at)
		return 0;
	return err_set(e, ERR_FORMAT, "%s: its section %.8s lies outside of the file; make it anew",
		       what, (const char *)s);
}

static int copy_out(int fd, const struct section *s, const char *what, struct err *e)
{
	_cleanup_close_ int out = memfd_create("holdover-uki", MFD_CLOEXEC);
	_cleanup_free_ char *chunk = malloc(CHUNK);

	if (out < 0 || !chunk)
		return err_sys(e, out < 0 ? errno : ENOMEM, "%s", what);
	for (uint64_t done = 0; done < s->size;) {
		size_t want = s->size - done < CHUNK ? (size_t)(s->size - done) : CHUNK;
		ssize_t n = pread(fd, chunk, want, (off_t)(s->at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, n < 0 ? errno : EIO, "%s", what);
		if (io_write_all(out, chunk, (size_t)n, what, e) < 0)
			return -1;
		done += (uint64_t)n;
	}
	return steal_fd(&out);
}

static int take_cmdline(int fd, const struct section *s, const char *what, struct uki *u,
			struct err *e)
{
	size_t n;

	if (s->size >= CMDLINE_MAX)
		return err_set(e, ERR_FORMAT, "%s: its command line has %llu bytes", what,
			       (unsigned long long)s->size);
	u->cmdline = calloc(1, s->size + 1);
	if (!u->cmdline)
		return err_sys(e, ENOMEM, "%s", what);
	if (pread(fd, u->cmdline, s->size, (off_t)s->at) != (ssize_t)s->size)
		return err_sys(e, EIO, "%s", what);
	n = strlen(u->cmdline);
	while (n && strchr(" \n\r\t", u->cmdline[n - 1]))
		n--;
	u->cmdline[n] = '\0';
	return 0;
}

static bool is(const uint8_t *s, const char *name)
{
	char own[9] = "";

	memcpy(own, s, 8);
	return !strcmp(own, name);
}

static int take(int fd, const uint8_t *s, uint64_t file_size, const char *what, struct uki *u,
		struct err *e)
{
	int *part = is(s, ".linux") ? &u->kernel : is(s, ".initrd") ? &u->initrd : NULL;
	bool cmdline = is(s, ".cmdline") && !u->cmdline;
	struct section at;

	if ((!part || *part >= 0) && !cmdline)
		return 0;
	if (check_section(s, file_size, what, &at, e) < 0)
		return -1;
	if (cmdline)
		return take_cmdline(fd, &at, what, u, e);
	*part = copy_out(fd, &at, what, e);
	return *part < 0 ? -1 : 0;
}

/* How many sections there are, read into @table; 0 if it is no PE file. */
static unsigned int read_sections(int fd, uint8_t table[SECTIONS_MAX * SECTION_SIZE])
{
	uint8_t dos[DOS_SIZE], pe[PE_SIZE];
	unsigned int n;
	off_t at;

	if (pread(fd, dos, sizeof(dos), 0) != sizeof(dos) || memcmp(dos, "MZ", 2))
		return 0;
	at = get32(dos + DOS_LFANEW);
	if (pread(fd, pe, sizeof(pe), at) != sizeof(pe) || memcmp(pe, "PE\0", 4))
		return 0;
	n = get16(pe + PE_SECTIONS);
	at += PE_SIZE + get16(pe + PE_OPTIONAL_SIZE);
	if (n > SECTIONS_MAX || pread(fd, table, n * SECTION_SIZE, at) != (ssize_t)(n * SECTION_SIZE))
		return 0;
	return n;
}

int uki_open(int fd, const char *what, struct uki *out, struct err *e)
{
	uint8_t table[SECTIONS_MAX * SECTION_SIZE];
	struct uki u _cleanup_uki_ = UKI_INIT;
	unsigned int n = read_sections(fd, table);
	bool found = false;
	struct stat st;

	for (unsigned int i = 0; i < n; i++)
		found |= is(table + i * SECTION_SIZE, ".linux");
	if (!found)
		return 0;
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "%s", what);
	for (unsigned int i = 0; i < n; i++)
		if (take(fd, table + i * SECTION_SIZE, (uint64_t)st.st_size, what, &u, e) < 0)
			return -1;
	*out = u;
	u = (struct uki)UKI_INIT;
	return 1;
}
