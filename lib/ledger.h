/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ledger: the one artefact that crosses a kexec. Bytes on media are in
 * ledger_format.h; this is the interface. Nothing here knows where the memory
 * comes from: pmem.h maps it from a DAX device, tests hand in a buffer.
 */
#ifndef HOLDOVER_LEDGER_H
#define HOLDOVER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "io.h"
#include "vm.h"

/**
 * struct ledger_media - mapped memory that a ledger lives in
 * @base: start of the ledger's own extent
 * @size: bytes mapped
 * @store: copy @len bytes to @dst (inside the mapping) and make them durable
 *	before returning; every byte that reaches the media goes through here
 * @ctx: for @store
 */
struct ledger_media {
	uint8_t *base;
	uint64_t size;
	int (*store)(void *ctx, void *dst, const void *src, size_t len, struct err *e);
	void *ctx;
};

/**
 * struct ledger_geometry - what a ledger says about itself and its namespace
 * @ledger_uuid: random, made by ledger_format()
 * @namespace_uuid: uuid of the devdax or fsdax namespace
 * @region_start: physical address of the region
 * @region_size: bytes
 * @dataoff: from the namespace's info block: offset of the data in the region
 * @align: of the namespace, bytes
 * @page_struct_size: from the info block
 * @device_size: bytes of /dev/daxX.Y; with @in_file of the ledger's file
 * @ledger_offset: offset of the ledger on the device; offset + size =
 *	device_size
 * @ledger_size: bytes, a multiple of @align
 * @blob_offset: from the start of the ledger
 * @blob_size: bytes available for device state
 * @in_file: it is a file on a DAX file system (fsdax), each VM's RAM another
 * @fs_uuid: of that file system, else zero
 * @region: 0: the host's ledger; else this is only the stamp of a region
 *	beside the ledger's, under this number
 * @host_uuid: of a stamp: uuid of the host's ledger, else zero
 */
struct ledger_geometry {
	uint8_t ledger_uuid[16];
	uint8_t namespace_uuid[16];
	uint64_t region_start;
	uint64_t region_size;
	uint64_t dataoff;
	uint64_t align;
	uint64_t page_struct_size;
	uint64_t device_size;
	uint64_t ledger_offset;
	uint64_t ledger_size;
	uint64_t blob_offset;
	uint64_t blob_size;
	bool in_file;
	uint8_t fs_uuid[16];
	unsigned int region;
	uint8_t host_uuid[16];
};

/* Regions of one host, the ledger's own (0) included. */
#define LEDGER_REGIONS 16

/* The two superblock slots are the last 8 KiB of the ledger, which ends where
 * the device ends: the aligned end of the region. */
#define LEDGER_TAIL 8192

/* The areas of a ledger, in the order in which they lie. */
enum ledger_area_id {
	LEDGER_INFO,
	LEDGER_EXTENTS,
	LEDGER_MANIFESTS,
	LEDGER_RECORDS,
	LEDGER_JOURNAL,
	LEDGER_BLOBS,
	LEDGER_AREAS,
};

struct ledger_area {
	uint64_t offset;
	uint64_t size;
};

/** struct ledger - an open ledger; borrows the media's mapping, owns nothing
 * @area: private to ledger*.c, checked to lie within the mapping */
struct ledger {
	struct ledger_media media;
	struct ledger_geometry geo;
	unsigned int minor;
	struct ledger_area area[LEDGER_AREAS];
};

/** ledger_format() - write a new, empty ledger over whatever is there.
 *
 * @geo: uuid, blob_offset and blob_size are filled in.
 * @info_block: the 4 KiB pfn/dax info block of the namespace, verbatim.
 */
_must_check_ int ledger_format(const struct ledger_media *media, struct ledger_geometry *geo,
			       const uint8_t info_block[4096], struct err *e);

/** ledger_tail_read() - decode the newer valid superblock slot out of the last
 * LEDGER_TAIL bytes (a private copy). ABSENT if neither slot has the magic. */
_must_check_ int ledger_tail_read(const uint8_t tail[LEDGER_TAIL], struct ledger_geometry *geo,
				  struct err *e);

/** ledger_open() - attach to a mapped ledger and check its superblock against
 * the mapping. Kinds: ABSENT, FORMAT (newer major), CHECKSUM, MISMATCH. */
_must_check_ int ledger_open(struct ledger *l, const struct ledger_media *media, struct err *e);

/** ledger_info_block() - the verbatim info block; CHECKSUM if it rotted. */
_must_check_ int ledger_info_block(const struct ledger *l, uint8_t out[4096], struct err *e);

/* ---- extents: which part of the device is whose RAM -------------------- */

