/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-blk disk through its legacy interface (virtio 1.x, "Legacy Interface"): ports, one queue, one
 * request at a time, no interrupt. A device on QEMU's root bus offers it unless told otherwise.
 */
#include "hw.h"

#define QUEUE_MAX 1024
#define FEATURE_FLUSH (1u << 9)

enum {
	REG_FEATURES = 0,
	REG_DRIVER_FEATURES = 4,
	REG_QUEUE = 8,
	REG_QUEUE_SIZE = 12,
	REG_SELECT = 14
};
enum { REG_NOTIFY = 16, REG_STATUS = 18 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4 };
enum { READ = 0, WRITE = 1, FLUSH = 4 };
enum { NEXT = 1, DEVICE_WRITES = 2 };

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

/* Descriptors and the available ring, then on a page of its own the used ring. */
static uint8_t queue[8 * 4096] __attribute__((aligned(4096)));
static struct {
	uint32_t type, reserved;
	uint64_t sector;
} header;
static volatile uint8_t status;
static volatile uint16_t *available, *used;
static unsigned int size;
static uint16_t port;
static bool can_flush;

static void find_rings(void)
{
	size_t end = size * sizeof(struct descriptor) + 6 + 2 * size;

	available = (volatile uint16_t *)(queue + size * sizeof(struct descriptor));
	used = (volatile uint16_t *)(queue + ((end + 4095) & ~(size_t)4095));
	available[0] = 1; /* no interrupts */
}

const char *disk_init(void)
{
	int found = pci_find(0x1af4, 0x1001);
	unsigned int devfn = (unsigned int)found;
	uint32_t features;

	if (found < 0)
		return "there is no transitional virtio-blk device on bus 0";
	/* Small firmware leaves the ports to us. */
	if (!(pci_read(devfn, 0x10) & ~3u))
		pci_write(devfn, 0x10, 0xc000);
	pci_write(devfn, 4, pci_read(devfn, 4) | 5);
	port = pci_read(devfn, 0x10) & 0xfffcu;
	outb(port + REG_STATUS, 0);
	outb(port + REG_STATUS, ACKNOWLEDGE | DRIVER);
	features = inl(port + REG_FEATURES) & FEATURE_FLUSH;
	can_flush = features != 0;
	outl(port + REG_DRIVER_FEATURES, features);
	outw(port + REG_SELECT, 0);
	size = inw(port + REG_QUEUE_SIZE);
	if (!size || size > QUEUE_MAX)
		return "its queue is too large";
	find_rings();
	outl(port + REG_QUEUE, (uint32_t)(uintptr_t)queue / 4096);
	outb(port + REG_STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK);
	return NULL;
}

static const char *request(uint32_t type, void *sector, uint64_t number)
{
	struct descriptor *d = (struct descriptor *)queue;
	unsigned int n = 0;
	uint16_t before = used[1];

	header.type = type;
	header.sector = number;
	status = 0xff;
	d[n++] = (struct descriptor){ (uintptr_t)&header, sizeof(header), NEXT, 1 };
	if (sector) {
		d[n] = (struct descriptor){ (uintptr_t)sector, 512, NEXT, 2 };
		if (type == READ)
			d[n].flags |= DEVICE_WRITES;
		n++;
	}
	d[n] = (struct descriptor){ (uintptr_t)&status, 1, DEVICE_WRITES, 0 };
	available[2 + available[1] % size] = 0;
	__asm__ volatile("mfence" : : : "memory");
	available[1]++;
	__asm__ volatile("mfence" : : : "memory");
	outw(port + REG_NOTIFY, 0);
	while (used[1] == before)
		__asm__ volatile("pause" : : : "memory");
	return status ? "the device answers with an error" : NULL;
}

const char *disk_io(void *sector, uint64_t number, bool write)
{
	const char *bad = request(write ? WRITE : READ, sector, number);

	if (!bad && write && can_flush)
		bad = request(FLUSH, NULL, 0);
	return bad;
}
