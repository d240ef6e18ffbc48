/* SPDX-License-Identifier: GPL-2.0-only */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "image.h"
#include "qemu.h"
#include "fault.h"
#include "runstate.h"

static int refuse_alive(const char *name, struct err *e)
{
	struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
	int alive = runstate_alive(name, &rs, e);

	if (alive <= 0)
		return alive;
	return err_set(e, ERR_REFUSED,
		       "its QEMU (pid %d) is alive; 'holdover abort' continues it, 'holdover "
		       "stop --force %s' ends it",
		       (int)rs.pid, name);
}

/* Whatever the damaged record said: it is of the jump of the manifest, if there
 * is one that can be read. */
static int overwrite(struct host *h, unsigned int index, const char *name, struct err *e)
{
	_cleanup_buf_ struct buf json = { 0 };
	struct vm_record rec = { .state = VM_CONSUMED };
	struct err unknown = { 0 };

	if (ledger_manifest_read(&h->ledger, NULL, &json, &rec.generation, rec.ticket_id, &unknown) <
	    0)
		rec = (struct vm_record){ .state = VM_CONSUMED };
	if (io_boot_id(rec.boot_id, e) < 0 || ledger_record_overwrite(&h->ledger, index, &rec, e) < 0)
		return -1;
	return record_write(&h->ledger, index, name, &rec, e);
}

static int discard(struct host *h, const struct extent_table *t, const char *name, bool force,
		   bool *done, struct err *e)
{
	int index = extent_find(t, name);
	struct vm_record rec;

	*done = false;
	if (index < 0)
		return err_set(e, ERR_ABSENT, "the ledger knows no VM %s", name);
	if (record_read(&h->ledger, (unsigned int)index, name, &rec, e) < 0) {
		if (e->kind != ERR_CHECKSUM || !force)
			return -1;
		err_clear(e);
		/* A QEMU that lives is no obstacle: it is not touched, and
		 * 'abort' could not read the record either. */
		if (overwrite(h, (unsigned int)index, name, e) < 0)
			return -1;
		*done = true;
		return 0;
	}
	if (!host_pending(rec.state))
		return 0;
	/* One that was released and lives has moved on: its saved state is worth
	 * nothing, and giving it up does not touch the VM. */
	if ((rec.state != VM_RELEASED && refuse_alive(name, e) < 0) ||
	    host_consume(h, (unsigned int)index, name, &rec, e) < 0)
		return -1;
	FAULT(vm_consumed);
	*done = true;
	return 0;
}

/* The manifest that describes the waiting VMs; *@sure: its MAC was checked. */
static int waiting(struct host *h, struct manifest *m, bool *sure, struct err *e)
{
	struct ticket t _cleanup_ticket_ = { .generation = 0 };
	_cleanup_buf_ struct buf json = { 0 };
	struct err why = { 0 };
	uint64_t generation;

	*sure = (ticket_load(HOLDOVER_RUN_DIR "/ticket", &t, &why) == 0 &&
		 ledger_manifest_read(&h->ledger, t.key, &json, &generation, NULL, &why) == 0) ||
		(ticket_load(HOLDOVER_TICKET_COPY, &t, &why) == 0 &&
		 ledger_manifest_read(&h->ledger, t.key, &json, &generation, NULL, &why) == 0);
	if (!*sure && ledger_manifest_read(&h->ledger, NULL, &json, &generation, NULL, e) < 0)
		return -1;
	return manifest_decode(&json, &h->ledger.geo, m, e);
}

/* What lies in its image costs room there, nothing else: said, not failed. */
static void drop_snapshot(const struct manifest *m, bool sure, const char *name)
{
	for (unsigned int i = 0; i < m->nvms; i++) {
		const struct manifest_vm *mv = &m->vms[i];
		struct err e = { 0 };

		if (strcmp(mv->vm.name, name) || mv->vm.transport != VM_STATE_SNAPSHOT)
			continue;
		if (!sure)
			err_set(&e, ERR_REFUSED, "there is no ticket to check the manifest with");
		if (sure && image_delete_snapshot(mv, &e) == 0)
			continue;
		cmd_say("holdover: vm %s: its snapshot stays in the image: %s; 'qemu-img snapshot -d "
			"%s %s' deletes it",
			name, e.msg, mv->snapshot.name, mv->snapshot.image);
	}
}

static int parse(int argc, char **argv, bool *force, struct err *e)
{
	static const struct option options[] = {
		{ "force", no_argument, NULL, 'f' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == '?')
			return err_set(e, ERR_USAGE, "unknown option %s", argv[optind - 1]);
		*force = true;
	}
	if (optind == argc)
		return err_set(e, ERR_USAGE, "give the names of the VMs whose state to give up");
	if (*force && optind + 1 != argc)
		return err_set(e, ERR_USAGE, "--force takes one VM name");
	return 0;
}

static int run(const struct app *app, int argc, char **argv)
{
	struct host h _cleanup_host_ = HOST_INIT;
	_cleanup_free_ struct extent_table *t = malloc(sizeof(*t));
	int failed = 0, discarded = 0;
	struct manifest m _cleanup_manifest_ = { 0 };
	struct err e = { 0 }, unknown = { 0 };
	bool force = false, sure = false;

	if (!t)
		return EXIT_FAILED;
	if (parse(argc, argv, &force, &e) < 0)
		return cmd_usage(&cmd_discard, "%s", e.msg);
	if (host_open(&h, app, HOST_LOCK | HOST_LEDGER, &e) < 0 ||
	    ledger_extents_read(&h.ledger, t, &e) < 0)
		return cmd_fail(&e);
	/* Read first: afterwards nobody needs the tickets any more. */
	if (waiting(&h, &m, &sure, &unknown) < 0)
		manifest_free(&m);
	for (int i = optind; i < argc; i++) {
		bool done;

		if (discard(&h, t, argv[i], force, &done, &e) < 0) {
			err_wrap(&e, "vm %s", argv[i]);
			cmd_fail(&e);
			failed++;
			continue;
		}
		discarded += done;
		if (done)
			drop_snapshot(&m, sure, argv[i]);
		printf("%s: %s\n", argv[i],
		       done ? "state given up; 'holdover run' starts it afresh" : "nothing waits");
	}
	/* As long as another record cannot be read, somebody may need them. */
	if (discarded && host_drop_tickets(&h, &e) < 0)
		cmd_say("holdover: the tickets stay: %s", e.msg);
	if (failed)
		return discarded ? EXIT_PARTIAL : EXIT_FAILED;
	return discarded ? EXIT_DONE : EXIT_NOTHING;
}

const struct cmd cmd_discard = {
	.name = "discard",
	.args = "NAME... | --force NAME",
	.summary = "give up the saved state of VMs, so that they can be started afresh",
	.help = "Marks the state as consumed before anything else can use it. What the guest had in\n"
		"memory is lost, as by a power cut; its disks stay as they are.\n\n"
		"  --force  also if the record of the VM's state is damaged, so that nobody can tell\n"
		"           whether it waits\n",
	.run = run,
};
