/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DISK_H
#define DISK_H

#include "record.h"

/* Returns 0 or -errno. */
int disk_open(const char *path);

/* Writes the record into its sector and waits until it is stable. Returns 0 or -errno. */
int disk_write(const struct disk_record *r);

/*
 * Reads the record of @tick past the page cache and checks it.
 * Returns 0, -EBADMSG when it is not what that tick wrote, or -errno.
 */
int disk_check(uint64_t nonce, uint64_t tick);

#endif
