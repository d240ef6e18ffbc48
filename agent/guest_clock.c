/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest_clock.h"

#include <string.h>

#include "guest_agent.h"
#include "log.h"
#include "runstate.h"

/* A guest is told the time of the moment in which it listens. */
static uint64_t time_now(void *ctx)
{
	const struct restore *r = ctx;
	struct clock_pair now = clock_now();
	struct err ignored = { 0 };
	uint64_t ns;

	if (clock_by_tsc(&r->m.clock, r->m.tsc_hz, &now, &ns, &ignored) == 0)
		return ns;
	return now.realtime_ns;
}

static uint64_t lag_ms(const struct restore *r, const struct guest_clock *g)
{
	uint64_t ticks = g->running_tsc - g->mv->paused_tsc;

	if (!g->mv->paused_tsc || r->m.tsc_hz < 1000 || g->running_tsc < g->mv->paused_tsc)
		return 0;
	return ticks / (r->m.tsc_hz / 1000);
}

static void note(const struct restore *r, const struct guest_clock *g, const struct guest_agent *ga)
{
	struct runstate_lag lag = { .ms = lag_ms(r, g) };
	const char *name = g->mv->vm.name;
	struct err e = { 0 };

	lag.set = ga && ga->done;
	if (!lag.set)
		snprintf(lag.why, sizeof(lag.why), "%.199s",
			 ga ? ga->err.msg : "it has no channel for a guest agent");
	if (runstate_note_lag(name, &lag, &e) < 0)
		log_warn("vm %s: %s", name, e.msg);
	if (lag.set)
		log_info("vm %s: its clock, %llu ms behind, was set", name,
			 (unsigned long long)lag.ms);
	else if (ga)
		log_notice("vm %s: its clock is %llu ms behind: %s", name,
			   (unsigned long long)lag.ms, lag.why);
}

void guest_clocks_set(const struct restore *r, const struct guest_clock *g, unsigned int n,
		      int timeout_ms)
{
	_cleanup_free_ struct guest_agent *ga = calloc(n ? n : 1, sizeof(*ga));
	_cleanup_free_ char(*path)[256] = calloc(n ? n : 1, sizeof(*path));
	int asked[VM_MAX];
	unsigned int nga = 0;

	for (unsigned int i = 0; i < n; i++) {
		char socket[200];
		struct err ignored = { 0 };

		asked[i] = -1;
		if (!ga || !path || !guest_agent_path(&g[i].mv->vm, socket, sizeof(socket)) ||
		    io_path(path[nga], sizeof(path[0]), &ignored, "%s%s", r->root ? r->root : "",
			    socket) < 0)
			continue;
		ga[nga].path = path[nga];
		ga[nga].time_ns = time_now;
		ga[nga].ctx = (void *)r;
		asked[i] = (int)nga++;
	}
	if (nga)
		guest_agent_run(ga, nga, timeout_ms);
	for (unsigned int i = 0; i < n; i++)
		note(r, &g[i], asked[i] < 0 ? NULL : &ga[asked[i]]);
}
