/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the walk's QEMU says of itself, as JSON.
 *
 *	/bench/NAME.plugged	there: a device has been hot-plugged into VM NAME
 *	/bench/NAME.snapshot	there: this file is its disk's image now
 *	/bench/version		its version, 10.0.13 if it does not say
 */
#ifndef HOLDOVER_WALK_QEMU_ANSWERS_H
#define HOLDOVER_WALK_QEMU_ANSWERS_H

#include <stdbool.h>
#include <sys/types.h>

/* The parameter is what a command can put its refusal into. */
const char *answer_empty(const char **error);
const char *answer_nothing(const char **error);
const char *answer_caps(const char **error);
const char *answer_params(const char **error);
const char *answer_machine(const char **error);
const char *answer_roms(const char **error);
/** answer_greeting() - a monitor's first words; the text is static. */
const char *answer_greeting(void);
/** answer_is_empty_state() - a migration stream that carries nothing? */
bool answer_is_empty_state(const char *state, ssize_t n);
/** answer_blocks() - query-block of VM @vm; the text is static. */
const char *answer_blocks(const char *vm);
/** answer_devices() - qom-list of a folder of devices. */
const char *answer_devices(const char *vm);

#endif
