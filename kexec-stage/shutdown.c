/* SPDX-License-Identifier: GPL-2.0-only */
#include "shutdown.h"

#include <string.h>

#include "arm.h"
#include "preflight.h"
#include "stop.h"
#include "unit.h"

/* Nobody can tell: then the way out is the one on which nothing is lost. */
static bool goes_to_kexec(void)
{
	struct err e = { 0 };
	bool starting = false;

	if (unit_is_starting("kexec.target", &starting, &e) < 0)
		cmd_say("holdover: %s; the VMs are stopped", e.msg);
	return starting;
}

/* What the checks say of those that would jump; a warning is no reason. */
static int check(struct stage *s, const struct target *t, struct err *e)
{
	_cleanup_free_ struct preflight *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, ERR_IO, "out of memory");
	preflight_target(p, t);
	preflight_kexec_target(p, FINDING_FAIL);
	preflight_vms(p, s);
	preflight_rehearse(p, s);
	return preflight_error(p, e);
}

static int arm_held(struct host *h, struct err *e)
{
	struct target t _cleanup_target_ = TARGET_INIT;
	struct target_opts none = { 0 };
	struct stage s _cleanup_(stage_close);
	struct err undo = { 0 };

	stage_init(&s, h);
	if (host_open_ledger(h, e) < 0 || target_resolve(&h->cfg, &none, &t, e) < 0 ||
	    stage_collect(&s, e) < 0 || check(&s, &t, e) < 0)
		return -1;
	if (arm_jump(&s, &t, e) == 0)
		return 0;
	if (arm_disarm(&s, &undo) < 0)
		cmd_say("holdover: %s", undo.msg);
	return -1;
}

/* Names of the VMs that run; those that ask to be held only if @held. */
static int running(char names[VM_MAX][VM_NAME_MAX + 1], bool held, unsigned int *n_held)
{
	struct err e = { 0 };
	int n = runstate_names(names, &e), kept = 0;

	*n_held = 0;
	for (int i = 0; i < n; i++) {
		struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
		int alive = runstate_alive(names[i], &rs, &e);
		bool hold = alive > 0 && rs.m.vms[0].vm.on_kexec == VM_KEXEC_HOLD;

		*n_held += hold;
		if (alive != 0 && (held || !hold))
			memmove(names[kept++], names[i], sizeof(names[i]));
	}
	if (n < 0)
		cmd_say("holdover: %s", e.msg);
	return kept;
}

static unsigned int stop(bool held, int timeout_ms, unsigned int *n_held)
{
	char names[VM_MAX][VM_NAME_MAX + 1];
	int n = running(names, held, n_held);

	return n > 0 ? stop_vms(names, (unsigned int)n, STOP_ASK_THEN_END, timeout_ms) : n < 0;
}

int shutdown_vms(const struct app *app, int timeout_ms)
{
	char abort_verb[] = "abort", *argv[] = { abort_verb, NULL };
	unsigned int failed = 0, held = 0;
	struct host h _cleanup_host_ = HOST_INIT;
	bool kexec = goes_to_kexec();
	struct err e = { 0 };

	if (kexec && arm_armed()) {
		cmd_say("holdover: the VMs jump with the host");
		return EXIT_DONE;
	}
	/* A seal or a pause that is left must not outlive this kernel, whose
	 * boot id says that the jump has not happened. */
	cmd_abort.run(app, 1, argv);
	/* Somebody at work is no reason to leave guests to be killed. */
	if (host_open(&h, app, HOST_LOCK | HOST_WAIT, &e) < 0)
		cmd_say("holdover: %s; stopping the VMs all the same", e.msg);
	if (kexec && h.lock >= 0) {
		failed = stop(false, timeout_ms, &held);
		if (held && arm_held(&h, &e) == 0)
			return failed ? EXIT_PARTIAL : EXIT_DONE;
		if (held)
			cmd_say("holdover: the VMs with on-kexec = hold cannot jump: %s", e.msg);
	}
	failed += stop(true, timeout_ms, &held);
	return failed ? EXIT_FAILED : EXIT_DONE;
}
