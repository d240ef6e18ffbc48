/* SPDX-License-Identifier: GPL-2.0-only */
/* Typed JSON members: the value, or an error that names the member. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "json.h"

static const char text[] =
	"{\"s\":\"text\",\"nul\":\"a\\u0000b\",\"u\":18446744073709551615,\"neg\":-5,\"one\":1,"
	"\"real\":1.5,\"t\":true,\"hex\":\"00fFa9\",\"badhex\":\"00fg\",\"null\":null,\"a\":[1],"
	"\"id\":\"12345678-9abc-def0-1234-56789abcdef0\",\"o\":{\"in\":2},"
	"\"min\":-9223372036854775808,\"max\":9223372036854775807}";

static yyjson_doc *doc;
static yyjson_val *root;
static struct err e;

static int setup(void **state)
{
	(void)state;
	doc = yyjson_read(text, strlen(text), 0);
	root = yyjson_doc_get_root(doc);
	return doc ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	yyjson_doc_free(doc);
	return 0;
}

/* @call failed with FORMAT, and the text has @key in it. */
#define refused(call, key)                                     \
	do {                                                   \
		err_clear(&e);                                 \
		assert_int_equal(call, -1);                    \
		assert_int_equal(e.kind, ERR_FORMAT);          \
		assert_non_null(strstr(e.msg, "\"" key "\"")); \
	} while (0)

static void strings(void **state)
{
	const char *s = NULL;

	(void)state;
	assert_int_equal(json_str(root, "s", &s, &e), 0);
	assert_string_equal(s, "text");
	refused(json_str(root, "nul", &s, &e), "nul");
	refused(json_str(root, "u", &s, &e), "u");
	refused(json_str(root, "null", &s, &e), "null");
	refused(json_str(root, "none", &s, &e), "none");
	refused(json_str(NULL, "s", &s, &e), "s");
	refused(json_str(yyjson_obj_get(root, "a"), "s", &s, &e), "s");
	assert_string_equal(s, "text");
}

static void unsigned_numbers(void **state)
{
	uint64_t n = 3;

	(void)state;
	assert_int_equal(json_u64(root, "u", UINT64_MAX, &n, &e), 0);
	assert_true(n == UINT64_MAX);
	refused(json_u64(root, "u", UINT64_MAX - 1, &n, &e), "u");
	assert_int_equal(json_u64(root, "one", 1, &n, &e), 0);
	assert_int_equal(n, 1);
	refused(json_u64(root, "one", 0, &n, &e), "one");
	refused(json_u64(root, "neg", UINT64_MAX, &n, &e), "neg");
	refused(json_u64(root, "real", UINT64_MAX, &n, &e), "real");
	refused(json_u64(root, "s", UINT64_MAX, &n, &e), "s");
	refused(json_u64(root, "none", UINT64_MAX, &n, &e), "none");
	assert_int_equal(n, 1);
}

static void signed_numbers(void **state)
{
	int64_t n = 3;

	(void)state;
	assert_int_equal(json_int(root, "neg", -5, 5, &n, &e), 0);
	assert_int_equal(n, -5);
	refused(json_int(root, "neg", -4, 5, &n, &e), "neg");
	refused(json_int(root, "one", -4, 0, &n, &e), "one");
	refused(json_int(root, "u", INT64_MIN, INT64_MAX, &n, &e), "u");
	refused(json_int(root, "real", INT64_MIN, INT64_MAX, &n, &e), "real");
	refused(json_int(root, "t", INT64_MIN, INT64_MAX, &n, &e), "t");
	assert_int_equal(n, -5);
	assert_int_equal(json_int(root, "min", INT64_MIN, INT64_MAX, &n, &e), 0);
	assert_true(n == INT64_MIN);
	assert_int_equal(json_int(root, "max", INT64_MIN, INT64_MAX, &n, &e), 0);
	assert_true(n == INT64_MAX);
}

static void other_types(void **state)
{
	uint8_t bytes[16] = { 0 };
	yyjson_val *v = NULL;
	bool b = false;

	(void)state;
	assert_int_equal(json_bool(root, "t", &b, &e), 0);
	assert_true(b);
	refused(json_bool(root, "one", &b, &e), "one");
	assert_int_equal(json_hex(root, "hex", bytes, 3, &e), 0);
	assert_memory_equal(bytes, "\x00\xff\xa9", 4);
	refused(json_hex(root, "hex", bytes, 2, &e), "hex");
	refused(json_hex(root, "hex", bytes, 4, &e), "hex");
	refused(json_hex(root, "badhex", bytes, 2, &e), "badhex");
	refused(json_hex(root, "one", bytes, 1, &e), "one");
	assert_int_equal(json_uuid(root, "id", bytes, &e), 0);
	assert_memory_equal(bytes,
			    "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0", 16);
	refused(json_uuid(root, "hex", bytes, &e), "hex");
	assert_int_equal(json_arr(root, "a", &v, &e), 0);
	assert_int_equal(yyjson_arr_size(v), 1);
	refused(json_arr(root, "o", &v, &e), "o");
	assert_int_equal(json_obj(root, "o", &v, &e), 0);
	assert_int_equal(yyjson_obj_size(v), 1);
	refused(json_obj(root, "a", &v, &e), "a");
}

static void quoting(void **state)
{
	char *s = json_quote("a\"b\\c\n\x01/\xc3\xa4");

	(void)state;
	assert_string_equal(s, "\"a\\\"b\\\\c\\n\\u0001/\xc3\xa4\"");
	free(s);
	s = json_quote("");
	assert_string_equal(s, "\"\"");
	free(s);
	assert_null(json_quote("\xff"));
	assert_null(json_quote("a\xc3"));
}

static void cleaned(const char *from, size_t size, const char *want)
{
	char buf[64];

	assert_string_equal(json_clean(from, buf, size), want);
}

static void cleaning(void **state)
{
	(void)state;
	cleaned("plain \"", 64, "plain \"");
	cleaned("a\nb\x1b[2J\xc2\x9b", 64, "a?b?[2J??");
	cleaned("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", 64,
		"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
	cleaned("a\xff\xc3", 64, "a??");
	cleaned("\xc0\x80\xe0\x80\x80\xed\xa0\x80\xf4\x90\x80\x80", 64, "????????????");
	cleaned("\xe2\x82z", 64, "??z");
	/* never in the middle of a sequence */
	cleaned("ab\xe2\x82\xac", 5, "ab");
	cleaned("ab\xe2\x82\xac", 6, "ab\xe2\x82\xac");
	cleaned("abc", 1, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings),	  cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(signed_numbers), cmocka_unit_test(other_types),
		cmocka_unit_test(quoting),	  cmocka_unit_test(cleaning),
	};

	return cmocka_run_group_tests_name("json", tests, setup, teardown);
}
