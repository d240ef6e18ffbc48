/* SPDX-License-Identifier: GPL-2.0-only */
/* A real QEMU with a guest of 512 bytes, for tests of save and load. */
#ifndef HOLDOVER_REAL_QEMU_H
#define HOLDOVER_REAL_QEMU_H

#include <stdint.h>
#include <sys/types.h>

#include "qmp.h"

/**
 * struct real_vm - a guest that counts, and the file that is its RAM
 * @dir: folder of @ram and @disk
 * @counter: in the guest's RAM, mapped; the guest counts in a register that
 *	lives in the device state alone, and stores each value here
 */
struct real_vm {
	char dir[64];
	char ram[96];
	char disk[96];
	volatile uint32_t *counter;
};

/**
 * struct real_qemu - one process
 * @ctl: the test's end of its control monitor, for qmp_init(), owned
 * @other: end of a second monitor, owned
 * @serial: gets one byte a tick, owned
 * @pidfd: owned
 */
struct real_qemu {
	pid_t pid;
	int pidfd;
	int ctl;
	int other;
	int serial;
};

/** real_vm_make() - fresh RAM and disk; a failure here and below ends the
 * test program with a message. */
void real_vm_make(struct real_vm *vm);
void real_vm_remove(struct real_vm *vm);

/** real_qemu_start() - with -S, and with -incoming defer if @incoming; @extra:
 * more arguments, NULL-terminated, or NULL.
 *
 * The program is the TEST_QEMU of the environment or qemu-system-x86_64, seen
 * from the root folder TEST_QEMU_ROOT if there is one: that is how another
 * version than the installed one is tested.
 */
void real_qemu_start(struct real_qemu *q, const struct real_vm *vm, bool incoming,
		     const char *const *extra);

/** real_qemu_end() - kill and reap. */
void real_qemu_end(struct real_qemu *q);

/** real_ticks() - wait for @n ticks of the guest; false if they do not come
 * within some seconds. Ticks of before do not count. */
bool real_ticks(struct real_qemu *q, int n);

#endif
