/* SPDX-License-Identifier: GPL-2.0-only */
#include "kexec.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define ARG_MAX_LEN 2048

/* The kernel's own splitting (lib/cmdline.c, next_arg()): blanks separate
 * parameters except between double quotes; there is no escape. */
static const char *next_arg(const char **cursor, size_t *len)
{
	const char *p = *cursor, *start;
	bool quoted = false;

	while (isspace((unsigned char)*p))
		p++;
	start = p;
	for (; *p && (quoted || !isspace((unsigned char)*p)); p++)
		if (*p == '"')
			quoted = !quoted;
	*cursor = p;
	*len = (size_t)(p - start);
	return *len ? start : NULL;
}

/* After "--" the parameters are init's. */
static bool is_end(const char *arg, size_t len)
{
	return len == 2 && !memcmp(arg, "--", 2);
}

static bool has_prefix(const char *arg, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && !memcmp(arg, prefix, n);
}

/* Value of a memmap= parameter, without the quotes the kernel would remove. */
static bool memmap_value(const char *arg, size_t len, char out[ARG_MAX_LEN])
{
	static const char key[] = "memmap=";
	size_t n = 0;

	if (len && *arg == '"')
		arg++, len--;
	if (!has_prefix(arg, len, key) || len >= ARG_MAX_LEN)
		return false;
	for (size_t i = strlen(key); i < len; i++)
		if (arg[i] != '"')
			out[n++] = arg[i];
	out[n] = '\0';
	return true;
}

static int bad_piece(const char *piece, struct err *e)
{
	return err_set(e, ERR_FORMAT, "memmap=%s on the command line is not SIZE!START", piece);
}

/* One comma-separated piece. Returns 1 for a persistent range, 0 for another
 * kind (SIZE@START, SIZE#START, SIZE$START, SIZE%START-OLD+NEW, exactmap). */
static int parse_piece(char *piece, struct pmem_range *out, struct err *e)
{
	char *bang = strchr(piece, '!'), whole[80];
	struct err why;

	if (!bang)
		return 0;
	snprintf(whole, sizeof(whole), "%s", piece);
	*bang = '\0';
	if (io_parse_size(piece, &out->size, &why) || io_parse_size(bang + 1, &out->start, &why) ||
	    !out->size || out->start + out->size < out->start)
		return bad_piece(whole, e);
	return 1;
}

/* As kexec_cmdline_ranges(); @pieces counts memmap entries of every kind. */
static int scan(const char *cmdline, struct pmem_range out[PMEM_RANGES_MAX], int *pieces,
		bool *nokaslr, struct err *e)
{
	const char *arg;
	size_t len;
	int n = 0;

	while ((arg = next_arg(&cmdline, &len)) && !is_end(arg, len)) {
		char value[ARG_MAX_LEN], *piece, *rest = value;

		*nokaslr |= len == 7 && !memcmp(arg, "nokaslr", 7);
		if (!memmap_value(arg, len, value))
			continue;
		while ((piece = strsep(&rest, ","))) {
			struct pmem_range r;
			int rc = parse_piece(piece, &r, e);

			if (rc < 0)
				return -1;
			++*pieces;
			if (rc == 0)
				continue;
			if (n == PMEM_RANGES_MAX)
				return err_set(e, ERR_FORMAT,
					       "more than %d persistent memmap= ranges",
					       PMEM_RANGES_MAX);
			out[n++] = r;
		}
	}
	return n;
}

int kexec_cmdline_ranges(const char *cmdline, struct pmem_range out[PMEM_RANGES_MAX], struct err *e)
{
	bool nokaslr = false;
	int pieces = 0;

	return scan(cmdline, out, &pieces, &nokaslr, e);
}

static bool has_range(const struct pmem_range *list, int n, const struct pmem_range *r)
{
	for (int i = 0; i < n; i++)
		if (list[i].start == r->start && list[i].size == r->size)
			return true;
	return false;
}

static void memmap_text(const struct pmem_range *r, char *out, size_t size)
{
	char bytes[32], start[32];

	io_format_size(r->size, bytes, sizeof(bytes));
	io_format_size(r->start, start, sizeof(start));
	snprintf(out, size, "memmap=%s!%s", bytes, start);
}

