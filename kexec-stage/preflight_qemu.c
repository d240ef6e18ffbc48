/* SPDX-License-Identifier: GPL-2.0-only */
/* The next QEMU: what the one on disk says, against what the running one has. */
#include <inttypes.h>
#include <string.h>

#include "preflight.h"
#include "probe.h"
#include "snapshot.h"

/**
 * struct pair - the same question to two QEMUs
 * @p: where findings go
 * @mv: the VM
 * @now: monitor of the one that runs
 * @next: the one on disk
 */
struct pair {
	struct preflight *p;
	const struct manifest_vm *mv;
	struct qmp *now;
	struct probe *next;
};

static const char *vm_name(const struct pair *c)
{
	return c->mv->vm.name;
}

static void fail(struct pair *c, const struct err *e)
{
	preflight_add(c->p, FINDING_FAIL, vm_name(c), "%s", e->msg);
}

static int ask(struct qmp *q, const char *command, const char *args, struct qmp_msg *m, struct err *e)
{
	if (qmp_call(q, command, -1, PROBE_TIMEOUT_MS, m, e, args ? "%s" : NULL, args) < 0)
		return err_wrap(e, "%s", command);
	return 0;
}

/* Has an element of @list @want as its member @key? */
static bool has(yyjson_val *list, const char *key, const char *want)
{
	yyjson_val *v;
	size_t i, n;

	yyjson_arr_foreach(list, i, n, v) {
		const char *text = yyjson_get_str(yyjson_obj_get(v, key));

		if (text && !strcmp(text, want))
			return true;
	}
	return false;
}

/* "child<virtio-blk-pci>" */
static bool child_type(yyjson_val *v, char out[128])
{
	const char *type = yyjson_get_str(yyjson_obj_get(v, "type"));
	size_t n = type ? strlen(type) : 0;

	if (n < 8 || n - 7 >= 128 || strncmp(type, "child<", 6))
		return false;
	memcpy(out, type + 6, n - 7);
	out[n - 7] = '\0';
	return true;
}

/* The devices of one folder of the object tree. */
static int check_folder(struct pair *c, const char *args, yyjson_val *types, bool by_user,
			struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	yyjson_val *v;
	size_t i, n;

	if (ask(c->now, "qom-list", args, &m, e) < 0)
		return -1;
	yyjson_arr_foreach(m.body, i, n, v) {
		const char *name = yyjson_get_str(yyjson_obj_get(v, "name"));
		char type[128];

		/* What else lies there, memory and interrupts, is no device. */
		if (!child_type(v, type) || (!by_user && (!name || strncmp(name, "device[", 7))) ||
		    has(types, "name", type))
			continue;
		if (by_user)
			preflight_add(c->p, FINDING_FAIL, vm_name(c),
				      "%s on disk has no device %s, so it could not load this VM; "
				      "install a QEMU (or a package of it) that has",
				      c->mv->vm.qemu, type);
		else
			preflight_add(c->p, FINDING_WARN, vm_name(c),
				      "%s on disk has no %s, which is a part of this VM's board; it "
				      "may have another name there",
				      c->mv->vm.qemu, type);
	}
	return 0;
}

static int check_devices(struct pair *c, struct err *e)
{
	struct qmp_msg types _cleanup_qmp_msg_ = { 0 };

	/* Not "implements device" alone: -object and buses lie there too. */
	if (ask(&c->next->q, "qom-list-types", "{\"abstract\": false}", &types, e) < 0)
		return -1;
	if (check_folder(c, "{\"path\": \"/machine/peripheral\"}", types.body, true, e) < 0 ||
	    check_folder(c, "{\"path\": \"/machine/peripheral-anon\"}", types.body, true, e) < 0)
		return -1;
	return check_folder(c, "{\"path\": \"/machine/unattached\"}", types.body, false, e);
}

/* The next word of "a,b=c,,d,e": up to a single comma; "" at the end. */
static const char *next_option(const char *at, char key[128])
{
	size_t n = strcspn(at, "=,");

	snprintf(key, 128, "%.*s", n < 127 ? (int)n : 127, at);
	while (*at && !(at[0] == ',' && at[1] != ','))
		at += at[0] == ',' ? 2 : 1;
	return *at ? at + 1 : at;
}

/* Properties that -device has been given, e.g. one that was removed since. */
static int check_properties(struct pair *c, const char *device, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	char driver[128], key[128], args[200];
	const char *at = next_option(device, driver);

	if (*device == '{' || strpbrk(driver, "\"\\"))
		return 0; /* JSON: its types are checked as objects only */
	snprintf(args, sizeof(args), "{\"typename\": \"%s\"}", driver);
	if (ask(&c->next->q, "device-list-properties", args, &m, e) < 0) {
		if (e->kind != ERR_REFUSED)
			return -1;
		err_clear(e); /* a short name, as virtio-blk: no type of its own */
		return 0;
	}
	while (*at) {
		const char *begin = at;

		at = next_option(at, key);
		if (begin[strlen(key)] != '=' || !strcmp(key, "id") || !strcmp(key, "bus") ||
		    !strcmp(key, "driver") || has(m.body, "name", key))
			continue;
		/* The running one knows best what is no property at all. */
		preflight_add(c->p, FINDING_FAIL, vm_name(c),
			      "device %s of %s on disk has no property %s, which 'args' sets; remove "
			      "it and run the VM afresh, or install a QEMU that has it",
			      driver, c->mv->vm.qemu, key);
	}
	return 0;
}

/* Options of the command line that the running QEMU knows and the other does
 * not. (QEMU lists only those that take structured values.) */
