/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Somebody who holds the DAX device, knows the format, and has no ticket: what
 * he writes has the right checksums. Also for versions that nobody wrote yet.
 *
 *	attacker version sb|manifest|extents MAJOR MINOR
 *	attacker version TICKETFILE MAJOR MINOR
 *	attacker key TICKETFILE		another key
 *	attacker dump			the newest manifest's JSON
 *	attacker manifest JSONFILE	put another text into its place
 *	attacker manifest-back		make the one before it the newest
 *	attacker record INDEX STATE	append a record of the same jump
 *	attacker record-back INDEX	make the one before it the newest
 *	attacker hash OFFSET LENGTH	XXH3 of part of the blob area
 *	attacker storm SECONDS FROM TO	change one byte of the ledger after another, and back
 */
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "ledger_impl.h"
#include "pmem.h"

#define DEVICE_SIZE (6ULL << 20)
#define LEDGER_BYTES (2ULL << 20)

static struct pmem_map map;
static struct ledger l;
static struct err e;

static int die(const char *what)
{
	fprintf(stderr, "attacker: %s: %s\n", what, e.msg);
	return 1;
}

static void reversion(struct ledger_line *line, const char *major, const char *minor)
{
	line->major = htole16((uint16_t)strtoul(major, NULL, 10));
	line->minor = htole16((uint16_t)strtoul(minor, NULL, 10));
	line->xxh3 = htole64(hash_xxh3(line, offsetof(struct ledger_line, xxh3), 0));
}

static int version_pair(enum ledger_area_id id, char **argv)
{
	struct slot_pair p;

	pair_of(&l, id, &p);
	for (unsigned int i = 0; i < 2; i++) {
		struct ledger_line *line = (struct ledger_line *)(map.media.base + p.line[i]);

		if (line->xxh3)
			reversion(line, argv[0], argv[1]);
	}
	return 0;
}

static int version_sb(char **argv)
{
	for (unsigned int i = 1; i <= 2; i++)
		reversion((struct ledger_line *)(map.media.base + LEDGER_BYTES - i * LEDGER_PAGE),
			  argv[0], argv[1]);
	return 0;
}

static int edit_ticket(const char *path, char **version)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	struct ticket_media m;

	if (fd < 0 || pread(fd, &m, sizeof(m), 0) != sizeof(m))
		return die(path);
	if (version) {
		m.major = htole16((uint16_t)strtoul(version[0], NULL, 10));
		m.minor = htole16((uint16_t)strtoul(version[1], NULL, 10));
	} else if (getrandom(m.key, sizeof(m.key), 0) != sizeof(m.key)) {
		return 1;
	}
	m.xxh3 = htole64(hash_xxh3(&m, offsetof(struct ticket_media, xxh3), 0));
	return pwrite(fd, &m, sizeof(m), 0) == sizeof(m) ? 0 : die(path);
}

static int dump(void)
{
	_cleanup_buf_ struct buf json = { 0 };

	if (ledger_manifest_read(&l, NULL, &json, NULL, NULL, &e) < 0)
		return die("manifest");
	fputs(json.data, stdout);
	return 0;
}

static int newest(struct slot_pair *p, struct slot_head *head, unsigned int *slot)
{
	pair_of(&l, LEDGER_MANIFESTS, p);
	return pair_newest(&l, p, head, slot, &e);
}

static int replace(const char *path)
{
	_cleanup_buf_ struct buf json = { 0 };
	const size_t head_len = sizeof(struct ledger_manifest_media);
	struct slot_head head;
	struct slot_pair p;
	unsigned int slot;
	uint8_t *payload;

	if (io_read_file(path, 1 << 18, &json, &e) < 0 || newest(&p, &head, &slot) < 0)
		return die("manifest");
	payload = map.media.base + p.line[slot] + LEDGER_PAGE;
	memcpy(payload + head_len, json.data, json.len);
	line_encode((struct ledger_line *)(map.media.base + p.line[slot]), p.magic, head.seq,
		    payload, head_len + json.len);
	return 0;
}

static int manifest_back(void)
{
	struct slot_head head;
	struct slot_pair p;
	unsigned int slot;

	if (newest(&p, &head, &slot) < 0)
		return die("manifest");
	memset(map.media.base + p.line[slot], 0, LEDGER_LINE);
	return 0;
}

static int record(unsigned int index, const char *state)
{
	struct vm_record rec;

	if (ledger_record_read(&l, index, &rec, &e) < 0)
		return die("record");
	for (unsigned int s = 0; s < VM_STATES; s++)
		if (!strcmp(vm_state_name((enum vm_state)s), state))
			rec.state = (enum vm_state)s;
	rec.attempt = 0;
	memset(rec.boot_id, 0x77, sizeof(rec.boot_id));
	return ledger_record_write(&l, index, &rec, &e) < 0 ? die("record") : 0;
}

static int record_back(unsigned int index)
{
	struct ledger_record_media *m[2];
	const struct ledger_area *a = &l.area[LEDGER_RECORDS];

	for (unsigned int i = 0; i < 2; i++)
		m[i] = (void *)(map.media.base + a->offset + i * a->size / 2 + index * LEDGER_LINE);
	memset(m[le64toh(m[1]->seq) > le64toh(m[0]->seq)], 0, LEDGER_LINE);
	return 0;
}

static int storm(char **argv)
{
	int64_t end = io_now_ms() + (int64_t)(strtod(argv[0], NULL) * 1000);
	uint64_t from = strtoull(argv[1], NULL, 0), to = strtoull(argv[2], NULL, 0);
	uint64_t x = 88172645463325252ULL ^ (uint64_t)getpid();

	while (io_now_ms() < end) {
		for (unsigned int i = 0; i < 1000; i++) {
			volatile uint8_t *at;

			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			at = map.media.base + from + x % (to - from);
			*at ^= (uint8_t)(1 + x % 255);
			*at ^= (uint8_t)(1 + x % 255);
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "key") && argc == 3)
		return edit_ticket(argv[2], NULL);
	if (!strcmp(what, "version") && argc == 5 && *argv[2] == '/')
		return edit_ticket(argv[2], argv + 3);
	if (pmem_map_ledger("/dev/dax0.0", DEVICE_SIZE, LEDGER_BYTES, &map, &e) < 0)
		return die("ledger");
	if (!strcmp(what, "version") && argc == 5 && !strcmp(argv[2], "sb"))
		return version_sb(argv + 3);
	if (ledger_open(&l, &map.media, &e) < 0)
		return die("ledger");
	if (!strcmp(what, "version") && argc == 5)
		return version_pair(!strcmp(argv[2], "manifest") ? LEDGER_MANIFESTS : LEDGER_EXTENTS,
				    argv + 3);
	if (!strcmp(what, "dump"))
		return dump();
	if (!strcmp(what, "manifest") && argc == 3)
		return replace(argv[2]);
	if (!strcmp(what, "manifest-back"))
		return manifest_back();
	if (!strcmp(what, "record") && argc == 4)
		return record((unsigned int)strtoul(argv[2], NULL, 10), argv[3]);
	if (!strcmp(what, "record-back") && argc == 3)
		return record_back((unsigned int)strtoul(argv[2], NULL, 10));
	if (!strcmp(what, "storm") && argc == 5)
		return storm(argv + 2);
	if (!strcmp(what, "hash") && argc == 4)
		return printf("%016" PRIx64 "\n",
			      hash_xxh3(map.media.base + l.geo.blob_offset +
						strtoull(argv[2], NULL, 0),
					strtoull(argv[3], NULL, 0), 0)) < 0;
	fprintf(stderr, "attacker: what?\n");
	return 2;
}
