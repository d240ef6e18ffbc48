/* SPDX-License-Identifier: GPL-2.0-only */
#include "asked.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "qemu_answers.h"
#include "qemu_image.h"
#include "scope.h"

static const struct {
	const char *command, *answer;
} answers[] = {
	{ "qmp_capabilities", "{}" },
	{ "qom-list-types", "[{\"name\": \"virtio-net-pci\"}, {\"name\": \"e1000\"}]" },
	{ "query-command-line-options", "[]" },
	{ "query-migrate-parameters", "{\"mode\": \"normal\"}" },
	{ "query-migrate-capabilities",
	  "[{\"capability\": \"x-ignore-shared\"}, {\"capability\": \"events\"}]" },
};

/* The one snapshot that it is asked to delete. */
static const char *delete_snapshot(char **argv, yyjson_val *arguments)
{
	const char *name = yyjson_get_str(yyjson_obj_get(arguments, "name"));
	_cleanup_json_ yyjson_doc *doc = NULL;
	const char *file;

	while (*argv && strcmp(*argv, "-blockdev"))
		argv++;
	if (!*argv || !name)
		return NULL;
	doc = yyjson_read(argv[1], strlen(argv[1]), 0);
	file = yyjson_get_str(
		yyjson_obj_get(yyjson_obj_get(yyjson_doc_get_root(doc), "file"), "filename"));
	return file && !image_delete(file, name) ? "{}" : NULL;
}

static const char *answer(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_LEN(answers); i++)
		if (!strcmp(name, answers[i].command))
			return answers[i].answer;
	return NULL;
}

int asked_serve(int fd, char **argv)
{
	FILE *in = fdopen(dup(fd), "r");
	char line[16384];

	dprintf(fd, "%s\r\n", answer_greeting());
	while (in && fgets(line, sizeof(line), in)) {
		_cleanup_json_ yyjson_doc *doc = yyjson_read(line, strlen(line), 0);
		yyjson_val *root = yyjson_doc_get_root(doc);
		const char *name = yyjson_get_str(yyjson_obj_get(root, "execute"));
		const char *value = answer(name);

		if (name && !strcmp(name, "blockdev-snapshot-delete-internal-sync"))
			value = delete_snapshot(argv, yyjson_obj_get(root, "arguments"));

		if (!value)
			return 93;
		dprintf(fd, "{\"return\": %s, \"id\": %" PRIu64 "}\r\n", value,
			yyjson_get_uint(yyjson_obj_get(root, "id")));
	}
	return 0;
}
