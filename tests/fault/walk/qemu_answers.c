/* SPDX-License-Identifier: GPL-2.0-only */
#include "qemu_answers.h"

#include <stdio.h>
#include <unistd.h>

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
