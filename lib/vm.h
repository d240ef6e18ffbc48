/* SPDX-License-Identifier: GPL-2.0-only */
/* One VM as its configuration file or the manifest describes it. */
#ifndef HOLDOVER_VM_H
#define HOLDOVER_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* Also the number of records and extents in a ledger; ledger_format.h checks
 * that they agree. */
#define VM_MAX 64
#define VM_NAME_MAX 47
#define VM_ARGS_MAX 512
#define VM_DISKS_MAX 64
#define VM_DEVICES_MAX 1024
/* Guest NUMA nodes with RAM of their own; ledger_format.h checks that the
 * extent table can number them. */
#define VM_PARTS_MAX 8

/**
 * enum vm_placement - the earliest point of the boot at which a VM is resumed
 * @VM_PLACE_SYSROOT: in the initramfs, QEMU executed from the mounted root
 * @VM_PLACE_LATE: by an early unit of the real root
 * @VM_PLACE_INITRAMFS: in the initramfs before any root is mounted, QEMU
 *	executed from the image
 */
enum vm_placement { VM_PLACE_SYSROOT, VM_PLACE_LATE, VM_PLACE_INITRAMFS };

/**
 * enum vm_transport - how a VM's device state crosses the jump
 * @VM_STATE_LEDGER: as a blob in the ledger, under the ticket's MAC
 * @VM_STATE_SNAPSHOT: as an internal snapshot of one of its qcow2 images
 */
enum vm_transport { VM_STATE_LEDGER, VM_STATE_SNAPSHOT };

/** enum vm_on_failure - what becomes of a VM that could not be resumed */
enum vm_on_failure { VM_FAIL_KEEP, VM_FAIL_COLD_BOOT, VM_FAIL_IGNORE };

/** enum vm_on_kexec - what a kexec.target that `holdover kexec` has not started
 * does with the VM */
enum vm_on_kexec { VM_KEXEC_STOP, VM_KEXEC_HOLD };

/** enum vm_limit - resource limits of the VM's scope, systemd.resource-control(5) */
enum vm_limit {
	VM_CPU_WEIGHT,
	VM_CPU_QUOTA,
	VM_IO_WEIGHT,
	VM_MEMORY_HIGH,
	VM_MEMORY_MAX,
	VM_TASKS_MAX,
	VM_LIMITS,
};

/* How often a claim may be made unless the VM says otherwise: a claimed VM's
 * vCPUs have not run, so trying again is safe; a state that fails each time
 * must not fail for ever. */
#define VM_ATTEMPTS 3
#define VM_ATTEMPTS_MAX 100

/**
 * struct vm_part - one memory backend of a VM: all of its RAM, or one guest NUMA
 *	node's
 * @memdev: its id
 * @size: bytes of RAM
 * @align, @no_pmem, @region, @mem_path: as in struct vm
 */
struct vm_part {
	char *memdev;
	uint64_t size;
	uint64_t align;
	bool no_pmem;
	char *region;
	char *mem_path;
};

/**
 * struct vm - what QEMU is started from
 * @name: [A-Za-z0-9][A-Za-z0-9_.-]*, at most VM_NAME_MAX bytes, never a path
 * @qemu: absolute path of the QEMU program, as seen in the host's root
 * @machine: value of -machine, e.g. "q35"; the manifest has the versioned
 *	type in place of an alias
 * @memory: bytes of guest RAM, all parts of it
 * @memdev: id of the (first) memory backend, default "holdover.ram"; part of the
 *	migration stream (RAM block name), so it never changes in a VM's life
 * @args: the rest of the command line, owned strings, NULL-terminated;
 *	nothing that Holdover adds itself (-object of the RAM, -m, -machine,
 *	-S, -incoming, -name, -chardev/-mon of its sockets)
 * @nargs: number of @args
 * @placement: see enum vm_placement
 * @transport: see enum vm_transport
 * @on_failure: see enum vm_on_failure
 * @failure_unit: template of the unit to start when it could not be resumed,
 *	"NAME@.service"; NULL for none
 * @attempts: how often the boot may claim it; 0: VM_ATTEMPTS
 * @on_kexec: see enum vm_on_kexec
 * @limits: of its scope, in the manager's units; 0: none
 * @priority: lower is started first; default 100
 * @timeout_ms: deadline of one resume from spawn to RUNNING
 * @align: of the memory backend, as the operator wants it; 0: the device's
 * @no_pmem: the backend has pmem=off
 * @region: where its RAM shall be: "SIZE!START" or a label of holdover.conf, or
 *	NULL. Only from a file, as @mem_path: a VM that has RAM has an extent
 * @mem_path: device, or directory on a DAX file system, that the operator's own
 *	command line names, or NULL
 * @more: @nmore further parts of its RAM; @memdev, @align, @no_pmem, @region and
 *	@mem_path are about the first, which is what they leave of @memory.
 *	vm_part() has all alike
 */
