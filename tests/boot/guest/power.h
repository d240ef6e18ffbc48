/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef POWER_H
#define POWER_H

#include <stdbool.h>

/* Opens the ACPI power button's input device; without one power_pressed() is always false. */
void power_open(void);

/* True once the button was pressed. Never blocks. */
bool power_pressed(void);

#endif
