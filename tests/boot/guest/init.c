/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test guest's only program. Every 250 ms of CLOCK_MONOTONIC, driven by a timer, it
 * rewrites a part of 64 MiB and verifies all of them, writes a record to its disk and reads
 * older ones back, and prints on the serial console
 *
 *	TICK nonce=.. n=.. mono_ms=.. real_ms=.. sum=.. disk=ok late_ms=.. work_ms=..
 *
 * or CORRUPT and what was wrong, and goes on, so that nothing hides behind the first
 * damage. The power button ends it. Parameters come on the kernel's command line:
 * nonce=HEX (drawn by the harness for this run) and tick_ms=.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "area.h"
#include "disk.h"
#include "power.h"

#define DISK_RECORDS 32768u

static int console = -1;

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	/* One write a line: the kernel's own messages cannot come in between. */
	(void)!write(console, line, (size_t)n);
}

static uint64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t parameter(const char *key, int base, uint64_t fallback)
{
	char text[4096] = " ", *p;
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text + 1, sizeof(text) - 2);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n + 1 : 1] = 0;
	p = strstr(text, key);
	return p ? strtoull(p + strlen(key), NULL, base) : fallback;
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		say("INIT %s: %s", path, strerror(errno));
	close(fd);
}

static void set_up(void)
{
	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	console = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (console < 0)
		console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
	load_module("/modules/virtio_blk.ko");
}

static int set_up_area(uint64_t nonce)
{
	size_t size = (size_t)AREA_CHUNKS * AREA_CHUNK_WORDS * sizeof(uint64_t);
	void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return -1;
	madvise(area, size, MADV_HUGEPAGE);
	area_place(area, AREA_CHUNK_WORDS, AREA_CHUNK_WORDS);
	area_init(nonce);
	return 0;
}

/* Not before the first tick: each module costs an emulated machine of two layers a second. */
static void set_up_power(void)
{
	load_module("/modules/evdev.ko");
	load_module("/modules/button.ko");
	power_open();
}

static void end(uint64_t nonce, uint64_t tick)
{
	sync();
	say("BYE nonce=%016" PRIx64 " n=%" PRIu64, nonce, tick);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* The record before, one half way back and one from further away still. */
static int check_old_records(uint64_t nonce, uint64_t tick, uint64_t *which)
{
	uint64_t back[] = { tick - 1, tick / 2, area_seed(nonce, tick) % (tick ? tick : 1) };

	for (unsigned int i = 0; i < sizeof(back) / sizeof(back[0]); i++) {
		int r = back[i] ? disk_check(nonce, back[i]) : 0;

		*which = back[i];
		if (r)
			return r;
	}
	return 0;
}

static void tick(uint64_t nonce, uint64_t n, uint64_t late_ms)
{
	struct disk_record r = {
		.nonce = nonce,
		.tick = n,
		.mono_ms = clock_ms(CLOCK_MONOTONIC),
		.real_ms = clock_ms(CLOCK_REALTIME),
	};
	unsigned int bad, first = 0;
	uint64_t which = n;
	int err;

	/* Before this tick writes anything: what is there must be what the last one left. */
	bad = area_verify(nonce, n - 1, &r.sum, &first);
	if (bad)
		say("CORRUPT nonce=%016" PRIx64 " n=%" PRIu64 " memory chunks=%u first=%u", nonce,
		    n, bad, first);
	area_write(nonce, n);
	record_seal(&r);
	err = n < DISK_RECORDS ? disk_write(&r) : -ENOSPC;
	if (!err)
		err = check_old_records(nonce, n, &which);
	if (err)
		say("CORRUPT nonce=%016" PRIx64 " n=%" PRIu64 " disk record=%" PRIu64 " %s", nonce,
		    n, which, strerror(-err));
	say("TICK nonce=%016" PRIx64 " n=%" PRIu64 " mono_ms=%" PRIu64 " real_ms=%" PRIu64
	    " sum=%016" PRIx64 " disk=%s late_ms=%" PRIu64 " work_ms=%" PRIu64,
	    nonce, n, r.mono_ms, r.real_ms, r.sum, err ? "bad" : "ok", late_ms,
	    clock_ms(CLOCK_MONOTONIC) - r.mono_ms);
}

int main(void)
{
	uint64_t nonce, period, due, n = 0;
	int timer, err;

	set_up();
	nonce = parameter(" nonce=", 16, 0);
	period = parameter(" tick_ms=", 10, 250);
	say("INIT nonce=%016" PRIx64 " boot_ms=%" PRIu64, nonce, clock_ms(CLOCK_BOOTTIME));
	err = disk_open("/dev/vda");
	if (err)
		say("CORRUPT nonce=%016" PRIx64 " n=0 /dev/vda: %s", nonce, strerror(-err));
	if (set_up_area(nonce))
		say("CORRUPT nonce=%016" PRIx64 " n=0 no memory for the area", nonce);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	due = clock_ms(CLOCK_MONOTONIC);
	for (;;) {
		struct itimerspec at = { 0 };
		uint64_t now, expirations;

		due += period;
		now = clock_ms(CLOCK_MONOTONIC);
		/* A machine too slow for the period ticks as fast as it can. */
		if (due < now)
			due = now + 1;
		at.it_value.tv_sec = (time_t)(due / 1000);
		at.it_value.tv_nsec = (long)(due % 1000) * 1000000;
		timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
		(void)!read(timer, &expirations, sizeof(expirations));
		if (power_pressed())
			end(nonce, n);
		n++;
		tick(nonce, n, clock_ms(CLOCK_MONOTONIC) - due);
		if (n == 1)
			set_up_power();
	}
}
