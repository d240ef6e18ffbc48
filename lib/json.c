/* SPDX-License-Identifier: GPL-2.0-only */
#include "json.h"

#include <inttypes.h>
#include <string.h>

#include "io.h"

static int json_get(yyjson_val *obj, const char *key, yyjson_val **out, struct err *e)
{
	yyjson_val *v = yyjson_obj_get(obj, key);

	if (!yyjson_is_obj(obj))
		return err_set(e, ERR_FORMAT, "JSON: no object to look for \"%s\" in", key);
	if (!v)
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" is missing", key);
	*out = v;
	return 0;
}

static int json_type(const char *key, yyjson_val *v, const char *want, struct err *e)
{
	return err_set(e, ERR_FORMAT, "JSON: \"%s\" is %s where %s is needed", key,
		       yyjson_get_type_desc(v), want);
}

int json_str(yyjson_val *obj, const char *key, const char **out, struct err *e)
{
	yyjson_val *v;

	if (json_get(obj, key, &v, e) < 0)
		return -1;
	if (!yyjson_is_str(v))
		return json_type(key, v, "a string", e);
	if (strlen(yyjson_get_str(v)) != yyjson_get_len(v))
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" has a NUL character inside", key);
	*out = yyjson_get_str(v);
	return 0;
}

int json_copy_str(yyjson_val *obj, const char *key, char *out, size_t size, struct err *e)
{
	const char *s;

	if (json_str(obj, key, &s, e) < 0)
		return -1;
	if (strlen(s) >= size)
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" is longer than %zu bytes", key, size - 1);
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

int json_u64(yyjson_val *obj, const char *key, uint64_t max, uint64_t *out, struct err *e)
{
	yyjson_val *v;

	if (json_get(obj, key, &v, e) < 0)
		return -1;
	if (!yyjson_is_uint(v))
		return json_type(key, v, "a non-negative integer", e);
	if (yyjson_get_uint(v) > max)
		return err_set(e, ERR_FORMAT,
			       "JSON: \"%s\" is %" PRIu64 ", above the maximum of %" PRIu64, key,
			       yyjson_get_uint(v), max);
	*out = yyjson_get_uint(v);
	return 0;
}

int json_int(yyjson_val *obj, const char *key, int64_t min, int64_t max, int64_t *out, struct err *e)
{
	yyjson_val *v;
	int64_t n;

	if (json_get(obj, key, &v, e) < 0)
		return -1;
	if (!yyjson_is_int(v))
		return json_type(key, v, "an integer", e);
	/* An unsigned value above INT64_MAX would come back negative. */
	if (yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX)
		return err_set(e, ERR_FORMAT,
			       "JSON: \"%s\" is %" PRIu64 ", above the maximum of %" PRId64, key,
			       yyjson_get_uint(v), max);
	n = yyjson_get_sint(v);
	if (n < min || n > max)
		return err_set(e, ERR_FORMAT,
			       "JSON: \"%s\" is %" PRId64 ", not within %" PRId64 " to %" PRId64,
			       key, n, min, max);
	*out = n;
	return 0;
}

int json_bool(yyjson_val *obj, const char *key, bool *out, struct err *e)
{
	yyjson_val *v;

	if (json_get(obj, key, &v, e) < 0)
		return -1;
	if (!yyjson_is_bool(v))
		return json_type(key, v, "true or false", e);
	*out = yyjson_get_bool(v);
	return 0;
}

int json_hex(yyjson_val *obj, const char *key, uint8_t *out, size_t len, struct err *e)
{
	const char *text;

	if (json_str(obj, key, &text, e) < 0)
		return -1;
	if (io_unhex(text, out, len, e) < 0)
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" is not %zu hexadecimal digits", key,
			       2 * len);
	return 0;
}

int json_uuid(yyjson_val *obj, const char *key, uint8_t id[16], struct err *e)
{
	const char *text;

	if (json_str(obj, key, &text, e) < 0)
		return -1;
	if (io_uuid_parse(text, id, e) < 0)
		return err_set(e, ERR_FORMAT, "JSON: \"%s\" is not a UUID", key);
	return 0;
}

int json_arr(yyjson_val *obj, const char *key, yyjson_val **out, struct err *e)
{
	yyjson_val *v;

	if (json_get(obj, key, &v, e) < 0)
		return -1;
	if (!yyjson_is_arr(v))
		return json_type(key, v, "an array", e);
	*out = v;
	return 0;
}

int json_obj(yyjson_val *obj, const char *key, yyjson_val **out, struct err *e)
{
	yyjson_val *v;

	if (json_get(obj, key, &v, e) < 0)
		return -1;
	if (!yyjson_is_obj(v))
		return json_type(key, v, "an object", e);
	*out = v;
	return 0;
}

char *json_quote(const char *text)
{
	_cleanup_json_mut_ yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	yyjson_mut_val *v;

	if (!doc)
		return NULL;
	v = yyjson_mut_str(doc, text);
	return v ? yyjson_mut_val_write(v, 0, NULL) : NULL;
}

/* Bytes of the UTF-8 sequence at @p, 0 if it is none. */
static size_t utf8_len(const unsigned char *p)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (*p < 0x80)
		return 1;
	if (*p < 0xc2 || *p > 0xf4)
		return 0;
	n = *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	/* overlong forms, surrogates, beyond the last code point */
	if (*p == 0xe0)
		low = 0xa0;
	else if (*p == 0xed)
		high = 0x9f;
	else if (*p == 0xf0)
		low = 0x90;
	else if (*p == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

const char *json_clean(const char *text, char *buf, size_t size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t at = 0;

	while (*p) {
		size_t n = utf8_len(p), put = n ? n : 1;

		if (at + put >= size)
			break;
		if (n)
			memcpy(buf + at, p, n);
		else
			buf[at] = '?';
		at += put;
		p += put;
	}
	buf[at] = '\0';
	err_plain(buf);
	return buf;
}
