/* SPDX-License-Identifier: GPL-2.0-only */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "power.h"

/* linux/input.h, which musl does not bring along; the layout of 64-bit machines. */
struct input_event {
	int64_t sec, usec;
	uint16_t type, code;
	int32_t value;
};

#define EV_KEY 1
#define KEY_POWER 116

/* The button is one of several: a q35 machine has a keyboard and a mouse as well. */
#define EVENTS_MAX 8

static int events[EVENTS_MAX] = { -1, -1, -1, -1, -1, -1, -1, -1 };

void power_open(void)
{
	char path[] = "/dev/input/event0";

	for (int i = 0; i < EVENTS_MAX; i++) {
		path[sizeof(path) - 2] = (char)('0' + i);
		events[i] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	}
}

static bool pressed(int fd)
{
	struct input_event e;

	while (fd >= 0 && read(fd, &e, sizeof(e)) == (ssize_t)sizeof(e))
		if (e.type == EV_KEY && e.code == KEY_POWER && e.value)
			return true;
	return false;
}

bool power_pressed(void)
{
	for (int i = 0; i < EVENTS_MAX; i++)
		if (pressed(events[i]))
			return true;
	return false;
}
