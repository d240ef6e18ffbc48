/* SPDX-License-Identifier: GPL-2.0-only */
#include "host.h"

#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "params.h"
#include "qemu.h"
#include "runstate.h"

/* `status` holds the lock for a moment, and should disturb nobody. */
#define LOCK_MOMENT_MS 1000
#define LOCK_WAIT_MS 15000
/* Both passes of the agent, each with the longest deadline that can be given. */
#define LOCK_AGENT_MS (2 * (PARAMS_TIMEOUT_MAX_S + 30) * 1000)

int host_vms_dir(const struct app *app, char *out, size_t size, struct err *e)
{
	return io_path(out, size, e, "%s/vms.d", app->config_dir);
}

int host_find_device(const struct pmem_range *region, bool mend, struct pmem_device *out,
		     struct err *e)
{
	bool mended;

	/* Without the lock somebody else may be mending it right now. */
	if (!mend)
		return pmem_find(region->start, region->size, NULL, out, e);
	if (pmem_find_mending(region->start, region->size, NULL, out, &mended, e) < 0)
		return -1;
	if (mended)
		cmd_say("holdover: %s had come up raw; its info block was written back from the "
			"ledger's copy",
			out->path);
	return 0;
}

int host_open_ledger(struct host *h, struct err *e)
{
	struct pmem_range region;

	if (host_region(&h->cfg, &region, e) < 0 || pmem_load_modules(e) < 0 ||
	    host_find_device(&region, h->lock >= 0, &h->store.dev, e) < 0 ||
	    store_attach(&h->store, NULL, e) < 0 ||
	    store_open_ledger(&h->store, &h->map, &h->ledger, e) < 0) {
		host_explain_missing(e);
		return -1;
	}
	return 0;
}

int host_open(struct host *h, const struct app *app, unsigned int need, struct err *e)
{
	char path[4096];

	if (geteuid() != 0)
		return err_set(e, ERR_REFUSED, "this needs root");
	if (io_path(path, sizeof(path), e, "%s/holdover.conf", app->config_dir) < 0)
		return -1;
	if (config_load(path, &h->cfg, e) < 0) {
		if (!(need & HOST_ANYWAY))
			return -1;
		cmd_say("holdover: %s; going on without it", e->msg);
		err_clear(e);
	}
	if (need & HOST_LOCK) {
		if (io_mkdir_p(HOLDOVER_RUN_DIR, 0700, e) < 0)
			return -1;
		h->lock = io_lock_wait(HOLDOVER_RUN_DIR "/lock",
				       need & HOST_TRY		      ? 0 :
					       need & HOST_WAIT_AGENT ? LOCK_AGENT_MS :
					       need & HOST_WAIT	      ? LOCK_WAIT_MS :
									LOCK_MOMENT_MS,
				       e);
		if (h->lock < 0)
			return -1;
	}
	return need & HOST_LEDGER ? host_open_ledger(h, e) : 0;
}

void host_unlock(struct host *h)
{
	scope_close(&h->lock);
	h->lock = -1;
	FAULT(lock_given_up);
}

int host_lock(struct host *h, struct err *e)
{
	h->lock = io_lock_wait(HOLDOVER_RUN_DIR "/lock", LOCK_WAIT_MS, e);
	return h->lock < 0 ? -1 : 0;
}

void host_close(struct host *h)
{
	for (unsigned int i = 0; i < LEDGER_REGIONS; i++)
		region_close(&h->region[i]);
	pmem_map_close(&h->map);
	scope_close(&h->lock);
	config_free(&h->cfg);
	*h = (struct host)HOST_INIT;
}

bool host_pending(enum vm_state s)
{
	return s == VM_SEALED || s == VM_CLAIMED || s == VM_FAILED || s == VM_RELEASED;
}

int host_consume(struct host *h, unsigned int index, const char *name, struct vm_record *rec,
		 struct err *e)
{
	rec->state = VM_CONSUMED;
	rec->reason = ERR_NONE;
	if (io_boot_id(rec->boot_id, e) < 0)
		return -1;
	return record_write(&h->ledger, index, name, rec, e);
}

int host_any_pending(const struct host *h, char name[VM_NAME_MAX + 1], struct err *e)
{
	_cleanup_free_ struct extent_table *t = malloc(sizeof(*t));

	name[0] = '\0';
	if (!t)
		return err_set(e, ERR_IO, "out of memory");
	if (ledger_extents_read(&h->ledger, t, e) < 0)
		return -1;
	for (unsigned int i = 0; i < VM_MAX; i++) {
		struct vm_record rec;

		/* Further parts have no record. */
		if (!*t->slot[i].name || t->slot[i].part)
			continue;
		if (record_read(&h->ledger, i, t->slot[i].name, &rec, e) < 0)
			return err_wrap(e, "vm %s", t->slot[i].name);
		if (!host_pending(rec.state))
			continue;
		memcpy(name, t->slot[i].name, VM_NAME_MAX + 1);
		return 0;
	}
	return 0;
}

int host_drop_tickets(const struct host *h, struct err *e)
{
	char name[VM_NAME_MAX + 1];

	if (host_any_pending(h, name, e) < 0)
		return -1;
	if (*name)
		return 0;
	if (ticket_shred(HOLDOVER_TICKET_COPY, e) < 0)
		return -1;
	FAULT(ticket_copy_shredded);
	return ticket_shred(HOLDOVER_RUN_DIR "/ticket", e);
}