struct vm {
	char name[VM_NAME_MAX + 1];
	char *qemu;
	char *machine;
	uint64_t memory;
	char *memdev;
	char **args;
	unsigned int nargs;
	enum vm_placement placement;
	enum vm_transport transport;
	enum vm_on_failure on_failure;
	char *failure_unit;
	unsigned int attempts;
	enum vm_on_kexec on_kexec;
	uint64_t limits[VM_LIMITS];
	int priority;
	int timeout_ms;
	uint64_t align;
	bool no_pmem;
	char *region;
	char *mem_path;
	struct vm_part more[VM_PARTS_MAX - 1];
	unsigned int nmore;
};

void vm_free(struct vm *vm);
#define _cleanup_vm_ _cleanup_(vm_free)

/** vm_name_check() - USAGE error unless @name is a valid VM name. */
_must_check_ int vm_name_check(const char *name, struct err *e);

/** vm_split_args() - split @text into words as a shell quotes them: blanks
 * separate, '...' and "..." group, \ quotes one character outside '...'.
 * No variables, no globs, no commands. USAGE on an open quote or on more than
 * VM_ARGS_MAX words. @args is NULL-terminated and owned by the caller. */
_must_check_ int vm_split_args(const char *text, char ***args, unsigned int *nargs, struct err *e);

/** vm_check() - the rules that hold for a VM from a file and from a manifest
 * alike: name, absolute qemu path, memory a multiple of 2 MiB, no argument
 * that Holdover owns. */
_must_check_ int vm_check(const struct vm *vm, struct err *e);

/** vm_parts() - of how many parts its RAM is. */
unsigned int vm_parts(const struct vm *vm);

/** vm_part() - one of them; borrows the strings of @vm. */
struct vm_part vm_part(const struct vm *vm, unsigned int i);

/** vm_parts_check() - the rules for the parts' ids and sizes, and that each of
 * several is the RAM of one guest NUMA node. Part of vm_check(). */
_must_check_ int vm_parts_check(const struct vm *vm, struct err *e);

/** vm_numa_users() - how many -numa nodes of @vm's arguments have the memory
 * backend @memdev. */
unsigned int vm_numa_users(const struct vm *vm, const char *memdev);

/** vm_unprivileged() - does QEMU give up root by itself (-run-with user=, -runas)? */
bool vm_unprivileged(const struct vm *vm);

/** vm_talks_to_log() - the option that sends what the guest says to QEMU's standard
 * output, a file in memory that nothing bounds; or NULL. */
const char *vm_talks_to_log(const struct vm *vm);

/** vm_load() - read DIR/NAME.conf; unknown sections and keys are errors that
 * name file, line and key. Section [vm]; keys qemu, machine, memory, memdev,
 * region, numa (once a node), args (continuation lines allowed), placement = initramfs|sysroot|late,
 * transport = ledger|snapshot,
 * on-failure = keep|cold-boot|ignore, on-failure-unit, attempts,
 * on-kexec = stop|hold, the limits, priority, timeout (seconds). */
_must_check_ int vm_load(const char *dir, const char *name, struct vm *out, struct err *e);

const char *vm_placement_name(enum vm_placement p);
const char *vm_transport_name(enum vm_transport t);
const char *vm_on_failure_name(enum vm_on_failure f);
_must_check_ int vm_placement_parse(const char *s, enum vm_placement *out, struct err *e);
_must_check_ int vm_transport_parse(const char *s, enum vm_transport *out, struct err *e);
_must_check_ int vm_on_failure_parse(const char *s, enum vm_on_failure *out, struct err *e);
const char *vm_on_kexec_name(enum vm_on_kexec k);
_must_check_ int vm_on_kexec_parse(const char *s, enum vm_on_kexec *out, struct err *e);

/** vm_failure_unit_check() - USAGE unless @name is the template of a service,
 * which an instance can be put into. */
_must_check_ int vm_failure_unit_check(const char *name, struct err *e);

/** vm_failure_instance() - NULL, or "NAME@VM.service", owned by the caller. */
char *vm_failure_instance(const struct vm *vm);

/** vm_limit_key() - of holdover-vm(5); vm_limit_property() - systemd's, of type t. */
const char *vm_limit_key(enum vm_limit l);
const char *vm_limit_property(enum vm_limit l);
bool vm_limit_find(const char *key, enum vm_limit *out);
/** vm_limit_parse() - into the manager's unit; USAGE naming the key. */
_must_check_ int vm_limit_parse(enum vm_limit l, const char *text, uint64_t *out, struct err *e);
/** vm_limit_check() - the range, of a value from wherever; 0 passes. */
_must_check_ int vm_limit_check(enum vm_limit l, uint64_t value, struct err *e);

#endif