int kexec_cmdline_check(const char *cmdline, const struct pmem_range *ranges, int n, struct err *e)
{
	struct pmem_range next[PMEM_RANGES_MAX];
	bool nokaslr = false;
	int pieces = 0, m;
	char text[80];

	m = scan(cmdline, next, &pieces, &nokaslr, e);
	if (m < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		if (has_range(next, m, &ranges[i]))
			continue;
		memmap_text(&ranges[i], text, sizeof(text));
		return err_set(
			e, ERR_MISMATCH,
			"the next kernel's command line lacks %s, so it would overwrite that memory; add it",
			text);
	}
	for (int i = 0; i < m; i++) {
		if (has_range(ranges, n, &next[i]))
			continue;
		memmap_text(&next[i], text, sizeof(text));
		return err_set(
			e, ERR_MISMATCH,
			"the next kernel's command line has %s, which is no persistent range of this boot; remove it",
			text);
	}
	/* arch/x86/boot/compressed/kaslr.c, MAX_MEMMAP_REGIONS: a fifth entry
	 * in a parameter of its own is not kept clear of. */
	if (pieces > 4 && !nokaslr)
		return err_set(
			e, ERR_REFUSED,
			"the next kernel's command line has %d memmap= ranges and KASLR avoids only 4; add nokaslr",
			pieces);
	return 0;
}

/* Append one parameter; @size is enough by construction. */
static size_t put_arg(char *out, size_t n, const char *arg, size_t len)
{
	if (n)
		out[n++] = ' ';
	memcpy(out + n, arg, len);
	return n + len;
}

bool kexec_cmdline_off(const char *cmdline)
{
	static const char *const off[] = { "rd.holdover=0", "rd.holdover=no", "rd.holdover=off" };
	const char *arg;
	size_t len;

	while ((arg = next_arg(&cmdline, &len)) && !is_end(arg, len))
		for (size_t i = 0; i < ARRAY_LEN(off); i++)
			if (len == strlen(off[i]) && !memcmp(arg, off[i], len))
				return true;
	return false;
}

/* Is @word what @cmdline says last about its parameter? */
static bool says_already(const char *cmdline, const char *word, size_t word_len)
{
	const char *equals = memchr(word, '=', word_len), *arg;
	size_t key = equals ? (size_t)(equals - word) + 1 : word_len, len;
	bool same = false;

	while ((arg = next_arg(&cmdline, &len)) && !is_end(arg, len))
		if (len >= key && !memcmp(arg, word, key) && (equals || len == key))
			same = len == word_len && !memcmp(arg, word, len);
	return same;
}

/* What of @append is new: the command line of this boot has it from the last
 * jump. Owned by the caller. */
static char *new_words(const char *current, const char *append)
{
	char *out = malloc(strlen(append) + 1);
	const char *word;
	size_t n = 0, len;

	while (out && (word = next_arg(&append, &len)))
		if (!says_already(current, word, len))
			n = put_arg(out, n, word, len);
	if (out)
		out[n] = '\0';
	return out;
}

char *kexec_cmdline_next(const char *current, const char *appended)
{
	_cleanup_free_ char *append = new_words(current, appended ? appended : "");
	static const char *const drop[] = { "BOOT_IMAGE=", "rd.holdover.jump=" };
	size_t extra = append ? strlen(append) : 0, n = 0, len;
	char *out = append ? malloc(strlen(current) + extra + 2) : NULL;
	const char *arg;

	if (!out)
		return NULL;
	while ((arg = next_arg(&current, &len))) {
		bool dropped = false;

		/* What is added is for the kernel, so it goes before "--". */
		if (extra && is_end(arg, len)) {
			n = put_arg(out, n, append, extra);
			extra = 0;
		}
		for (size_t i = 0; i < ARRAY_LEN(drop); i++)
			dropped |= has_prefix(arg, len, drop[i]);
		if (!dropped)
			n = put_arg(out, n, arg, len);
	}
	if (extra)
		n = put_arg(out, n, append, extra);
	out[n] = '\0';
	return out;
}
