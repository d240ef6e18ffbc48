/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happens at a fault point. From the environment:
 *
 *	HOLDOVER_FAULT=NAME[@N][:WHAT],...  at the N-th passage (default the
 *		first) of point NAME
 *			kill		be killed (the default)
 *			fail		let the step fail
 *			hold		stop until SIGCONT comes
 *			children	kill the child processes, and go on
 *			panic, reset	have the kernel panic, or restart at once
 *	HOLDOVER_FAULT=list  print all points, those that can fail with a mark
 *	HOLDOVER_FAULT_TRACE=FILE  append the name of each point that is passed
 */
#ifndef HOLDOVER_FAULTS
#define HOLDOVER_FAULTS
#endif

#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "fault.h"

#define SEEN_MAX 1024

extern const struct fault_point *const __start_holdover_faults[];
extern const struct fault_point *const __stop_holdover_faults[];

static const char *seen[SEEN_MAX];
static unsigned int nseen;

static void out(int fd, const char *name, const char *end)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "%s%s\n", name, end);

	if (write(fd, line, (size_t)n) < 0)
		_exit(99);
}

static __attribute__((constructor)) void list(void)
{
	const char *asked = getenv("HOLDOVER_FAULT");

	if (!asked || strcmp(asked, "list"))
		return;
	for (const struct fault_point *const *p = __start_holdover_faults;
	     p < __stop_holdover_faults; p++)
		out(STDOUT_FILENO, (*p)->name, (*p)->fails ? " fails" : "");
	_exit(0);
}

/* How often has @name been passed, this time included? */
static unsigned int count(const char *name)
{
	unsigned int n = 1;

	for (unsigned int i = 0; i < nseen; i++)
		n += !strcmp(seen[i], name);
	if (nseen < SEEN_MAX)
		seen[nseen++] = name;
	return n;
}

static void trace(const char *name)
{
	const char *path = getenv("HOLDOVER_FAULT_TRACE");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (fd < 0)
		return;
	out(fd, name, "");
	close(fd);
}

static void kill_children(void)
{
	FILE *f = fopen("/proc/thread-self/children", "re");
	int pid;

	if (!f)
		_exit(99);
	while (fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	fclose(f);
}

/* The machine ends here: the console does not come back from it. */
static void sysrq(const char *key)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, key, 1) != 1)
		_exit(99);
	for (;;)
		pause();
}

/* First letter of what is to happen if @spec, which ends at the next comma, is
 * about this passage. */
static char wanted(const char *spec, const char *name, unsigned int passage)
{
	size_t n = strlen(name);
	unsigned long at = 1;
	char *end;

	if (strncmp(spec, name, n))
		return 0;
	spec += n;
	if (*spec == '@') {
		at = strtoul(spec + 1, &end, 10);
		spec = end;
	}
	if ((*spec && *spec != ':' && *spec != ',') || at != passage)
		return 0;
	return *spec == ':' ? spec[1] : 'k';
}

int fault_pass(const struct fault_point *p, struct err *e)
{
	const char *spec = getenv("HOLDOVER_FAULT");
	unsigned int passage = count(p->name);

	trace(p->name);
	while (spec && *spec) {
		char what = wanted(spec, p->name, passage);

		if (what == 'k')
			raise(SIGKILL);
		if (what == 'h')
			raise(SIGSTOP);
		if (what == 'c')
			kill_children();
		if (what == 'p')
			sysrq("c");
		if (what == 'r')
			sysrq("b");
		if (what == 'f' && p->fails)
			return err_set(e, ERR_IO, "fault point %s", p->name);
		spec = strchr(spec, ',');
		if (spec)
			spec++;
	}
	return 0;
}
