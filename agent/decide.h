/* SPDX-License-Identifier: GPL-2.0-only */
/* Policy, in two tables: may this VM be resumed, and what follows a failure. */
#ifndef HOLDOVER_DECIDE_H
#define HOLDOVER_DECIDE_H

#include "config.h"
#include "ledger.h"
#include "vm.h"

/** enum restore_who - on whose behalf a resume runs */
enum restore_who {
	RESTORE_EARLY,	  /* in the initramfs, before any root is mounted */
	RESTORE_AGENT,	  /* in the initramfs, with the root mounted */
	RESTORE_LATE,	  /* the early unit of the real root */
	RESTORE_OPERATOR, /* `holdover resume NAME` */
};

/** decide_due() - is this the moment, or an earlier one has passed, at which a
 * VM with placement @p may be resumed on behalf of @who? */
bool decide_due(enum vm_placement p, enum restore_who who);

/** decide_place() - the placement that @who stands for: what a VM that moves on
 * has left, and what one that runs has got. */
enum vm_placement decide_place(enum restore_who who);

/** decide_in_initramfs() - file systems may be missing, and a killing spree
 * comes: what holds for the agent's passes, but not in the complete system. */
bool decide_in_initramfs(enum restore_who who);

/** enum decision - what to do with a VM that the manifest lists */
enum decision {
	DECIDE_RESUME,	/* claim it and go */
	DECIDE_KEEP,	/* leave everything as it is; the error says why */
	DECIDE_NOTHING, /* its way across this jump has ended */
};

/**
 * decide_resume() - may a VM be resumed now?
 * @rec: its state record
 * @generation, @ticket_id: of the manifest at hand
 * @boot_id: of this boot
 * @never_ran: the operator vouches that a RELEASED VM never ran
 * @attempts: how often the boot may claim it; 0: VM_ATTEMPTS
 * @why: filled in for KEEP: STALE or REFUSED with the reason and the remedy
 */
enum decision decide_resume(const struct vm_record *rec, uint64_t generation,
			    const uint8_t ticket_id[16], const uint8_t boot_id[16],
			    enum restore_who who, bool never_ran, unsigned int attempts,
			    struct err *why);

/**
 * decide_canary() - may a VM be resumed that has canaries of @mode?
 * @second_copy: the ticket comes from the copy on disk, so that any number of
 *	kernels may have run since the jump it was made for
 * @state: of its record
 *
 * Without any it may while the chain is unbroken: the ticket came with the
 * kernel. REFUSED where only the RAM itself can tell what happened to it.
 */
_must_check_ int decide_canary(enum canary_mode mode, bool second_copy, enum vm_state state,
			       struct err *why);

/** enum aftermath - what follows a failed resume */
enum aftermath {
	AFTER_LATER, /* leave it claimable: the next placement may succeed */
	AFTER_KEEP,  /* FAILED; state kept for an operator */
	AFTER_DOUBT, /* it may have run: RELEASED stays, nothing is touched */
};

/**
 * decide_aftermath() - what follows an error of @kind
 * @released: RELEASED had been persisted, and QEMU did not say that it never
 *	ran since: of one that died or hung in between nobody knows
 */
enum aftermath decide_aftermath(enum err_kind kind, enum restore_who who, bool released);

/** enum policy - what the boot does with a VM that it could not resume */
enum policy {
	POLICY_KEEP,	  /* leave all of it to an operator */
	POLICY_COLD_BOOT, /* give up the state, start afresh */
	POLICY_GIVE_UP,	  /* give up the state, leave it off */
};

/**
 * decide_policy() - in the complete system, when the boot's last attempt is over
 * @on_failure: the VM's
 * @why: of the failure, or of not trying
 * @rec: its record as it is now
 * @boot_id: of this boot
 *
 * A state is only given up if it is known to be of this VM and this jump and
 * the boot cannot use it, and only if a fresh start has a chance: what is
 * absent (a disk, QEMU) is absent for that too, and may come back.
 */
enum policy decide_policy(enum vm_on_failure on_failure, enum err_kind why,
			  const struct vm_record *rec, const uint8_t boot_id[16]);

#endif
