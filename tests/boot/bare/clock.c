/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The HPET counts with QEMU's virtual clock: it stands still while the machine does, and its count
 * travels with the device state, so that a clock that jumps or goes back is QEMU's or Holdover's doing.
 * Its first comparator raises IRQ 0 ("legacy replacement"), once for each wait.
 */
#include "hw.h"

#define HPET 0xfed00000u
#define HPET_PERIOD 0x004
#define HPET_CONFIG 0x010
#define HPET_COUNTER 0x0f0
#define HPET_TIMER 0x100
#define HPET_COMPARATOR 0x108

#define LAPIC 0xfee00000u
#define LAPIC_SPURIOUS 0x0f0
#define LAPIC_LINT0 0x350

extern const char exceptions[], timer_interrupt[];

static struct {
	uint16_t low, selector;
	uint8_t stack, type;
	uint16_t middle;
	uint32_t high, reserved;
} idt[33];

static uint64_t ticks_per_ms;

static uint32_t hpet_read(unsigned int reg)
{
	return *(volatile uint32_t *)(uintptr_t)(HPET + reg);
}

static void hpet_write(unsigned int reg, uint32_t v)
{
	*(volatile uint32_t *)(uintptr_t)(HPET + reg) = v;
}

static void set_gate(unsigned int number, uintptr_t handler)
{
	idt[number].low = (uint16_t)handler;
	idt[number].middle = (uint16_t)(handler >> 16);
	idt[number].selector = 8;
	idt[number].type = 0x8e;
}

static void init_interrupts(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} pointer = { sizeof(idt) - 1, (uintptr_t)idt };

	/* Handlers of exceptions are 16 bytes apart. */
	for (unsigned int i = 0; i < 32; i++)
		set_gate(i, (uintptr_t)exceptions + 16 * i);
	set_gate(32, (uintptr_t)timer_interrupt);
	__asm__ volatile("lidt %0" : : "m"(pointer));
	/* Both 8259s: IRQ 0 is vector 32, everything else is masked. */
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, 0x20);
	outb(0xa1, 0x28);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, 0xfe);
	outb(0xa1, 0xff);
	/* Not every firmware lets the 8259s through. */
	*(volatile uint32_t *)(uintptr_t)(LAPIC + LAPIC_SPURIOUS) = 0x1ff;
	*(volatile uint32_t *)(uintptr_t)(LAPIC + LAPIC_LINT0) = 0x700;
}

bool clock_init(void)
{
	uint32_t femtoseconds = hpet_read(HPET_PERIOD);

	if (!femtoseconds || femtoseconds > 100000000u)
		return false;
	ticks_per_ms = 1000000000000u / femtoseconds;
	init_interrupts();
	hpet_write(HPET_CONFIG, 0);
	hpet_write(HPET_COUNTER, 0);
	hpet_write(HPET_COUNTER + 4, 0);
	hpet_write(HPET_TIMER, 4);
	hpet_write(HPET_CONFIG, 3);
	return true;
}

static uint64_t counter(void)
{
	uint32_t high, low;

	do {
		high = hpet_read(HPET_COUNTER + 4);
		low = hpet_read(HPET_COUNTER);
	} while (high != hpet_read(HPET_COUNTER + 4));
	return (uint64_t)high << 32 | low;
}

uint64_t clock_ms(void)
{
	return counter() / ticks_per_ms;
}

void clock_wait(uint64_t due)
{
	uint64_t at = due * ticks_per_ms;

	__asm__ volatile("cli");
	hpet_write(HPET_COMPARATOR + 4, (uint32_t)(at >> 32));
	hpet_write(HPET_COMPARATOR, (uint32_t)at);
	while (counter() < at)
		/* The interrupt cannot come between the two: sti takes effect after the next instruction. */
		__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static unsigned int cmos(unsigned int reg)
{
	outb(0x70, (uint8_t)reg);
	return inb(0x71);
}

static unsigned int bcd(unsigned int v)
{
	return (v >> 4) * 10 + (v & 15);
}

static uint64_t days_since_1970(unsigned int y, unsigned int m, unsigned int d)
{
	/* Years begin in March, so that the leap day is a year's last. */
	unsigned int year = m > 2 ? y : y - 1, month = m > 2 ? m - 3 : m + 9;

	return 365ull * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + d - 1 -
		719468;
}

/* QEMU's battery clock begins in BCD and 24 hours, and nobody has changed that. */
uint64_t rtc_ms(void)
{
	static const uint8_t regs[] = { 0x32, 9, 8, 7, 4, 2, 0 };
	unsigned int v[7], seconds;

	do {
		while (cmos(10) & 0x80)
			;
		for (unsigned int i = 0; i < 7; i++)
			v[i] = bcd(cmos(regs[i]));
		seconds = bcd(cmos(0));
	} while (seconds != v[6]);
	return (days_since_1970(v[0] * 100 + v[1], v[2], v[3]) * 86400 + v[4] * 3600 + v[5] * 60 +
		v[6]) *
		1000;
}
