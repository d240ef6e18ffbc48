/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the freestanding guest needs of a PC: QEMU's q35 and pc machines, started by any firmware that
 * knows PVH (SeaBIOS, qboot). Nothing here waits without the hardware's doing.
 */
#ifndef HW_H
#define HW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/** say() - one line on the first serial port. Knows %s, %u (unsigned int), %llu and %016llx. */
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);

/** pci_read() - a register of a function on bus 0. */
uint32_t pci_read(unsigned int devfn, unsigned int reg);
void pci_write(unsigned int devfn, unsigned int reg, uint32_t v);
/** pci_find() - the first function on bus 0 with this vendor and device, or -1. */
int pci_find(uint16_t vendor, uint16_t device);

/** clock_init() - HPET as clock and, through the 8259, as alarm. False: there is no HPET. */
bool clock_init(void);
/** clock_ms() - since clock_init(); stands still while the machine does. */
uint64_t clock_ms(void);
/** clock_wait() - halt the processor until clock_ms() is @due or more. */
void clock_wait(uint64_t due);
/** rtc_ms() - the battery clock, since 1970, whole seconds. */
uint64_t rtc_ms(void);

/** power_init() - the ACPI power button. */
void power_init(void);
bool power_pressed(void);
_Noreturn void power_off(void);

/** disk_init() - the first virtio-blk disk. NULL, or what is wrong. */
const char *disk_init(void);
/** disk_io() - one sector, and on write that it is stable. NULL, or what is wrong. */
const char *disk_io(void *sector, uint64_t number, bool write);

/** video_init() - the memory of a standard VGA is put into use. Bytes of it, 0: there is none. */
size_t video_init(uint64_t nonce);
/** video_write() - what (nonce, tick) ask for. */
void video_write(uint64_t nonce, uint64_t tick);
/** video_verify() - how many words are not what was written at that tick. */
unsigned int video_verify(uint64_t nonce, uint64_t tick);

#endif
