/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Images of the walk's QEMU: files that hold what the guest has written (a counter), and up to four snapshots of it
 * with a device state.
 *
 * As with the real one, what a snapshot job writes stays in the process until the image is flushed, and loading a
 * snapshot sets the content back and writes to the file.
 */
#ifndef HOLDOVER_WALK_QEMU_IMAGE_H
#define HOLDOVER_WALK_QEMU_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** image_write() - the guest's counter, if there is such a file. */
void image_write(const char *path, uint64_t counter);
/** image_counter() - what the guest has written; false if there is no such file. */
bool image_counter(const char *path, uint64_t *counter);
/** image_nodes() - query-named-block-nodes; the text is static. */
const char *image_nodes(const char *path);
void image_flush(const char *path);

/* Each of these returns NULL, or why it failed. */
const char *image_save(const char *path, const char *tag, const char *state, size_t size);
const char *image_load(const char *path, const char *tag, char *state, size_t size, size_t *got);
const char *image_delete(const char *path, const char *tag);

/** image_job() - a job has ended, with @why or well; only the last one is known. */
void image_job(const char *id, const char *why);
/** image_jobs() - query-jobs; the text is static. */
const char *image_jobs(const char **error);
/** image_job_ended() - data of the event that says so, once; else NULL. */
const char *image_job_ended(void);

#endif
