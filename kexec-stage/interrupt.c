/* SPDX-License-Identifier: GPL-2.0-only */
#include "interrupt.h"

#include <string.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };

void interrupt_hold(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct sigaction sa;

		/* One that is blocked waits even if it is ignored. */
		if (sigaction(signals[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &set, before);
}

void interrupt_release(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}

int interrupt_check(struct err *e)
{
	sigset_t waiting;

	sigemptyset(&waiting);
	sigpending(&waiting);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (sigismember(&waiting, signals[i]) == 1)
			return err_set(e, ERR_REFUSED, "interrupted by signal %d (%s)", signals[i],
				       strsignal(signals[i]));
	return 0;
}