static int check_options(struct pair *c, struct err *e)
{
	struct qmp_msg now _cleanup_qmp_msg_ = { 0 }, next _cleanup_qmp_msg_ = { 0 };
	const struct vm *vm = &c->mv->vm;

	if (ask(c->now, "query-command-line-options", NULL, &now, e) < 0 ||
	    ask(&c->next->q, "query-command-line-options", NULL, &next, e) < 0)
		return -1;
	for (unsigned int i = 0; i < vm->nargs; i++) {
		const char *a = vm->args[i];

		if (*a != '-')
			continue;
		a += 1 + (a[1] == '-');
		if (has(now.body, "option", a) && !has(next.body, "option", a))
			preflight_add(c->p, FINDING_FAIL, vm->name,
				      "%s on disk has no option -%s; remove it from 'args' and run "
				      "the VM afresh, or install a QEMU that has it",
				      vm->qemu, a);
		if (!strcmp(a, "device") && i + 1 < vm->nargs &&
		    check_properties(c, vm->args[i + 1], e) < 0)
			return -1;
	}
	return 0;
}

static int check_migration(struct pair *c, struct err *e)
{
	struct qmp_msg caps _cleanup_qmp_msg_ = { 0 };
	struct qmp_msg now _cleanup_qmp_msg_ = { 0 }, next _cleanup_qmp_msg_ = { 0 };
	static const char *const wanted[] = { "x-ignore-shared", "events" };

	if (ask(&c->next->q, "query-migrate-capabilities", NULL, &caps, e) < 0 ||
	    ask(c->now, "query-migrate-parameters", NULL, &now, e) < 0 ||
	    ask(&c->next->q, "query-migrate-parameters", NULL, &next, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (!has(caps.body, "capability", wanted[i]))
			preflight_add(c->p, FINDING_FAIL, vm_name(c),
				      "%s on disk has no migration capability %s, without which it "
				      "cannot load this VM's state beside its RAM",
				      c->mv->vm.qemu, wanted[i]);
	if (yyjson_obj_get(now.body, "mode") && !yyjson_obj_get(next.body, "mode"))
		preflight_add(c->p, FINDING_FAIL, vm_name(c),
			      "%s on disk has no migration mode cpr-reboot (since 8.2), in which the "
			      "running one saves; install one that has",
			      c->mv->vm.qemu);
	return 0;
}

static int check_image(struct pair *c, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	char node[SNAPSHOT_NODE_MAX], image[SNAPSHOT_IMAGE_MAX];

	if (ask(c->now, "query-named-block-nodes", NULL, &m, e) < 0)
		return -1;
	return snapshot_choose(m.body, node, image, e);
}

/* Before 10.0 QEMU can load a snapshot only after a reset that writes program
 * images to RAM, where the guest's own RAM is in place already. A line of the
 * list is "addr=... size=... mem=ram name="..."" for such a one. */
static int check_programs(struct pair *c, struct err *e)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	const char *list, *line, *name;

	if (ask(c->now, "x-query-roms", NULL, &m, e) < 0)
		return -1;
	list = yyjson_get_str(yyjson_obj_get(m.body, "human-readable-text"));
	if (!list || !strstr(list, "name="))
		return err_set(e, ERR_PROTOCOL, "QEMU's list of program images has no known form");
	line = strstr(list, " mem=ram ");
	if (!line)
		return 0;
	name = strstr(line, "name=\"");
	preflight_add(c->p, FINDING_FAIL, vm_name(c),
		      "with 'transport = snapshot' %s on disk (%u.%u) would write %.*s over the guest's "
		      "RAM when it loads the state; install QEMU 10.0 or newer, or set 'transport = "
		      "ledger' and run the VM afresh",
		      c->mv->vm.qemu, c->next->version / 10000, c->next->version / 100 % 100,
		      name ? (int)strcspn(name + 6, "\"") : 9, name ? name + 6 : "a program");
	return 0;
}

static int compare(struct pair *c, struct err *e)
{
	for (unsigned int i = 0; i < vm_parts(&c->mv->vm); i++) {
		const struct extent *x = manifest_extent(c->mv, i);

		if (x->offset && !x->in_file && c->next->version < PROBE_OFFSET_SINCE)
			preflight_add(c->p, FINDING_FAIL, vm_name(c),
				      "its RAM begins at %" PRIu64
				      " of the device, and %s on disk is older than 8.1, which brought "
				      "offset=; install a newer QEMU",
				      x->offset, c->mv->vm.qemu);
	}
	if (c->mv->vm.transport == VM_STATE_SNAPSHOT &&
	    (check_image(c, e) < 0 ||
	     (c->next->version < SNAPSHOT_INCOMING_SINCE && check_programs(c, e) < 0)))
		return -1;
	if (check_devices(c, e) < 0 || check_options(c, e) < 0)
		return -1;
	return check_migration(c, e);
}

unsigned int preflight_qemu(struct preflight *p, const struct manifest_vm *mv, struct qmp *now,
			    unsigned int version)
{
	struct probe next _cleanup_probe_ = PROBE_INIT;
	struct pair c = { .p = p, .mv = mv, .now = now, .next = &next };
	unsigned int failed = p->failed;
	struct err e = { 0 };

	if (probe_vm(&next, &mv->vm, &e) < 0) {
		err_wrap(&e, "the next QEMU could not load this VM");
		fail(&c, &e);
	} else if (compare(&c, &e) < 0) {
		fail(&c, &e);
	} else {
		preflight_queues(p, vm_name(&c), now, version, next.version);
	}
	if (p->failed == failed) {
		preflight_add(p, FINDING_OK, mv->vm.name,
			      "%s on disk (%u.%u) can load %s, as %u.%u runs it", mv->vm.qemu,
			      next.version / 10000, next.version / 100 % 100, mv->vm.machine,
			      version / 10000, version / 100 % 100);
	}
	return next.version;
}
