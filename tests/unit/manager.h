/* SPDX-License-Identifier: GPL-2.0-only */
/* A process that plays systemd's manager on a private socket. */
#ifndef HOLDOVER_TEST_MANAGER_H
#define HOLDOVER_TEST_MANAGER_H

#include <sys/types.h>

/**
 * struct manager - one such process
 * @path: of its socket
 * @log: one line for each call it got: member and arguments
 */
struct manager {
	pid_t pid;
	char path[128];
	char *log;
};

/**
 * manager_start() - start one; it answers each call with the next step
 *
 * @script: steps with ';' between them:
 *	version TEXT	a variant with that string
 *	job-id N	a variant with the job of that number, as in the property Job
 *	strings A B	a variant with an array of these strings
 *	ok		an empty answer
 *	error NAME	an error; its text is "words of NAME"
 *	leaving		the error UnitExists, then UnitRemoved of another unit
 *			and, after 50 ms, of ours
 *	job RESULT	a job, then its JobRemoved with that result
 *	early-job RESULT  the same, JobRemoved first
 *	jobs-of-others RESULT  the same, with other JobRemoved between
 *	job-without-end	a job, and nothing more
 *	silence		nothing
 *	hang-up		close the connection
 *	no-auth		(as the only step) do not even authenticate
 */
void manager_start(struct manager *m, const char *path, const char *script);

/** manager_stop() - end it; @log stays until the next start. */
void manager_stop(struct manager *m);

#endif
