/* SPDX-License-Identifier: GPL-2.0-only */
/* Typed access to yyjson values, with errors that name the member. */
#ifndef HOLDOVER_JSON_H
#define HOLDOVER_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "err.h"

static inline void scope_json_doc(yyjson_doc **d)
{
	yyjson_doc_free(*d);
}
static inline void scope_json_mut(yyjson_mut_doc **d)
{
	yyjson_mut_doc_free(*d);
}
#define _cleanup_json_ _cleanup_(scope_json_doc)
#define _cleanup_json_mut_ _cleanup_(scope_json_mut)

/** json_str() - string member @key of @obj; FORMAT if absent, of another type,
 * or with a NUL inside. The text lives as long as the document. */
_must_check_ int json_str(yyjson_val *obj, const char *key, const char **out, struct err *e);
/** json_copy_str() - as json_str(), copied; FORMAT if it does not fit into @size
 * bytes with its NUL. */
_must_check_ int json_copy_str(yyjson_val *obj, const char *key, char *out, size_t size,
			       struct err *e);
/** json_u64() - non-negative integer member, at most @max. */
_must_check_ int json_u64(yyjson_val *obj, const char *key, uint64_t max, uint64_t *out,
			  struct err *e);
_must_check_ int json_int(yyjson_val *obj, const char *key, int64_t min, int64_t max, int64_t *out,
			  struct err *e);
_must_check_ int json_bool(yyjson_val *obj, const char *key, bool *out, struct err *e);
/** json_hex() - string member of exactly 2 * @len hex digits into @out. */
_must_check_ int json_hex(yyjson_val *obj, const char *key, uint8_t *out, size_t len, struct err *e);
_must_check_ int json_uuid(yyjson_val *obj, const char *key, uint8_t id[16], struct err *e);
_must_check_ int json_arr(yyjson_val *obj, const char *key, yyjson_val **out, struct err *e);
_must_check_ int json_obj(yyjson_val *obj, const char *key, yyjson_val **out, struct err *e);

/** json_quote() - @text as a JSON string with its quotes, owned by the caller;
 * NULL when memory is gone or @text is not UTF-8. */
char *json_quote(const char *text);

/** json_clean() - copy @text into @buf (cut to @size), bytes that are not UTF-8
 * and control characters as '?': for words of others, which must not keep the rest from being said.
 * Returns @buf. */
const char *json_clean(const char *text, char *buf, size_t size);

#endif
