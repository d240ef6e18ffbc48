/* SPDX-License-Identifier: GPL-2.0-only */
/* What nearly every verb needs: configuration, lock, region and ledger. */
#ifndef HOLDOVER_HOST_H
#define HOLDOVER_HOST_H

#include "cmd.h"
#include "config.h"
#include "region.h"
#include "ticket.h"

#define HOLDOVER_LIB_DIR "/var/lib/holdover"
#define HOLDOVER_TICKET_COPY HOLDOVER_LIB_DIR "/ticket"

enum host_need {
	HOST_CONFIG = 0,
	HOST_LOCK = 1,	      /* take the host-wide lock */
	HOST_LEDGER = 2,      /* find the region and open its ledger */
	HOST_TRY = 4,	      /* with HOST_LOCK: do not wait for it, not even a moment */
	HOST_WAIT = 8,	      /* with HOST_LOCK: wait for some seconds */
	HOST_ANYWAY = 16,     /* a configuration that cannot be read is said and left out */
	HOST_WAIT_AGENT = 32, /* with HOST_LOCK: as long as an agent may hold it */
};

/**
 * struct host - this host, as far as a verb asked for it
 * @cfg: holdover.conf
 * @lock: descriptor of the held lock, or -1
 * @store: region and namespace (and file system), with HOST_LEDGER
 * @map: mapping of the ledger, with HOST_LEDGER
 * @ledger: with HOST_LEDGER
 * @region: by number, those beside the ledger's own; see host_store()
 * @scanned, @unclear: they were looked for, and what came of it
 */
struct host {
	struct config cfg;
	int lock;
	struct store store;
	struct pmem_map map;
	struct ledger ledger;
	struct region region[LEDGER_REGIONS];
	bool scanned;
	struct err unclear;
};

#define HOST_INIT                              \
	{                                      \
		.lock = -1, .map = {.fd = -1 } \
	}

/** host_open() - fill in what @need asks for; needs root. */
_must_check_ int host_open(struct host *h, const struct app *app, unsigned int need, struct err *e);
/** host_open_ledger() - HOST_LEDGER's part alone, on an opened host. */
_must_check_ int host_open_ledger(struct host *h, struct err *e);
void host_close(struct host *h);

/** host_unlock(), host_lock() - give the lock up while a guest is waited for, who
 * may take any time, and have it again. What was known before may have changed. */
void host_unlock(struct host *h);
_must_check_ int host_lock(struct host *h, struct err *e);
#define _cleanup_host_ _cleanup_(host_close)

/** host_region() - the region that the configuration names, or the only one. */
_must_check_ int host_region(const struct config *cfg, struct pmem_range *out, struct err *e);

/** host_find_device() - pmem_find(); with @mend, which needs the host-wide
 * lock, pmem_find_mending(), and says so. */
_must_check_ int host_find_device(const struct pmem_range *region, bool mend,
				  struct pmem_device *out, struct err *e);

/** host_explain_missing() - "there is nothing" is the wrong word when a ticket
 * says where there is: adds to @e. */
void host_explain_missing(struct err *e);

/** host_sealed_region() - where a ticket on this host says that VMs are sealed. 1; 0 if there is no ticket; -1. */
int host_sealed_region(struct pmem_range *out, struct err *e);

/**
 * host_store() - a region of this host, by number
 * @number: 0: the ledger's own; others are looked for when they are first
 *	asked for
 * @geo: of its ledger or stamp; may be NULL
 */
_must_check_ int host_store(struct host *h, unsigned int number, const struct store **out,
			    const struct ledger_geometry **geo, struct err *e);

/** host_scan() - look for the regions beside the ledger's own, once. */
_must_check_ int host_scan(struct host *h, struct err *e);

/** host_ram() - where an extent is in this boot. */
_must_check_ int host_ram(struct host *h, const struct extent *x, struct ram *out, struct err *e);

/** host_region_number() - number of the region at [start, start+size); ABSENT
 * if it was not prepared for this ledger. */
int host_region_number(struct host *h, uint64_t start, uint64_t size, struct err *e);

/** host_vms_dir() - CONFIG_DIR/vms.d */
_must_check_ int host_vms_dir(const struct app *app, char *out, size_t size, struct err *e);

/** host_pending() - does the record say that device state waits for a resume? */
bool host_pending(enum vm_state s);

/** host_consume() - the state of VM @name is given up: CONSUMED, durable. */
_must_check_ int host_consume(struct host *h, unsigned int index, const char *name,
			      struct vm_record *rec, struct err *e);

/** host_any_pending() - name of a VM of the ledger for which this holds, or
 * an empty string. */
_must_check_ int host_any_pending(const struct host *h, char name[VM_NAME_MAX + 1], struct err *e);

/** host_drop_tickets() - shred both ticket copies unless some VM still needs
 * them. */
_must_check_ int host_drop_tickets(const struct host *h, struct err *e);

#endif
