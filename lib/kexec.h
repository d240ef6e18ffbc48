/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading and starting the next kernel: kexec_file_load(), never kexec_load(). */
#ifndef HOLDOVER_KEXEC_H
#define HOLDOVER_KEXEC_H

#include <stdbool.h>

#include "io.h"
#include "pmem.h"

/** kexec_cmdline_ranges() - the memmap=SIZE!START ranges that @cmdline asks
 * for (several per parameter, separated by commas, are understood). Returns
 * how many, or -1 FORMAT naming the bad piece. */
int kexec_cmdline_ranges(const char *cmdline, struct pmem_range out[PMEM_RANGES_MAX], struct err *e);

/** kexec_cmdline_check() - every one of the @n persistent ranges of this boot
 * must be asked for with the same start and size, and no others; more than
 * four memmap= are REFUSED unless nokaslr is there (KASLR avoids only four). */
_must_check_ int kexec_cmdline_check(const char *cmdline, const struct pmem_range *ranges, int n,
				     struct err *e);

/** kexec_cmdline_next() - the running kernel's command line as the next one's:
 * BOOT_IMAGE= and leftovers of earlier jumps (rd.holdover.jump=) removed,
 * those words of @append added that are not there already. Owned by the
 * caller. */
char *kexec_cmdline_next(const char *current, const char *append);

/** kexec_cmdline_off() - does it tell the agent to do nothing (rd.holdover=0)? */
bool kexec_cmdline_off(const char *cmdline);

/** kexec_release() - the release (uname -r) of a kernel image; FORMAT if it is
 * none of x86. */
_must_check_ int kexec_release(const char *kernel_path, char *out, size_t size, struct err *e);

/** kexec_image_whole() - FORMAT if a kernel image of x86 is shorter than its
 * header says. The kernel itself loads such a one, and then starts it
 * (arch/x86/kernel/kexec-bzimage64.c compares only the setup part). */
_must_check_ int kexec_image_whole(const char *kernel_path, struct err *e);

/** kexec_initrd_agent() - 1 if the agent in an initrd reads the ledgers that this
 * program writes, 0 if not, with what it says of them in @said, empty if it
 * says nothing or is not there; -1. */
int kexec_initrd_agent(const char *initrd_path, char *said, size_t size, struct err *e);

/** kexec_initrd_has_file() - as kexec_initrd_has_module(), for any regular file
 * with the last path component @name. */
int kexec_initrd_has_file(const char *initrd_path, const char *name, struct err *e);

/** kexec_initrd_has_modules() - as kexec_initrd_has_module(), for any file below
 * lib/modules/@release. */
int kexec_initrd_has_modules(const char *initrd_path, const char *release, struct err *e);

/** kexec_loaded() - /sys/kernel/kexec_loaded. */
_must_check_ int kexec_loaded(bool *out, struct err *e);

/** kexec_unload() - drop the loaded kernel; then checks that it is gone. */
_must_check_ int kexec_unload(struct err *e);

/** kexec_initrd() - a memfd with the initrd file, padded to four bytes, and
 * @cpio after it (an initramfs may be several archives in a row; the last
 * one's files are added). Returns the descriptor or -1. */
int kexec_initrd(const char *initrd_path, const struct buf *cpio, struct err *e);

/** kexec_load_file() - kexec_file_load(2). The error explains EPERM (lockdown
 * or missing CAP_SYS_BOOT), ENOKEY/EKEYREJECTED/EBADMSG (signature), ENOEXEC
 * (not a bzImage), EBUSY, ENOSYS, with the remedy. */
_must_check_ int kexec_load_file(const char *kernel_path, int initrd_fd, const char *cmdline,
				 struct err *e);

/** kexec_initrd_has_module() - does the (possibly compressed, possibly
 * early-cpio-prefixed) initrd contain the holdover-agent? Looks through all
 * cpio archives of the file. Compression is undone by running the host's own
 * decompressor (zstd, xz, gzip, lz4) directly, without a shell, in a pipe.
 * 1 yes, 0 no, -1 error. */
int kexec_initrd_has_module(const char *initrd_path, struct err *e);

/** kexec_jump() - reboot(LINUX_REBOOT_CMD_KEXEC); returns only on failure. */
int kexec_jump(struct err *e);

/**
 * struct kexec_frozen - file systems frozen by kexec_freeze()
 * @fds: @n descriptors of their roots, in the order of freezing
 * @skipped: how many could be neither frozen nor synced in time
 * @watcher: a process that thaws them should this one die, 0 if none; it sees
 *	the end of the pipe @watch
 */
struct kexec_frozen {
	int fds[64];
	unsigned int n;
	unsigned int skipped;
	pid_t watcher;
	int watch;
};

/** kexec_freeze() - FIFREEZE every writable, block-backed file system, so that
 * it is clean on disk when the next kernel mounts it; what emergency remount
 * does, but reversible by kexec_thaw(). Those that cannot be frozen are synced.
 *
 * @vital: devices (st_dev) of file systems that must not be left out
 *
 * Each is given an equal share of what is left of @timeout_ms, in a child, so
 * that a stuck one cannot hold the VMs: on timeout it goes on without it and
 * @skipped counts it, or, if it is a vital one, -1 TIMEOUT names it. (A btrfs
 * counts as vital: its device number does not say which one it is.) Nothing may
 * be written to these file systems, logs included, until the jump or
 * kexec_thaw(), which must follow in any case: the writer would hang.
 */
_must_check_ int kexec_freeze(struct kexec_frozen *f, int timeout_ms, const dev_t *vital,
			      unsigned int nvital, struct err *e);
void kexec_thaw(struct kexec_frozen *f);

/** kexec_thaw_all() - thaw whatever is frozen, after a process that froze it
 * has died with its watcher. */
void kexec_thaw_all(void);

#endif
