/* SPDX-License-Identifier: GPL-2.0-only */
#include "overview.h"

#include <stdarg.h>
#include <string.h>

#include <sys/stat.h>

#include "fault.h"
#include "hotplug.h"
#include "placement.h"
#include "report.h"
#include "vmctl.h"

static void set_state(struct overview_vm *v, const char *state, const char *fmt, ...) _printf_(3, 4);

static void set_state(struct overview_vm *v, const char *state, const char *fmt, ...)
{
	va_list ap;

	snprintf(v->state, sizeof(v->state), "%s", state);
	va_start(ap, fmt);
	vsnprintf(v->detail, sizeof(v->detail), fmt, ap);
	va_end(ap);
}

static struct overview_vm *add(struct overview *o, const char *name)
{
	struct overview_vm *v = NULL;

	for (unsigned int i = 0; i < o->n; i++)
		if (!strcmp(o->vm[i].name, name))
			return &o->vm[i];
	if (o->n < ARRAY_LEN(o->vm)) {
		v = &o->vm[o->n++];
		memset(v, 0, sizeof(*v));
		snprintf(v->name, sizeof(v->name), "%s", name);
		v->index = -1;
		set_state(v, "stopped", "%s", "");
	}
	return v;
}

static void from_record(struct overview_vm *v, const uint8_t boot_id[16])
{
	switch (v->record.state) {
	case VM_SEALED:
		set_state(v, "sealed",
			  "its state waits for a resume: 'holdover resume %s', or 'holdover abort' "
			  "if the jump never happened",
			  v->name);
		break;
	case VM_CLAIMED:
		set_state(v, "sealed",
			  "its resume was cut short; 'holdover resume %s' tries again, 'holdover "
			  "discard %s' gives its state up",
			  v->name, v->name);
		break;
	case VM_FAILED:
		set_state(v, "kept",
			  "resuming it failed (%s); 'holdover resume %s' tries again, 'holdover "
			  "discard %s' gives its state up",
			  err_kind_name(v->record.reason), v->name, v->name);
		break;
	case VM_RELEASED:
		set_state(v, "kept",
			  "it may have run since its state was saved, so it is not resumed by itself; "
			  "'holdover discard %s' gives its state up, 'holdover resume --never-ran %s' "
			  "uses it if you know that it did not run",
			  v->name, v->name);
		break;
	case VM_RUNNING:
	case VM_ABORTED:
		if (memcmp(v->record.boot_id, boot_id, 16))
			set_state(v, "stopped",
				  "%s in an earlier boot, so no state waits; 'holdover run %s' starts "
				  "it afresh",
				  v->record.state == VM_RUNNING ? "it was resumed" :
								  "its jump was called off",
				  v->name);
		break;
	case VM_NONE:
	case VM_CONSUMED:
	case VM_STATES:
		break;
	}
}

static int add_ledger(const struct host *h, struct overview *out, struct err *e)
{
	_cleanup_free_ struct extent_table *t = malloc(sizeof(*t));
	uint8_t boot_id[16];

	if (!t)
		return err_set(e, ERR_IO, "out of memory");
	if (io_boot_id(boot_id, e) < 0 || ledger_extents_read(&h->ledger, t, e) < 0)
		return -1;
	for (unsigned int i = 0; i < VM_MAX; i++) {
		const struct extent *x = &t->slot[i];
		struct overview_vm *v = *x->name && !x->part ? add(out, x->name) : NULL;
		struct err why = { 0 };

		if (!v)
			continue;
		v->index = (int)i;
		v->parts = extent_parts(t, x->name, v->extent);
		if (record_read(&h->ledger, i, x->name, &v->record, &why) == 0) {
			from_record(v, boot_id);
			continue;
		}
		v->record_bad = true;
		set_state(v, "kept", "%.400s", why.msg);
	}
	return 0;
}

/* One that was started in the initramfs has a root of its own. */
static bool has_own_root(pid_t pid)
{
	struct stat host, its;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root/.", (int)pid);
	return stat("/", &host) == 0 && stat(path, &its) == 0 &&
		(host.st_dev != its.st_dev || host.st_ino != its.st_ino);
}

