/* SPDX-License-Identifier: GPL-2.0-only */
/* What a resume achieved, for people (log) and for machines (resume.json). */
#ifndef HOLDOVER_REPORT_H
#define HOLDOVER_REPORT_H

#include "restore.h"

/** report_log() - one record a VM, at a level that fits its result. */
void report_log(const struct restore_outcome *o);

/** report_write() - RUN_DIR/resume.json, for `holdover status` and monitors. */
_must_check_ int report_write(const struct restore_report *report, const struct restore *r,
			      struct err *e);

#endif
