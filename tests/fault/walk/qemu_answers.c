/* SPDX-License-Identifier: GPL-2.0-only */
#include "qemu_answers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io.h"

const char *answer_empty(const char **error)
{
	(void)error;
	return "[]";
}

const char *answer_nothing(const char **error)
{
	(void)error;
	return "{}";
}

const char *answer_caps(const char **error)
{
	(void)error;
	return "[{\"capability\": \"x-ignore-shared\", \"state\": false}, "
	       "{\"capability\": \"events\", \"state\": false}]";
}

const char *answer_params(const char **error)
{
	(void)error;
	return "{\"max-bandwidth\": 134217728, \"mode\": \"normal\"}";
}

const char *answer_roms(const char **error)
{
	(void)error;
	return "{\"human-readable-text\": \"addr=00000000fffc0000 size=0x040000 mem=rom name=\\\"bios\\\"\"}";
}

const char *answer_greeting(void)
{
	static char text[256];
	unsigned int v[3] = { 10, 0, 13 };
	struct err ignored = { 0 };
	char line[64];

	if (io_read_line("/bench/version", line, sizeof(line), &ignored) == 0)
		sscanf(line, "%u.%u.%u", &v[0], &v[1], &v[2]);
	snprintf(text, sizeof(text),
		 "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": %u, \"minor\": %u, \"major\": %u}, "
		 "\"package\": \"walk\"}, \"capabilities\": [\"oob\"]}}",
		 v[2], v[1], v[0]);
	return text;
}

bool answer_is_empty_state(const char *state, ssize_t n)
{
	static const char head[] = "QEVM\0\0\0\3\7\0\0\0\13pc-q35-10.0\0\6\0\0\0\2{}";

	return n == sizeof(head) - 1 && !memcmp(state, head, sizeof(head) - 1);
}

const char *answer_machine(const char **error)
{
	(void)error;
	return "\"pc-q35-10.0-machine\"";
}

const char *answer_blocks(const char *vm)
{
	static char text[384];
	char path[128];

	snprintf(path, sizeof(path), "/bench/%s.snapshot", vm);
	if (access(path, F_OK))
		snprintf(path, sizeof(path), "/disk/%s.img", vm);
	if (access(path, F_OK))
		return "[]";
	snprintf(text, sizeof(text),
		 "[{\"device\": \"d0\", \"inserted\": {\"ro\": false, \"file\": \"%s\", "
		 "\"image\": {\"filename\": \"%s\"}}}]",
		 path, path);
	return text;
}

const char *answer_devices(const char *vm)
{
	char path[128];

	snprintf(path, sizeof(path), "/bench/%s.plugged", vm);
	return access(path, F_OK) ? "[{\"name\": \"type\", \"type\": \"string\"}, "
				    "{\"name\": \"net0\", \"type\": \"child<virtio-net-pci>\"}]" :
				    "[{\"name\": \"net1\", \"type\": \"child<e1000>\"}, "
				    "{\"name\": \"net0\", \"type\": \"child<virtio-net-pci>\"}]";
}
