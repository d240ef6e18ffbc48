/* SPDX-License-Identifier: GPL-2.0-only */
#include "decide.h"

#include <string.h>

/* [placement][who] */
static const bool due[][RESTORE_OPERATOR + 1] = {
	[VM_PLACE_INITRAMFS] = { [RESTORE_EARLY] = true, [RESTORE_AGENT] = true, [RESTORE_LATE] = true, [RESTORE_OPERATOR] = true },
	[VM_PLACE_SYSROOT] = { [RESTORE_AGENT] = true, [RESTORE_LATE] = true, [RESTORE_OPERATOR] = true },
	[VM_PLACE_LATE] = { [RESTORE_LATE] = true, [RESTORE_OPERATOR] = true },
};

bool decide_due(enum vm_placement p, enum restore_who who)
{
	return due[p][who];
}

enum vm_placement decide_place(enum restore_who who)
{
	return who == RESTORE_EARLY  ? VM_PLACE_INITRAMFS :
		who == RESTORE_AGENT ? VM_PLACE_SYSROOT :
				       VM_PLACE_LATE;
}

bool decide_in_initramfs(enum restore_who who)
{
	return who == RESTORE_EARLY || who == RESTORE_AGENT;
}

static enum decision keep(struct err *why, enum err_kind kind, const char *text)
{
	err_set(why, kind, "%s", text);
	return DECIDE_KEEP;
}

static enum decision decide_state(const struct vm_record *rec, const uint8_t boot_id[16],
				  enum restore_who who, bool never_ran, unsigned int attempts,
				  struct err *why)
{
	bool same_boot = !memcmp(rec->boot_id, boot_id, 16);

	switch (rec->state) {
	case VM_SEALED:
		if (same_boot)
			return keep(why, ERR_REFUSED,
				    "it was sealed in this boot and the jump never happened; run "
				    "'holdover abort'");
		return DECIDE_RESUME;
	case VM_CLAIMED:
		if (who != RESTORE_OPERATOR && rec->attempt >= (attempts ? attempts : VM_ATTEMPTS))
			return keep(why, ERR_REFUSED,
				    "resuming it was tried too often; find the cause, then run "
				    "'holdover resume NAME'");
		return DECIDE_RESUME;
	case VM_FAILED:
		if (who != RESTORE_OPERATOR)
			return keep(why, ERR_REFUSED,
				    "resuming it failed earlier; its state is kept for 'holdover "
				    "resume NAME'");
		return DECIDE_RESUME;
	case VM_RELEASED:
		if (who == RESTORE_OPERATOR && never_ran)
			return DECIDE_RESUME;
		return keep(why, ERR_REFUSED,
			    "it may have run since its state was saved, so resuming it could "
			    "destroy its disks; 'holdover discard NAME' gives it up, 'holdover resume "
			    "--never-ran NAME' if you know that it did not run");
	case VM_RUNNING:
	case VM_ABORTED:
	case VM_CONSUMED:
		return DECIDE_NOTHING;
	case VM_NONE:
	case VM_STATES:
		break;
	}
	return keep(why, ERR_STALE, "the ledger has no state for it");
}

enum decision decide_resume(const struct vm_record *rec, uint64_t generation,
			    const uint8_t ticket_id[16], const uint8_t boot_id[16],
			    enum restore_who who, bool never_ran, unsigned int attempts,
			    struct err *why)
{
	/* A record of another jump says nothing about this manifest's state. */
	if (rec->state != VM_NONE &&
	    (rec->generation != generation || memcmp(rec->ticket_id, ticket_id, 16)))
		return keep(why, ERR_STALE, "its state record belongs to another jump");
	return decide_state(rec, boot_id, who, never_ran, attempts, why);
}

int decide_canary(enum canary_mode mode, bool second_copy, enum vm_state state, struct err *why)
{
	if (mode != CANARY_NONE)
		return 0;
	if (state == VM_RELEASED)
		return err_set(why, ERR_REFUSED,
			       "it was sealed without canaries, so nothing can show that it never ran; "
			       "'holdover discard NAME' gives it up");
	if (second_copy)
		return err_set(why, ERR_REFUSED,
			       "it was sealed without canaries, and without them its RAM cannot be "
			       "trusted after a boot that the ticket did not come with; 'holdover "
			       "discard NAME' gives it up");
	return 0;
}

/* What neither the passing of time nor the complete system can mend: what was
 * sealed is damaged, or is about another world. Everything else, from a disk
 * that is not mounted to a QEMU that is slow, gets its bounded attempts. */
static const bool never_mends[ERR_KINDS] = {
	[ERR_STALE] = true,
	[ERR_FORMAT] = true,
	[ERR_CHECKSUM] = true,
	[ERR_MISMATCH] = true,
};

enum aftermath decide_aftermath(enum err_kind kind, enum restore_who who, bool released)
{
	if (released)
		return AFTER_DOUBT;
	if (decide_in_initramfs(who) && !never_mends[kind])
		return AFTER_LATER;
	return AFTER_KEEP;
}

enum policy decide_policy(enum vm_on_failure on_failure, enum err_kind why,
			  const struct vm_record *rec, const uint8_t boot_id[16])
{
	bool same_boot = !memcmp(rec->boot_id, boot_id, 16);

	if (on_failure == VM_FAIL_KEEP || why == ERR_ABSENT || why == ERR_STALE)
		return POLICY_KEEP;
	switch (rec->state) {
	case VM_SEALED:
		/* Sealed here: the jump has not happened. */
		if (same_boot)
			return POLICY_KEEP;
		break;
	case VM_RELEASED:
		/* Released here: its QEMU may be alive. */
		if (same_boot)
			return POLICY_KEEP;
		break;
	case VM_CLAIMED:
	case VM_FAILED:
		break;
	case VM_RUNNING:
	case VM_ABORTED:
	case VM_CONSUMED:
	case VM_NONE:
	case VM_STATES:
		return POLICY_KEEP;
	}
	return on_failure == VM_FAIL_COLD_BOOT ? POLICY_COLD_BOOT : POLICY_GIVE_UP;
}
