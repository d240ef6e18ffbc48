/* SPDX-License-Identifier: GPL-2.0-only */
/* Serial port, PCI and power button. */
#include <stdarg.h>

#include "hw.h"

#define COM1 0x3f8

static void put(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (uint8_t)c);
}

static void put_number(uint64_t v, unsigned int base, unsigned int width)
{
	char text[24];
	unsigned int n = 0;

	do
		text[n++] = "0123456789abcdef"[v % base];
	while ((v /= base));
	while (width > n)
		text[n++] = '0';
	while (n)
		put(text[--n]);
}

static void put_text(const char *s)
{
	while (*s)
		put(*s++);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(*fmt);
		} else if (*++fmt == 's') {
			put_text(va_arg(ap, const char *));
		} else if (*fmt == 'u') {
			put_number(va_arg(ap, unsigned int), 10, 0);
		} else {
			bool hex = *fmt == '0';

			/* %llu or %016llx */
			fmt += hex ? 5 : 2;
			put_number(va_arg(ap, unsigned long long), hex ? 16 : 10, hex ? 16 : 0);
		}
	}
	va_end(ap);
	put('\n');
}

uint32_t pci_read(unsigned int devfn, unsigned int reg)
{
	outl(0xcf8, 0x80000000u | devfn << 8 | reg);
	return inl(0xcfc);
}

void pci_write(unsigned int devfn, unsigned int reg, uint32_t v)
{
	outl(0xcf8, 0x80000000u | devfn << 8 | reg);
	outl(0xcfc, v);
}

int pci_find(uint16_t vendor, uint16_t device)
{
	for (unsigned int devfn = 0; devfn < 256; devfn++)
		if (pci_read(devfn, 0) == ((uint32_t)device << 16 | vendor))
			return (int)devfn;
	return -1;
}

#define PM_BASE 0x600
#define PM1_STATUS PM_BASE
#define PM1_ENABLE (PM_BASE + 2)
#define PM1_CONTROL (PM_BASE + 4)
#define POWER_BUTTON 0x100
#define SLEEP_ENABLE 0x2000

/* Firmware may have put the registers elsewhere; nobody else here looks for them there. */
void power_init(void)
{
	int lpc = pci_find(0x8086, 0x2918), piix4 = pci_find(0x8086, 0x7113);

	if (lpc >= 0) {
		pci_write((unsigned int)lpc, 0x40, PM_BASE | 1);
		pci_write((unsigned int)lpc, 0x44, 0x80);
	} else if (piix4 >= 0) {
		pci_write((unsigned int)piix4, 0x40, PM_BASE | 1);
		pci_write((unsigned int)piix4, 0x80, 1);
	}
	/* QEMU notes a press only while it would interrupt. */
	outw(PM1_ENABLE, POWER_BUTTON);
}

bool power_pressed(void)
{
	return inw(PM1_STATUS) & POWER_BUTTON;
}

void power_off(void)
{
	/* Sleep type 0 is "off" on both machines. */
	outw(PM1_CONTROL, SLEEP_ENABLE);
	for (;;)
		__asm__ volatile("cli; hlt");
}
