/* SPDX-License-Identifier: GPL-2.0-only */
/* Making a root a place where QEMU can live before and after switch-root. */
#ifndef HOLDOVER_SYSROOT_H
#define HOLDOVER_SYSROOT_H

#include "err.h"

/**
 * sysroot_prepare() - bind /dev, /proc, /sys and /run into @root
 *
 * What is mounted there already is left alone. The binds stay: at switch-root
 * both systemd and util-linux leave a target alone that is a mount point, so
 * that the process chrooted into @root keeps the same /dev and /run as the
 * rest of the host. ABSENT if @root lacks one of the folders: nothing is
 * mounted there yet.
 */
_must_check_ int sysroot_prepare(const char *root, struct err *e);

/** sysroot_remount_rw() - make the file system mounted at @root writable, its
 * other options kept. 1 if that was done, 0 if it was writable, -1 error. */
_must_check_ int sysroot_remount_rw(const char *root, struct err *e);

/** sysroot_enter() - chroot() into @root, prepared before. What a process opens
 * by path from then on it finds also after switch-root. */
_must_check_ int sysroot_enter(const char *root, struct err *e);

/** sysroot_hold() - a descriptor of the file system that is mounted at @root,
 * which stays good whatever root the host has by then; -1 if there is none, or
 * it is this process's root already. */
int sysroot_hold(const char *root);

/** sysroot_follow() - if the host's root has been switched to @held, and this
 * process was left in an initramfs without anything in it, follow it there. 1 if
 * it is there, 0 if the root has not been switched, -1 error. */
_must_check_ int sysroot_follow(int held, struct err *e);

#endif
