/* SPDX-License-Identifier: GPL-2.0-only */
/* What the stage tells the agent about each VM: JSON in a manifest slot. */
#ifndef HOLDOVER_MANIFEST_H
#define HOLDOVER_MANIFEST_H

#include "canary.h"
#include "clock.h"
#include "ledger.h"
#include "vm.h"

#define DISK_ID_SIZE 512

/**
 * struct disk - identity of an image or block device that a VM has open
 * @path: absolute, as QEMU was given it
 * @writable: opened read-write by QEMU
 * @is_block: a block device: @fs_uuid, @inode and @mtime_ns are 0
 * @id: of a block device, see disk_block_id(); empty if it has none
 * @fs_uuid: hash of the file system's uuid, as 16 hex digits: f_fsid of statfs,
 *	but of XFS, whose f_fsid is a device number, the uuid itself
 * @inode: st_ino
 * @size: bytes
 * @mtime_ns: of the file at save time
 */
struct disk {
	char *path;
	bool writable;
	bool is_block;
	char id[DISK_ID_SIZE];
	char fs_uuid[17];
	uint64_t inode;
	uint64_t size;
	uint64_t mtime_ns;
};

#define SNAPSHOT_NAME_MAX 64
#define SNAPSHOT_IMAGE_MAX 1024

/**
 * struct snapshot - device state in an internal snapshot of a qcow2 image, as
 *	QEMU describes it right after it was made
 * @image: absolute path of the image
 * @name: made by snapshot_name()
 * @id: that the image gave to it
 * @state_size: bytes of its device state; 0: there is no snapshot
 * @date_sec, @date_nsec: of the host's clock when it was made
 * @clock_sec, @clock_nsec: of the guest's clock
 * @incoming: it is loaded by a QEMU that was told to wait (-incoming), which
 *	leaves RAM alone when it resets its devices; needs QEMU 10.0. Else by one
 *	that was not, and the VM has no program image in RAM that a reset writes
 */
struct snapshot {
	char image[SNAPSHOT_IMAGE_MAX];
	char name[SNAPSHOT_NAME_MAX];
	char id[32];
	uint64_t state_size;
	uint64_t date_sec, date_nsec;
	uint64_t clock_sec, clock_nsec;
	bool incoming;
};

/**
 * struct manifest_part - a further part of a VM's RAM
 * @extent: where it is
 * @canary: of it
 */
struct manifest_part {
	struct extent extent;
	struct canary canary;
};

/**
 * struct manifest_vm - one VM as sealed
 * @vm: what to start; machine is the versioned type
 * @index: slot in the extent table and of the state record
 * @extent: its RAM on the device, or the first part of it
 * @blob: its device state
 * @snapshot: where its device state really is, if @vm's transport is
 *	VM_STATE_SNAPSHOT: @blob then only says so in words
 * @paused_tsc: time stamp counter when it was paused; 0: unknown
 * @was_running: false: it had been paused by its owner and stays paused
 * @cpr_reboot: saved with mode=cpr-reboot: load in the same mode
 * @disks: @ndisks entries, owned
 * @canary: of what is in @extent; CANARY_NONE also when a stage wrote it that knew of none
 * @devices: @ndevices sentences about what the command line made, sorted, owned
 *	(see kexec-stage/inventory.h); NULL when nobody looked
 * @scope: systemd scope unit it ran in, e.g. "holdover-db1.scope"
 * @more: the further parts, as many as @vm has; manifest_extent() and
 *	manifest_canary() have all alike
 */
struct manifest_vm {
	struct vm vm;
	unsigned int index;
	struct extent extent;
	struct blob_ref blob;
	struct snapshot snapshot;
	uint64_t paused_tsc;
	bool was_running;
	bool cpr_reboot;
	struct disk *disks;
	unsigned int ndisks;
	struct canary canary;
	char **devices;
	unsigned int ndevices;
	char *scope;
	struct manifest_part more[VM_PARTS_MAX - 1];
};

/**
 * struct manifest_region - a region beside the ledger's own that holds RAM
 * @number: as extents name it, from 1
 * @start, @size: physical, bytes
 * @namespace_uuid: of its namespace
 * @fs_uuid: of its file system, or zero
 */
struct manifest_region {
	unsigned int number;
	uint64_t start;
	uint64_t size;
	uint8_t namespace_uuid[16];
	uint8_t fs_uuid[16];
};

/**
 * struct manifest - decoded
 * @generation: of the jump
 * @boot_id: of the boot that sealed it
 * @kernel: uname -r of that boot
 * @tsc_hz: measured frequency
 * @regions: @nregions that extents name, each number once
 * @clock: the time when it was sealed; @realtime_ns 0: a stage sealed it that
 *	noted none
 * @set_clock: the next kernel shall take the time from it
 * @vms: @nvms entries, owned
 */
struct manifest {
	uint64_t generation;
	uint8_t ledger_uuid[16];
	uint8_t boot_id[16];
	char kernel[65];
	uint64_t tsc_hz;
	struct manifest_region regions[LEDGER_REGIONS];
	unsigned int nregions;
	struct clock_pair clock;
	bool set_clock;
	struct manifest_vm *vms;
	unsigned int nvms;
};

/** manifest_region() - the region of that number, or NULL. */
const struct manifest_region *manifest_region(const struct manifest *m, unsigned int number);

/** manifest_extent(), manifest_canary() - of part @i of a VM's RAM. */
const struct extent *manifest_extent(const struct manifest_vm *mv, unsigned int i);
const struct canary *manifest_canary(const struct manifest_vm *mv, unsigned int i);

void manifest_free(struct manifest *m);
#define _cleanup_manifest_ _cleanup_(manifest_free)

/** manifest_encode() - compact JSON, owned by the caller. */
_must_check_ int manifest_encode(const struct manifest *m, struct buf *out, struct err *e);

/** manifest_decode() - strict about everything that it uses (types, ranges,
 * duplicate names and indices, vm_check() on each VM, extents that overlap or
 * leave the device, blobs that leave the blob area), lenient towards unknown
 * members, which a newer minor version may add. With @geo NULL what depends on
 * a ledger (its uuid, the places of extents and blobs) is not checked: that is
 * how a running VM is described in its state.json. */
_must_check_ int manifest_decode(const struct buf *json, const struct ledger_geometry *geo,
				 struct manifest *out, struct err *e);

#endif