static void ask_placement(struct qmp *q, struct overview_vm *v, enum vm_placement wanted)
{
	struct disk *disks = NULL;
	unsigned int n = 0;
	struct err ignored = { 0 };

	if (vmctl_disks(q, &disks, &n, &ignored) == 0)
		v->expected =
			vm_placement_name(placement_expect("", wanted, disks, n, v->expected_why,
							   sizeof(v->expected_why)));
	for (unsigned int i = 0; i < n; i++)
		free(disks[i].path);
	free(disks);
}

#define LAG_TEXT 400

/* Less than that the guest's own time service notices no more than we do. */
#define LAG_WORTH_MS 1000

static void add_lag(struct overview_vm *v)
{
	struct err none = { 0 };

	v->have_lag = runstate_read_lag(v->name, &v->lag, &none) == 0;
}

static const char *lag_text(const struct overview_vm *v, char out[LAG_TEXT])
{
	*out = '\0';
	if (!v->lag.set && v->lag.ms >= LAG_WORTH_MS)
		snprintf(out, LAG_TEXT,
			 "the jump left its clock %llu.%llu s behind (%s); its own time service or an "
			 "operator in the guest sets it",
			 (unsigned long long)v->lag.ms / 1000,
			 (unsigned long long)v->lag.ms % 1000 / 100, v->lag.why);
	return out;
}

static void ask_attached(struct qmp *q, struct overview_vm *v)
{
	_cleanup_free_ struct hotplug_list *list = malloc(sizeof(*list));
	struct err ignored = { 0 };

	if (!list || hotplug_list(q, list, &ignored) < 0)
		return;
	for (unsigned int i = 0; i < list->n; i++) {
		size_t at = strlen(v->attached);

		snprintf(v->attached + at, sizeof(v->attached) - at, "%s%s (%s)", i ? ", " : "",
			 list->disk[i].id, list->disk[i].path);
	}
}

static void ask_qemu(struct overview_vm *v, enum vm_placement wanted)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct err e = { 0 };
	char status[32], text[LAG_TEXT];
	bool was_running;

	if (vmctl_open(v->name, &q, NULL, &e) < 0 ||
	    vmctl_status(&q, status, sizeof(status), &e) < 0) {
		set_state(v, "unresponsive", "%.400s", e.msg);
		return;
	}
	if (!strcmp(status, "running") || !strcmp(status, "paused"))
		ask_placement(&q, v, wanted);
	ask_attached(&q, v);
	if (v->record.state == VM_RELEASED)
		set_state(v, status,
			  "its resume was cut short after the point of no return; look whether it is "
			  "well, then 'holdover discard %s' closes the matter",
			  v->name);
	else if (runstate_read_pause(v->name, &was_running, &e) == 0 && strcmp(status, "running"))
		set_state(v, status, "a jump left it so; 'holdover abort' continues it");
	else if (v->record.state == VM_CLAIMED)
		set_state(v, status,
			  "its resume was cut short; 'holdover resume %s' ends this QEMU and tries "
			  "again",
			  v->name);
	else if (!strcmp(status, "prelaunch") && v->record.state != VM_RUNNING)
		set_state(v, status,
			  "its start was cut short; end it with 'holdover stop --force %s' and run it "
			  "again",
			  v->name);
	else
		set_state(v, status, "%s", v->have_lag ? lag_text(v, text) : "");
}

int overview_collect(const struct host *h, bool ledger, bool ask, struct overview *out, struct err *e)
{
	char names[VM_MAX][VM_NAME_MAX + 1];
	int n;

	out->n = 0;
	if (ledger && add_ledger(h, out, e) < 0)
		return -1;
	n = runstate_names(names, e);
	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		struct runstate rs _cleanup_(runstate_free) = RUNSTATE_INIT;
		struct overview_vm *v = add(out, names[i]);
		struct err why = { 0 };

		if (!v)
			continue;
		if (runstate_load(names[i], &rs, &why) < 0) {
			set_state(v, "unknown", "%.400s", why.msg);
			continue;
		}
		v->placement = vm_placement_name(rs.m.vms[0].vm.placement);
		report_way(v->name, v->resumed_at, v->moved_on);
		if (rs.pidfd < 0)
			continue;
		v->pid = rs.pid;
		v->own_root = has_own_root(rs.pid);
		add_lag(v);
		if (ask)
			ask_qemu(v, rs.m.vms[0].vm.placement);
		else
			set_state(v, "busy", "another holdover is at work");
	}
	return 0;
}