/**
 * struct extent - a VM's RAM, or a part of it
 * @name: of the VM; empty = slot unused. The slot number of its part 0 is the
 *	VM's index everywhere in the ledger, for as long as the extent exists.
 * @part: which of the VM's RAM, from 0; see vm_part()
 * @offset: on the device, a multiple of the namespace's align
 * @size: bytes, a multiple of align
 * @region: in which region, see struct ledger_geometry
 * @in_file: it is a file of its own, at @offset 0
 */
struct extent {
	char name[VM_NAME_MAX + 1];
	unsigned int part;
	uint64_t offset;
	uint64_t size;
	unsigned int region;
	bool in_file;
};

struct extent_table {
	struct extent slot[VM_MAX];
};

_must_check_ int ledger_extents_read(const struct ledger *l, struct extent_table *t, struct err *e);
_must_check_ int ledger_extents_write(struct ledger *l, const struct extent_table *t, struct err *e);

/** extent_table_check() - every entry named, aligned, below the ledger, no two
 * of the same part of a VM or overlapping, no VM without the parts before one
 * that is there; an error has kind @kind. Of another
 * region only what can be said without its geometry, see extent_fits(). */
_must_check_ int extent_table_check(const struct extent_table *t, const struct ledger_geometry *geo,
				    enum err_kind kind, struct err *e);

/** extent_fits() - does @x lie within the region of @geo, and is it of its kind?
 * An error has kind @kind. */
_must_check_ int extent_fits(const struct extent *x, const struct ledger_geometry *geo,
			     enum err_kind kind, struct err *e);

/** extent_find() - slot of @name's part 0, or -1. */
int extent_find(const struct extent_table *t, const char *name);
int extent_find_part(const struct extent_table *t, const char *name, unsigned int part);

/** extent_parts() - those of @name, in order. Returns how many. */
unsigned int extent_parts(const struct extent_table *t, const char *name,
			  struct extent out[VM_PARTS_MAX]);

/** extent_alloc() - first fit below the ledger for @size bytes (rounded up to
 * align) in the region of @geo; returns the slot or -1 with REFUSED saying what is free. Only
 * changes @t; ledger_extents_write() makes it last. */
int extent_alloc(struct extent_table *t, const struct ledger_geometry *geo, const char *name,
		 uint64_t size, struct err *e);
int extent_alloc_part(struct extent_table *t, const struct ledger_geometry *geo, const char *name,
		      unsigned int part, uint64_t size, struct err *e);

/* ---- state records ----------------------------------------------------- */

/** enum vm_state - design: a VM's way across a jump. VM_NONE: never sealed. */
enum vm_state {
	VM_NONE,
	VM_SEALED,
	VM_CLAIMED,
	VM_RELEASED,
	VM_RUNNING,
	VM_FAILED,
	VM_ABORTED,
	VM_CONSUMED,
	VM_STATES,
};

const char *vm_state_name(enum vm_state s);

/**
 * struct vm_record - one VM's state, one cache line on media, A/B
 * @state: see enum vm_state
 * @reason: why it is FAILED
 * @attempt: number of claims so far
 * @generation: of the jump that sealed it
 * @ticket_id: ticket_id() of that jump's ticket
 * @boot_id: SEALED: of the sealing boot; later states: of the acting boot
 */
struct vm_record {
	enum vm_state state;
	enum err_kind reason;
	unsigned int attempt;
	uint64_t generation;
	uint8_t ticket_id[16];
	uint8_t boot_id[16];
};

/** ledger_record_read() - the newer of the two copies; a slot that was never
 * written reads as VM_NONE. A write that a crash interrupted leaves the older
 * copy; CHECKSUM if either copy is damaged in another way, as it may be the
 * newer one and an older state could resume a VM twice. */
_must_check_ int ledger_record_read(const struct ledger *l, unsigned int index,
				    struct vm_record *out, struct err *e);
/** ledger_record_write() - durable when it returns; old or new after a crash. */
_must_check_ int ledger_record_write(struct ledger *l, unsigned int index,
				     const struct vm_record *rec, struct err *e);
/** ledger_record_overwrite() - replace a record that cannot be read (CHECKSUM)
 * by @rec. After a crash it is unreadable still, or @rec: never the older copy
 * that was not to be trusted. FORMAT: a newer version wrote it, and only that
 * one may replace it. */
_must_check_ int ledger_record_overwrite(struct ledger *l, unsigned int index,
					 const struct vm_record *rec, struct err *e);

/* ---- manifest and blobs ------------------------------------------------ */

#define TICKET_KEY 32
#define LEDGER_MAC 32

