/* SPDX-License-Identifier: GPL-2.0-only */
/* Will each VM be resumed at the placement that it is set to? Not a reason to
 * refuse a jump: a VM moves on to the next one. */
#include <string.h>

#include "kexec.h"
#include "placement.h"
#include "preflight.h"

static void check_image(struct preflight *p, const struct target *t, const struct vm *vm)
{
	const char *slash = strrchr(vm->qemu, '/');
	struct err e = { 0 };
	int has = kexec_initrd_has_file(t->initrd, slash ? slash + 1 : vm->qemu, &e);

	if (has < 0)
		preflight_add(p, FINDING_WARN, vm->name, "%s", e.msg);
	else if (!has)
		preflight_add(p, FINDING_WARN, vm->name,
			      "%s does not contain its QEMU, so it will be resumed at sysroot and not at "
			      "initramfs; build it anew with 'dracut --force --add holdover'",
			      t->initrd);
	else
		preflight_add(p, FINDING_OK, vm->name, "%s contains its QEMU", t->initrd);
}

void preflight_placements(struct preflight *p, const struct target *t, const struct stage *s)
{
	for (unsigned int i = 0; i < s->n; i++) {
		const struct stage_vm *v = &s->vm[i];
		const struct vm *vm = &v->rs.m.vms[0].vm;
		char why[512];
		enum vm_placement got =
			placement_expect("", vm->placement, v->disks, v->ndisks, why, sizeof(why));

		if (got != vm->placement)
			preflight_add(p, FINDING_WARN, vm->name,
				      "it will be resumed at %s and not at %s: %s",
				      vm_placement_name(got), vm_placement_name(vm->placement), why);
		else if (got == VM_PLACE_INITRAMFS && t)
			check_image(p, t, vm);
	}
}
