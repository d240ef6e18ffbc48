/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of QEMU's standard VGA: not part of the guest's RAM, so it is not on the region, and has to travel with
 * the device state. Its first BAR is where the firmware has put it, or, with qboot, which leaves that to others, where no
 * other device of these machines is.
 */
#include "../guest/area.h"
#include "hw.h"

#define WORDS 8192u
#define COMMAND 0x04
#define MEMORY_SPACE 2u
#define BAR 0x10
#define UNUSED 0xe0000000u

static volatile uint64_t *video;

static uint64_t word(uint64_t nonce, uint64_t tick, unsigned int i)
{
	return area_seed(nonce, tick) + i * 0x9e3779b97f4a7c15ull;
}

size_t video_init(uint64_t nonce)
{
	int devfn = pci_find(0x1234, 0x1111);
	uint32_t bar;

	if (devfn < 0)
		return 0;
	if (!(pci_read((unsigned int)devfn, BAR) & ~15u))
		pci_write((unsigned int)devfn, BAR, UNUSED);
	bar = pci_read((unsigned int)devfn, BAR) & ~15u;
	pci_write((unsigned int)devfn, COMMAND,
		  pci_read((unsigned int)devfn, COMMAND) | MEMORY_SPACE);
	video = (volatile uint64_t *)(uintptr_t)bar;
	video_write(nonce, 0);
	return WORDS * sizeof(*video);
}

void video_write(uint64_t nonce, uint64_t tick)
{
	for (unsigned int i = 0; video && i < WORDS; i++)
		video[i] = word(nonce, tick, i);
}

unsigned int video_verify(uint64_t nonce, uint64_t tick)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; video && i < WORDS; i++)
		bad += video[i] != word(nonce, tick, i);
	return bad;
}
