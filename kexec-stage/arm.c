/* SPDX-License-Identifier: GPL-2.0-only */
#include "arm.h"

#include <unistd.h>

#include "fault.h"
#include "kexec.h"

bool arm_armed(void)
{
	return access(HOLDOVER_ARMED, F_OK) == 0;
}

int arm_jump(struct stage *s, const struct target *t, struct err *e)
{
	/* An earlier one's kernel goes with what is loaded now. */
	if (ticket_shred(HOLDOVER_ARMED, e) < 0)
		return -1;
	FAULT(old_arm_dropped);
	if (stage_make_ticket(s, e) < 0 || stage_load_kernel(s, t, e) < 0)
		return -1;
	s->ticket_saved = true;
	if (io_mkdir_p(HOLDOVER_LIB_DIR, 0700, e) < 0 ||
	    ticket_save(HOLDOVER_TICKET_COPY, &s->ticket, e) < 0)
		return err_wrap(e, "arming");
	if (FAULT_FAILS(arm_copy_saved, e))
		return -1;
	if (ticket_save(HOLDOVER_ARMED, &s->ticket, e) < 0)
		return err_wrap(e, "arming");
	return FAULT_FAILS(armed, e) ? -1 : 0;
}

int arm_take(struct stage *s, struct err *e)
{
	uint64_t generation;
	bool loaded;

	if (ticket_load(HOLDOVER_ARMED, &s->ticket, e) < 0)
		return -1;
	s->armed = s->ticket_saved = s->loaded = true;
	ticket_id(&s->ticket, s->ticket_id);
	if (ticket_shred(HOLDOVER_ARMED, e) < 0 || FAULT_FAILS(arm_taken, e))
		return -1;
	if (kexec_loaded(&loaded, e) < 0 || io_boot_id(s->boot_id, e) < 0 ||
	    ledger_generation(&s->h->ledger, &generation, e) < 0)
		return -1;
	if (!loaded)
		return err_set(e, ERR_REFUSED,
			       "the kernel that was loaded for the jump has been unloaded since");
	if (generation + 1 != s->ticket.generation)
		return err_set(e, ERR_STALE,
			       "the ledger has seen another jump since this one was armed");
	return 0;
}

int arm_disarm(struct stage *s, struct err *e)
{
	struct err why = { 0 };
	int r = ticket_shred(HOLDOVER_ARMED, e);

	FAULT(arm_dropped);
	if (s->loaded && stage_drop_kernel(&why) < 0) {
		*e = why;
		r = -1;
	}
	s->loaded = false;
	FAULT(arm_unloaded);
	if (s->ticket_saved && ticket_shred(HOLDOVER_TICKET_COPY, &why) < 0)
		cmd_say("holdover: %s", why.msg);
	s->ticket_saved = false;
	FAULT(arm_copy_dropped);
	return r;
}
