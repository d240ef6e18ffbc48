/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The whole program of a machine that has nothing but a kernel, the nvdimm
 * modules and a memmap= region. First boot: make the devdax namespace, put a
 * ledger and a pattern into it, start the same kernel with kexec. Second boot:
 * find all of it again, also after the info block was damaged and mended. What tells the two apart is /ticket, a file that only
 * the initrd made by the first boot has.
 *
 * The console ends with "PMEM-SMOKE OK" or with "PMEM-SMOKE FAILED: reason".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#include "kexec.h"
#include "pmem_internal.h"

#define REGION_START (1ULL << 30)
#define REGION_SIZE (256ULL << 20)
#define PIECE (2u << 20)
#define LEDGER_SIZE (32ULL << 20)
#define PATTERN_AT (64ULL << 20)

static struct err err;

/* What the first boot tells the second. */
struct note {
	uint8_t namespace_uuid[16];
	uint8_t ledger_uuid[16];
	uint64_t dataoff, device_size, page_struct_size;
};

static void say(const char *fmt, ...)
{
	va_list ap;

	printf("[%6" PRId64 " ms] ", io_now_ms());
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static _Noreturn void stop(const char *verdict)
{
	printf("PMEM-SMOKE %s\n", verdict);
	fflush(NULL);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static _Noreturn void fail(const char *what)
{
	char text[1200];

	snprintf(text, sizeof(text), "FAILED: %s: %s", what, err.kind ? err.msg : "not as expected");
	stop(text);
}

#define MUST(call)                   \
	do {                         \
		err_clear(&err);     \
		if (call)            \
			fail(#call); \
	} while (0)

#define MUST_BE(kind_, call)                                 \
	do {                                                 \
		err_clear(&err);                             \
		if ((call) == 0 || err.kind != (kind_))      \
			fail(#call " should be " #kind_);    \
		say("refused as it should be: %s", err.msg); \
	} while (0)

#define CHECK(cond)                  \
	do {                         \
		err_clear(&err);     \
		if (!(cond))         \
			fail(#cond); \
	} while (0)

static void mount_api(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
}

static void fill(uint8_t *p, uint64_t seed)
{
	for (unsigned int i = 0; i < PIECE; i += 8) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		memcpy(p + i, &seed, 8);
	}
}

static uint8_t *map_pattern(const struct pmem_device *dev, int *fd)
{
	void *p;

	*fd = open(dev->path, O_RDWR | O_CLOEXEC);
	p = *fd < 0 ? MAP_FAILED :
		      mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, (off_t)PATTERN_AT);
	if (p == MAP_FAILED) {
		err_sys(&err, errno, "%s", dev->path);
		fail("mapping the pattern");
	}
	return p;
}

static void write_pattern(const struct pmem_device *dev)
{
	struct pmem_device same = *dev;
	uint8_t block[4096];
	uint8_t *p;
	int fd;

	p = map_pattern(dev, &fd);
	fill(p, 1);
	MUST_BE(ERR_REFUSED, pmem_info_block(&same, block, &err));
	munmap(p, PIECE);
	close(fd);
	MUST(pmem_zero(dev->path, PATTERN_AT + PIECE, PIECE, &err));
}

static void check_pattern(const struct pmem_device *dev)
{
	uint8_t *want = malloc(PIECE), *p;
	int fd;

	CHECK(want);
	p = map_pattern(dev, &fd);
	fill(want, 1);
	CHECK(!memcmp(p, want, PIECE));
	munmap(p, PIECE);
	close(fd);
	free(want);
}

static void make_ledger(const struct pmem_device *dev, const uint8_t block[4096], struct note *note)
{
	struct ledger_geometry geo = {
		.region_start = dev->region_start,
		.region_size = dev->region_size,
		.dataoff = dev->dataoff,
		.align = dev->align,
		.page_struct_size = dev->page_struct_size,
		.device_size = dev->size,
		.ledger_size = LEDGER_SIZE,
		.ledger_offset = dev->size - LEDGER_SIZE,
	};
	struct pmem_map map;

	memcpy(geo.namespace_uuid, dev->namespace_uuid, sizeof(geo.namespace_uuid));
	MUST(pmem_map_ledger(dev->path, dev->size, LEDGER_SIZE, &map, &err));
	MUST(ledger_format(&map.media, &geo, block, &err));
	pmem_map_close(&map);
	memcpy(note->namespace_uuid, dev->namespace_uuid, 16);
	memcpy(note->ledger_uuid, geo.ledger_uuid, 16);
	note->dataoff = dev->dataoff;
	note->device_size = dev->size;
	note->page_struct_size = dev->page_struct_size;
}

static void check_ledger(const struct pmem_device *dev, const struct note *note)
{
	struct pmem_map map;
	struct ledger l;
	uint8_t block[4096];

	MUST(pmem_open_ledger(dev, &map, &l, &err));
	CHECK(!memcmp(l.geo.ledger_uuid, note->ledger_uuid, 16));
	CHECK(l.geo.page_struct_size == note->page_struct_size);
	MUST(ledger_info_block(&l, block, &err));
	CHECK(!memcmp(block, "NVDIMM_DAX_INFO", 15));
	pmem_map_close(&map);
}

/* A newc archive with one file, "ticket". */
static void pack(const struct note *note, struct buf *out)
{
	_cleanup_free_ char *text = NULL;
	size_t n;

	out->data = calloc(1, 1024);
	CHECK(out->data);
	n = (size_t)sprintf(out->data, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s",
			    1, 0100400, 0, 0, 1, 0, (unsigned int)sizeof(*note), 0, 0, 0, 0, 7, 0,
			    "ticket");
	n = (n + 1 + 3) & ~(size_t)3;
	memcpy(out->data + n, note, sizeof(*note));
	n = (n + sizeof(*note) + 3) & ~(size_t)3;
	n += (size_t)sprintf(out->data + n,
			     "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s", 0, 0,
			     0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0, "TRAILER!!!");
	out->len = (n + 512) & ~(size_t)511;
}

static void jump(const struct note *note)
{
	struct pmem_range ranges[PMEM_RANGES_MAX];
	_cleanup_buf_ struct buf current = { 0 }, cpio = { 0 };
	_cleanup_free_ char *next = NULL;
	int n, initrd;
	bool loaded;

	MUST(io_read_file("/proc/cmdline", 4096, &current, &err));
	n = pmem_iomem_ranges(ranges, &err);
	MUST(n < 0);
	CHECK(n == 1 && ranges[0].start == REGION_START && ranges[0].size == REGION_SIZE);
	next = kexec_cmdline_next(current.data, "smoke.second");
	CHECK(next);
	say("next command line: %s", next);
	MUST(kexec_cmdline_check(next, ranges, n, &err));
	MUST_BE(ERR_MISMATCH, kexec_cmdline_check("console=ttyS0", ranges, n, &err));

	MUST_BE(ERR_IO, kexec_load_file("/init", -1, next, &err));
	pack(note, &cpio);
	initrd = kexec_initrd("/inner.cpio", &cpio, &err);
	MUST(initrd < 0);
	MUST(kexec_load_file("/vmlinuz", initrd, next, &err));
	MUST(kexec_loaded(&loaded, &err));
	CHECK(loaded);
	MUST(kexec_unload(&err));
	MUST(kexec_load_file("/vmlinuz", initrd, next, &err));
	say("jumping");
	fflush(NULL);
	MUST(kexec_jump(&err));
}

static void first_boot(void)
{
	struct pmem_device dev, again;
	struct note note = { 0 };
	uint8_t block[4096];

	MUST_BE(ERR_ABSENT, pmem_find(REGION_START, REGION_SIZE, NULL, &dev, &err));
	MUST_BE(ERR_MISMATCH, pmem_find(REGION_START, REGION_SIZE / 2, NULL, &dev, &err));
	MUST_BE(ERR_ABSENT, pmem_find(REGION_START * 8, REGION_SIZE, NULL, &dev, &err));
	MUST(pmem_create(REGION_START, REGION_SIZE, PMEM_DEVDAX, 2 << 20, false, &dev, &err));
	say("made %s: %" PRIu64 " bytes, dataoff %" PRIu64 ", align %" PRIu64, dev.path, dev.size,
	    dev.dataoff, dev.align);
	MUST_BE(ERR_REFUSED,
		pmem_create(REGION_START, REGION_SIZE, PMEM_DEVDAX, 2 << 20, false, &again, &err));
	MUST(pmem_info_block(&dev, block, &err));
	say("info block read, now %s, struct page of %" PRIu64 " bytes", dev.path,
	    dev.page_struct_size);
	MUST(pmem_create(REGION_START, REGION_SIZE, PMEM_DEVDAX, 2 << 20, true, &again, &err));
	CHECK(memcmp(again.namespace_uuid, dev.namespace_uuid, 16));
	MUST_BE(ERR_MISMATCH, pmem_find(REGION_START, REGION_SIZE, dev.namespace_uuid, &dev, &err));
	dev = again;
	MUST(pmem_info_block(&dev, block, &err));
	write_pattern(&dev);
	make_ledger(&dev, block, &note);
	check_ledger(&dev, &note);
	check_pattern(&dev);
	say("ledger and pattern written to %s", dev.path);
	jump(&note);
}

/* Write @block over the info block and let the kernel look at it again. */
static void put_info_block(const uint8_t block[4096])
{
	struct pmem_raw raw;
	struct pmem_nd nd;

	MUST(pmem_nd_open(&nd, REGION_START, REGION_SIZE, &err));
	MUST(ndctl_namespace_disable_safe(nd.ns));
	MUST(ndctl_namespace_set_raw_mode(nd.ns, 1) < 0);
	MUST(ndctl_namespace_enable(nd.ns) < 0);
	MUST(pmem_raw_open(&nd, O_RDWR | O_EXCL, &raw, &err));
	MUST(pmem_raw_write(&raw, PMEM_INFO_OFFSET, block, PMEM_INFO_SIZE, &err));
	pmem_raw_close(&raw);
	MUST(ndctl_namespace_disable_invalidate(nd.ns));
	MUST(ndctl_namespace_set_raw_mode(nd.ns, 0) < 0);
	pmem_nd_close(&nd);
}

/* One bit of the info block flips: nothing may take the region for empty. */
static void damage(const struct note *note)
{
	struct pmem_device dev, again;
	uint8_t block[4096], after[4096];
	bool mended;

	MUST(pmem_find_mending(REGION_START, REGION_SIZE, note->namespace_uuid, &dev, &mended, &err));
	CHECK(!mended);
	MUST(pmem_info_block(&dev, block, &err));
	block[100] ^= 1;
	put_info_block(block);
	MUST_BE(ERR_REFUSED,
		pmem_find(REGION_START, REGION_SIZE, note->namespace_uuid, &again, &err));
	MUST_BE(ERR_REFUSED,
		pmem_create(REGION_START, REGION_SIZE, PMEM_DEVDAX, 2 << 20, false, &again, &err));
	MUST(pmem_find_mending(REGION_START, REGION_SIZE, note->namespace_uuid, &again, &mended,
			       &err));
	CHECK(mended && again.size == dev.size && again.dataoff == dev.dataoff);
	block[100] ^= 1;
	MUST(pmem_info_block(&again, after, &err));
	CHECK(!memcmp(block, after, sizeof(block)));
}

static void second_boot(const struct note *note)
{
	struct pmem_device dev;

	MUST(pmem_find(REGION_START, REGION_SIZE, note->namespace_uuid, &dev, &err));
	say("found %s", dev.path);
	CHECK(dev.dataoff == note->dataoff && dev.size == note->device_size);
	check_ledger(&dev, note);
	check_pattern(&dev);
	damage(note);
	check_ledger(&dev, note);
	check_pattern(&dev);
}

int main(void)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct note note;

	mount_api();
	setvbuf(stdout, NULL, _IOLBF, 0);
	MUST(pmem_load_modules(&err));
	say("modules loaded");
	if (io_read_file("/ticket", sizeof(note), &b, &err)) {
		first_boot();
		fail("kexec_jump returned");
	}
	CHECK(b.len == sizeof(note));
	memcpy(&note, b.data, sizeof(note));
	second_boot(&note);
	stop("OK");
}
