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

static int event = -1;

void power_open(void)
{
	event = open("/dev/input/event0", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

bool power_pressed(void)
{
	struct input_event e;

	while (event >= 0 && read(event, &e, sizeof(e)) == (ssize_t)sizeof(e))
		if (e.type == EV_KEY && e.code == KEY_POWER && e.value)
			return true;
	return false;
}
