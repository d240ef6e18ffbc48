/* SPDX-License-Identifier: GPL-2.0-only */
/* Starting a QEMU process: the same command line for a fresh VM and for a
 * resumed one, but for what makes it wait for its state. */
#ifndef HOLDOVER_QEMU_H
#define HOLDOVER_QEMU_H

#include <sys/types.h>

#include "ram.h"
#include "vm.h"

/* Where everything about a running VM lies: RUN_DIR/NAME/... */
#define HOLDOVER_RUN_DIR "/run/holdover"

/**
 * struct qemu_proc - a started QEMU
 * @pid: its process
 * @pidfd: owned
 * @start_time: field 22 of /proc/PID/stat; with @pid a safe identity
 * @ctl: connected to its control monitor (QMP, nothing sent yet), owned
 */
struct qemu_proc {
	pid_t pid;
	int pidfd;
	uint64_t start_time;
	int ctl;
};

/**
 * struct qemu_launch - how to start one QEMU
 * @vm: what to start
 * @ram: where each part of its RAM is in this boot; the offset is given to QEMU
 *	only if it is not 0, since QEMU < 8.1 has no offset=
 * @incoming: wait for device state (-incoming defer)
 * @root: chroot() there before exec, or NULL; in an initramfs this is the
 *	mounted root, so that the process keeps a valid root after switch-root
 * @survive: argv[0] begins with '@', which systemd's killing spree at
 *	switch-root respects for processes of root
 * @scope: systemd scope to put it into, or NULL
 * @born: called when the process is there and has not executed QEMU yet, with
 *	@pid, @pidfd and @start_time known: the place to note it, since the
 *	process ends by itself if its parent dies before. -1 ends it. May be NULL
 * @ctx: for @born
 */
struct qemu_launch {
	const struct vm *vm;
	struct ram ram[VM_PARTS_MAX];
	bool incoming;
	const char *root;
	bool survive;
	const char *scope;
	int (*born)(void *ctx, const struct qemu_proc *p, struct err *e);
	void *ctx;
};

#define QEMU_PROC_INIT                            \
	{                                         \
		.pid = -1, .pidfd = -1, .ctl = -1 \
	}

/** qemu_start() - make RUN_DIR/NAME (0700) with its listening sockets ctl.sock
 * and qmp.sock (0600) and qemu.log, start QEMU with -S, and connect.
 *
 * The sockets listen before QEMU is executed, so connecting needs no polling.
 * Returns once exec() has succeeded: SPAWN if it has not, with the reason.
 * Whether QEMU likes its arguments shows on @ctl (EXITED, see qemu_last_words).
 */
_must_check_ int qemu_start(const struct qemu_launch *launch, struct qemu_proc *out, struct err *e);

/**
 * qemu_ram_path_check() - would a QEMU chrooted into @root find our RAM?
 * @ram: its path as the caller sees it, and as QEMU is given it
 *
 * memory-backend-file makes a file of a path that does not exist, or of one that
 * is empty, and the guest would run on zeros. ABSENT if the path is not there
 * under @root, or is something else than the caller sees; MISMATCH if it is a
 * file that is too short. qemu_start() asks this.
 */
_must_check_ int qemu_ram_path_check(const char *root, const struct ram *ram, struct err *e);

/**
 * qemu_ram_mapped_check() - has the process @pid mapped @ram?
 * @ram: as the caller sees it; must be mapped whole, shared and writable
 *
 * MISMATCH if not. Asks /proc/PID/map_files, so needs CAP_SYS_ADMIN.
 */
_must_check_ int qemu_ram_mapped_check(pid_t pid, const struct ram *ram, struct err *e);

/** qemu_proc_kill() - SIGKILL, wait for its end (bounded, also if it is not our
 * child), reap, and close; what a cleanup attribute does with a QEMU whose
 * state was not released yet. */
void qemu_proc_kill(struct qemu_proc *p);

/** qemu_proc_release() - close descriptors; the process lives on. */
void qemu_proc_release(struct qemu_proc *p);

/** qemu_last_words() - append the last lines of the VM's qemu.log to the
 * message of @e: "...; QEMU said: ...", what is not ASCII as \\xNN. */
void qemu_last_words(const char *vm_name, struct err *e);

/** qemu_argv() - the command line, NULL-terminated; free with
 * qemu_argv_free(). @ctl_fd and @qmp_fd are the numbers inside QEMU. */
char **qemu_argv(const struct qemu_launch *launch, int ctl_fd, int qmp_fd, struct err *e);
void qemu_argv_free(char **argv);

/** qemu_backend_in_numa() - do @vm's arguments give its RAM to -numa? */
bool qemu_backend_in_numa(const struct vm *vm);

/** qemu_pid_open() - pidfd of the process @pid if it still is the one that
 * started at @start_time; ABSENT if it has ended, another kind if that cannot
 * be told. */
int qemu_pid_open(pid_t pid, uint64_t start_time, struct err *e);

/** qemu_start_time() - field 22 of /proc/PID/stat, clock ticks since boot. */
_must_check_ int qemu_start_time(pid_t pid, uint64_t *out, struct err *e);

#endif
