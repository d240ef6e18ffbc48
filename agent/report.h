/* SPDX-License-Identifier: GPL-2.0-only */
/* What a resume achieved, for people (log) and for machines (resume.json). */
#ifndef HOLDOVER_REPORT_H
#define HOLDOVER_REPORT_H

#include "restore.h"

/** report_log() - one record a VM, at a level that fits its result. */
void report_log(const struct restore_outcome *o);

#define REPORT_MARKER_SIZE 160

/**
 * report_marker() - a pass's last line, without newline, into @out
 * @word: "DONE" of the last one in the initramfs, "EARLY" of the one before
 * @vms etc.: "DONE vms=3 running=2 failed=1 kept=0 ms=412"; VMs that the engine
 *	is not done with count as failed. If the report does not know its VMs,
 *	vms=unknown and kept=unknown: that is not the same as none.
 * @note: appended in parentheses, or NULL
 *
 * Async-signal-safe. Returns the length.
 */
size_t report_marker(char out[REPORT_MARKER_SIZE], const char *word,
		     const struct restore_report *report, int64_t ms, const char *note);

/** report_write() - RUN_DIR/resume.json, for `holdover status` and monitors.
 *
 * What earlier passes of the same jump have written there is carried over:
 * where each VM runs now, and why it moved on from earlier placements.
 */
_must_check_ int report_write(const struct restore_report *report, const struct restore *r,
			      struct err *e);

#define REPORT_WHY_SIZE 512

/**
 * report_way() - a VM's way through the placements, as resume.json has it
 * @place: where it runs: "initramfs", "sysroot", "late"; empty if nowhere yet
 * @why: "initramfs: ...; sysroot: ...", what kept it from running there; empty
 *	if nothing did
 *
 * Both empty also if there is no such file, or it does not know the VM.
 */
void report_way(const char *name, char place[16], char why[REPORT_WHY_SIZE]);

/** report_journal() - what the QEMUs of these VMs have printed, into the journal */
void report_journal(const struct restore_report *report);

#endif