/** ledger_key_id() - what the ledger stores of a ticket: a hash of its key. */
void ledger_key_id(const uint8_t key[TICKET_KEY], uint8_t id[16]);

/** ledger_generation() - the generation of the newest manifest, 0 if none
 * was ever sealed. FORMAT, CHECKSUM: as ledger_manifest_read(). */
_must_check_ int ledger_generation(const struct ledger *l, uint64_t *gen, struct err *e);

/** ledger_manifest_write() - put @json into the older slot, MAC it under
 * @key, persist, then flip the slot's header. REFUSED if it is too large or
 * @generation is not above that of the newest manifest. */
_must_check_ int ledger_manifest_write(struct ledger *l, uint64_t generation,
				       const uint8_t key[TICKET_KEY], const uint8_t ticket_id[16],
				       const void *json, size_t len, struct err *e);

/**
 * ledger_manifest_read() - copy the newest manifest out, then check the copy
 * @key: the ticket's key, or NULL to skip the MAC ("unverified")
 * @json: owned by the caller
 * @generation: may be NULL
 * @ticket_id: id of the ticket it was sealed under; may be NULL
 *
 * ABSENT none; CHECKSUM damaged or MAC wrong; STALE if @key belongs to another
 * ticket than the manifest was sealed under.
 */
_must_check_ int ledger_manifest_read(const struct ledger *l, const uint8_t *key, struct buf *json,
				      uint64_t *generation, uint8_t ticket_id[16], struct err *e);

/**
 * struct blob_ref - where a VM's device state lies; part of the manifest
 * @offset: from the start of the blob area
 * @length: bytes
 * @xxh3: of the content
 * @mac: keyed BLAKE2b under the ticket, over VM name, generation and content
 */
struct blob_ref {
	uint64_t offset;
	uint64_t length;
	uint64_t xxh3;
	uint8_t mac[LEDGER_MAC];
};

/** ledger_blob_write() - store @len bytes at @ref->offset (set by the caller),
 * read them back, and fill in the rest of @ref. REFUSED if there is no room. */
_must_check_ int ledger_blob_write(struct ledger *l, const char *vm_name, uint64_t generation,
				   const uint8_t key[TICKET_KEY], const void *data, size_t len,
				   struct blob_ref *ref, struct err *e);

/** ledger_blob_read() - copy the blob into a new write-sealed memfd, then
 * check that copy. Returns the descriptor (position 0) or -1. */
int ledger_blob_read(const struct ledger *l, const char *vm_name, uint64_t generation,
		     const uint8_t key[TICKET_KEY], const struct blob_ref *ref, struct err *e);

/* ---- phase journal ------------------------------------------------------ */

/** enum phase - points in time of one jump, in their order */
enum phase {
	PHASE_NONE,
	PHASE_STAGE_START,
	PHASE_IMAGE_LOADED,
	PHASE_PAUSED,
	PHASE_SAVED,
	PHASE_SEALED,
	PHASE_JUMP,
	PHASE_KERNEL_START,
	PHASE_AGENT_START,
	PHASE_REGION_READY,
	PHASE_CLAIMED,
	PHASE_ROOT_READY,
	PHASE_SPAWNED,
	PHASE_CONNECTED,
	PHASE_LOADED,
	PHASE_RELEASED,
	PHASE_RUNNING,
	PHASE_AGENT_DONE,
	PHASE_ABORTED,
	PHASES,
};

const char *phase_name(enum phase p);

#define PHASE_HOST 0xffffu

/**
 * struct phase_mark - one point in time
 * @phase: what happened
 * @vm: index of the VM, or PHASE_HOST
 * @generation: of the jump
 * @tsc: time stamp counter; keeps counting across a kexec
 * @tsc_hz: measured frequency, 0 if not known yet
 * @realtime_ns: CLOCK_REALTIME beside it; after a kexec it has come back from
 *	the RTC and is one second coarse
 */
struct phase_mark {
	enum phase phase;
	unsigned int vm;
	uint64_t generation;
	uint64_t tsc;
	uint64_t tsc_hz;
	uint64_t realtime_ns;
};

/** ledger_journal_add() - append one mark to the ring; safe from one thread. */
_must_check_ int ledger_journal_add(struct ledger *l, const struct phase_mark *mark, struct err *e);

/** ledger_journal_read() - marks of @generation in order of tsc; damaged ones
 * are left out. Returns how many, at most @max. */
unsigned int ledger_journal_read(const struct ledger *l, uint64_t generation,
				 struct phase_mark *out, unsigned int max);

/** ledger_reads - which ledgers this program reads: LEDGER_FORMAT_MARK and
 * "MAJOR.MINOR". For who has only the program's file, as in an initrd. */
extern const char ledger_reads[];

#endif
