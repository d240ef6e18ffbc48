/* SPDX-License-Identifier: GPL-2.0-only */
#include "report.h"

#include <string.h>

#include "journal.h"
#include "log.h"
#include "runstate.h"

static const char *const result_names[] = {
	[RESTORE_NOT_TRIED] = "done before",
	[RESTORE_RUNNING] = "running",
	[RESTORE_LATER] = "later",
	[RESTORE_KEPT] = "kept",
	[RESTORE_COLD_BOOTED] = "cold-booted",
	[RESTORE_GIVEN_UP] = "given up",
	[RESTORE_FAILED] = "failed",
	[RESTORE_UNDECIDED] = "under way",
};

const char *restore_result_name(enum restore_result r)
{
	return result_names[r];
}

void report_log(const struct restore_outcome *o)
{
	const char *why = *o->err.msg ? o->err.msg : restore_result_name(o->result);

	switch (o->result) {
	case RESTORE_NOT_TRIED:
		log_debug("vm %s: nothing to do", o->name);
		return;
	case RESTORE_RUNNING:
		if (!o->before)
			log_notice("vm %s: resumed", o->name);
		return;
	case RESTORE_LATER:
		if (o->due)
			log_notice("vm %s: left to a later placement: %s", o->name, why);
		else
			log_debug("vm %s: %s", o->name, why);
		return;
	case RESTORE_KEPT:
		log_warn("vm %s: not resumed, state kept: %s", o->name, why);
		return;
	case RESTORE_FAILED:
		log_err("vm %s: resume failed, state kept: %s", o->name, why);
		return;
	case RESTORE_COLD_BOOTED:
		log_err("vm %s: not resumed, started afresh (on-failure): %s", o->name, why);
		return;
	case RESTORE_GIVEN_UP:
		log_warn("vm %s: not resumed, state given up (on-failure): %s", o->name, why);
		return;
	case RESTORE_UNDECIDED:
		return;
	}
}

static void append(char out[REPORT_MARKER_SIZE], const char *text)
{
	size_t n = strlen(out), len = strlen(text);

	if (n + len < REPORT_MARKER_SIZE)
		memcpy(out + n, text, len + 1);
}

/* printf() is not among what a signal handler may call. */
static void append_number(char out[REPORT_MARKER_SIZE], const char *key, uint64_t value)
{
	char digits[24], *p = &digits[sizeof(digits) - 1];

	*p = '\0';
	do
		*--p = (char)('0' + value % 10);
	while (value /= 10);
	append(out, key);
	append(out, p);
}

size_t report_marker(char out[REPORT_MARKER_SIZE], const char *word,
		     const struct restore_report *report, int64_t ms, const char *note)
{
	unsigned int running = 0, failed = 0, kept = 0;

	for (unsigned int i = 0; i < report->vms; i++) {
		enum restore_result r = report->vm[i].result;

		running += r == RESTORE_RUNNING;
		failed += r == RESTORE_FAILED || r == RESTORE_UNDECIDED;
		kept += r == RESTORE_KEPT || r == RESTORE_LATER;
	}
	*out = '\0';
	append(out, word);
	if (report->known)
		append_number(out, " vms=", report->vms);
	else
		append(out, " vms=unknown");
	append_number(out, " running=", running);
	append_number(out, " failed=", failed);
	if (report->known)
		append_number(out, " kept=", kept);
	else
		append(out, " kept=unknown");
	append_number(out, " ms=", ms > 0 ? (uint64_t)ms : 0);
	if (note) {
		append(out, " (");
		append(out, note);
		append(out, ")");
	}
	return strlen(out);
}

void report_journal(const struct restore_report *report)
{
	for (unsigned int i = 0; i < report->vms; i++) {
		struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
		struct err ignored = { 0 };

		if (report->vm[i].result == RESTORE_NOT_TRIED)
			continue;
		journal_forward(report->vm[i].name,
				runstate_alive(report->vm[i].name, &rs, &ignored) > 0 ? rs.pid : 0);
	}
}
