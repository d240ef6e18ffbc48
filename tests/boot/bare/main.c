/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test guest without an operating system. Does each tick what ../guest/init.c does, prints the
 * same lines and leaves the same records on its disk, but is there milliseconds after QEMU has
 * started, and needs a few megabytes. Parameters on its command line: nonce=HEX, tick_ms=, and
 * words=, how many 64-bit words of each chunk of the memory area are in use; the chunks themselves are
 * spread evenly over all of the RAM from 2 MiB on.
 */
#include "../guest/area.h"
#include "../guest/record.h"
#include "hw.h"

#define DISK_RECORDS 32768u
#define AREA_START 0x200000u

/* xen/include/public/arch-x86/hvm/start_info.h */
struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp, map;
	uint32_t map_entries, reserved;
};

struct map_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};

static struct disk_record record __attribute__((aligned(512)));
static uint64_t nonce;

void bare_main(const struct start_info *info);
void bare_fault(uint64_t number);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);

/* The compiler makes calls of these out of assignments. */
void *memcpy(void *to, const void *from, size_t n)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return start;
}

void *memset(void *to, int c, size_t n)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return start;
}

void bare_fault(uint64_t number)
{
	say("CORRUPT nonce=%016llx n=%llu exception %llu", (unsigned long long)nonce,
	    (unsigned long long)record.tick, (unsigned long long)number);
}

static uint64_t parameter(const char *line, const char *key, unsigned int base, uint64_t fallback)
{
	for (; *line; line++) {
		const char *p = line, *k = key;
		uint64_t v = 0;

		while (*k && *p == *k)
			p++, k++;
		if (*k)
			continue;
		for (; *p > ' '; p++)
			v = v * base + (uint64_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
		return v;
	}
	return fallback;
}

/* The end of the RAM that the memory area lies in. */
static uint64_t end_of_ram(const struct start_info *info)
{
	const struct map_entry *map = (const struct map_entry *)(uintptr_t)info->map;

	for (uint32_t i = 0; info->version && i < info->map_entries; i++)
		if (map[i].type == 1 && map[i].address <= AREA_START &&
		    map[i].address + map[i].size > AREA_START)
			return map[i].address + map[i].size;
	return 0;
}

/* Read a record back and compare all of it with what that tick must have written. */
static const char *check_record(uint64_t tick)
{
	static struct disk_record back __attribute__((aligned(512)));
	const char *bad = disk_io(&back, tick, false);

	return bad ? bad : record_valid(&back, nonce, tick) ? NULL : "it is not what was written";
}

/* The record before, one half way back and one from further away still. */
static const char *check_old_records(uint64_t tick, uint64_t *which)
{
	uint64_t back[] = { tick - 1, tick / 2, area_seed(nonce, tick) % tick };

	for (unsigned int i = 0; i < 3; i++) {
		const char *bad = back[i] ? check_record(back[i]) : NULL;

		*which = back[i];
		if (bad)
			return bad;
	}
	return NULL;
}

static void tick(uint64_t n, uint64_t late_ms)
{
	unsigned int bad, first = 0;
	uint64_t which = n;
	const char *why;

	record = (struct disk_record){
		.nonce = nonce,
		.tick = n,
		.mono_ms = clock_ms(),
		.real_ms = rtc_ms(),
	};
	/* Before this tick writes anything: what is there must be what the last one left. */
	bad = area_verify(nonce, n - 1, &record.sum, &first);
	if (bad)
		say("CORRUPT nonce=%016llx n=%llu memory chunks=%u first=%u",
		    (unsigned long long)nonce, (unsigned long long)n, bad, first);
	area_write(nonce, n);
	bad = video_verify(nonce, n - 1);
	if (bad)
		say("CORRUPT nonce=%016llx n=%llu video words=%u", (unsigned long long)nonce,
		    (unsigned long long)n, bad);
	video_write(nonce, n);
	record_seal(&record);
	why = n < DISK_RECORDS ? disk_io(&record, n, true) : "no room for more records";
	if (!why)
		why = check_old_records(n, &which);
	if (why)
		say("CORRUPT nonce=%016llx n=%llu disk record=%llu %s", (unsigned long long)nonce,
		    (unsigned long long)n, (unsigned long long)which, why);
	say("TICK nonce=%016llx n=%llu mono_ms=%llu real_ms=%llu sum=%016llx disk=%s late_ms=%llu work_ms=%llu",
	    (unsigned long long)nonce, (unsigned long long)n, (unsigned long long)record.mono_ms,
	    (unsigned long long)record.real_ms, (unsigned long long)record.sum, why ? "bad" : "ok",
	    (unsigned long long)late_ms, (unsigned long long)(clock_ms() - record.mono_ms));
}

static void set_up(const struct start_info *info, uint64_t words)
{
	uint64_t end = end_of_ram(info), stride;
	const char *bad;

	power_init();
	bad = disk_init();
	if (bad)
		say("CORRUPT nonce=%016llx n=0 disk: %s", (unsigned long long)nonce, bad);
	stride = end > AREA_START ? (end - AREA_START) / AREA_CHUNKS / 64 * 64 : 0;
	if (!words || words % 8 || stride < words * 8) {
		say("CORRUPT nonce=%016llx n=0 no memory for the area below %llu",
		    (unsigned long long)nonce, (unsigned long long)end);
		power_off();
	}
	area_place((uint64_t *)(uintptr_t)AREA_START, stride / 8, words);
	area_init(nonce);
	say("VIDEO nonce=%016llx bytes=%llu", (unsigned long long)nonce,
	    (unsigned long long)video_init(nonce));
}

void bare_main(const struct start_info *info)
{
	const char *line = (const char *)(uintptr_t)info->command_line;
	uint64_t period, due, words, now, n = 0;

	nonce = parameter(line, "nonce=", 16, 0);
	period = parameter(line, "tick_ms=", 10, 250);
	words = parameter(line, "words=", 10, 4096);
	say("INIT nonce=%016llx", (unsigned long long)nonce);
	if (!clock_init()) {
		say("CORRUPT nonce=%016llx n=0 there is no HPET", (unsigned long long)nonce);
		return;
	}
	set_up(info, words);
	for (due = clock_ms();;) {
		due += period;
		now = clock_ms();
		/* A machine too slow for the period ticks as fast as it can. */
		if (due < now)
			due = now + 1;
		clock_wait(due);
		if (power_pressed()) {
			say("BYE nonce=%016llx n=%llu", (unsigned long long)nonce,
			    (unsigned long long)n);
			power_off();
		}
		n++;
		tick(n, clock_ms() - due);
	}
}
