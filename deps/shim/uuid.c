/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "uuid/uuid.h"

enum { TEXT_LEN = 36 };

static int is_dash(int i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int uuid_parse(const char *in, uuid_t uu)
{
	unsigned char buf[16] = { 0 };
	int digits = 0;
	int i;

	if (strnlen(in, TEXT_LEN + 1) != TEXT_LEN)
		return -1;
	for (i = 0; i < TEXT_LEN; i++) {
		int v = hex_value(in[i]);

		if (is_dash(i)) {
			if (in[i] != '-')
				return -1;
			continue;
		}
		if (v < 0)
			return -1;
		buf[digits / 2] = (unsigned char)(buf[digits / 2] << 4 | v);
		digits++;
	}
	memcpy(uu, buf, sizeof(buf));
	return 0;
}

void uuid_unparse(const uuid_t uu, char *out)
{
	static const char hex[] = "0123456789abcdef";
	int digits = 0;
	int i;

	for (i = 0; i < TEXT_LEN; i++) {
		if (is_dash(i)) {
			out[i] = '-';
			continue;
		}
		out[i] = hex[digits % 2 ? uu[digits / 2] & 15 : uu[digits / 2] >> 4];
		digits++;
	}
	out[TEXT_LEN] = '\0';
}

void uuid_copy(uuid_t dst, const uuid_t src)
{
	memcpy(dst, src, sizeof(uuid_t));
}
