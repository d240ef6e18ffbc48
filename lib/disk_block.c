/* SPDX-License-Identifier: GPL-2.0-only */
/* Which block device is this? Its size says little, its path even less. */
#include "disk.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

/**
 * struct id_source - a file in sysfs that tells devices apart
 * @key: what it is called in an id
 * @file: from the device's folder
 */
struct id_source {
	const char *key;
	const char *file;
};

/* Of the disk: SCSI and ATA, NVMe, virtio-blk, MMC, device mapper, md. Each of
 * them alone names it. */
static const struct id_source of_disk[] = {
	{ "wwid", "device/wwid" },     { "wwid", "wwid" },	 { "serial", "serial" },
	{ "serial", "device/serial" }, { "dm-uuid", "dm/uuid" }, { "md-uuid", "md/uuid" },
};

/* Of the partition itself; these only tell those of one disk apart. */
static const struct id_source of_partition[] = {
	{ "partition", "partition" },
	{ "start", "start" },
};

#define PARTUUID "partuuid"

/* Values hold no blanks, so that an id is a list of words. */
static void add(char *id, const char *key, const char *value)
{
	char word[160];
	size_t n = strlen(id);
	int len;

	while (isspace((unsigned char)*value))
		value++;
	if (!*value)
		return;
	len = snprintf(word, sizeof(word), "%s%s=%.100s", n ? " " : "", key, value);
	while (len && isspace((unsigned char)word[len - 1]))
		word[--len] = '\0';
	for (char *p = word + (n ? 1 : 0); *p; p++)
		if (!isgraph((unsigned char)*p))
			*p = '_';
	if (n + (size_t)len < DISK_ID_SIZE)
		memcpy(id + n, word, (size_t)len + 1);
}

static bool has(const char *id, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = id; *p; p += strcspn(p, " "), p += *p == ' ')
		if (!strncmp(p, key, n) && p[n] == '=')
			return true;
	return false;
}

static void add_files(char *id, const char *dir, const char *up, const struct id_source *from,
		      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct err ignored = { 0 };
		char path[512], value[256];

		if (!has(id, from[i].key) &&
		    io_path(path, sizeof(path), &ignored, "%s%s/%s", dir, up, from[i].file) == 0 &&
		    io_read_line(path, value, sizeof(value), &ignored) == 0)
			add(id, from[i].key, value);
	}
}

/* In the uevent of a partition, on kernels from 6.13 on. */
static void add_partuuid(char *id, const char *dir)
{
	_cleanup_fclose_ FILE *f = NULL;
	struct err ignored = { 0 };
	char path[512], line[256];

	if (io_path(path, sizeof(path), &ignored, "%s/uevent", dir) == 0)
		f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "PARTUUID=", 9))
			add(id, PARTUUID, line + 9);
}

void disk_block_id(const char *dir, char id[DISK_ID_SIZE])
{
	char path[512];
	struct err ignored = { 0 };

	*id = '\0';
	if (io_path(path, sizeof(path), &ignored, "%s/partition", dir) < 0 || access(path, F_OK) < 0) {
		add_files(id, dir, "", of_disk, ARRAY_LEN(of_disk));
		return;
	}
	/* sysfs has a partition's folder in that of its disk. */
	add_files(id, dir, "/..", of_disk, ARRAY_LEN(of_disk));
	add_files(id, dir, "", of_partition, ARRAY_LEN(of_partition));
	add_partuuid(id, dir);
}

static bool names_device(const char *word)
{
	if (!strncmp(word, PARTUUID "=", sizeof(PARTUUID)))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(of_disk); i++) {
		size_t n = strlen(of_disk[i].key);

		if (!strncmp(word, of_disk[i].key, n) && word[n] == '=')
			return true;
	}
	return false;
}

bool disk_block_named(const char *id)
{
	for (const char *p = id; *p; p += strcspn(p, " "), p += *p == ' ')
		if (names_device(p))
			return true;
	return false;
}

/* The word of @id with the key of @word, or NULL. */
static const char *counterpart(const char *id, const char *word)
{
	size_t n = strcspn(word, "=") + 1;

	for (const char *p = id; *p; p += strcspn(p, " "), p += *p == ' ')
		if (!strncmp(p, word, n))
			return p;
	return NULL;
}

bool disk_block_same(const char *want, const char *now)
{
	bool named = false;

	for (const char *p = want; *p; p += strcspn(p, " "), p += *p == ' ') {
		const char *q = counterpart(now, p);
		size_t n = strcspn(p, " ");

		/* Another kernel may show less of a device, or more. */
		if (!q)
			continue;
		if (n != strcspn(q, " ") || memcmp(p, q, n))
			return false;
		named |= names_device(p);
	}
	return named || !disk_block_named(want);
}
