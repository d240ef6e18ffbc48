/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that could fail after the pause, tried while the VMs run. */
#ifndef HOLDOVER_PREFLIGHT_H
#define HOLDOVER_PREFLIGHT_H

#include "stage.h"

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL };

/** struct finding - the result of one check */
struct finding {
	enum finding_level level;
	char what[80];
	char text[700];
};

#define FINDINGS_MAX 256

struct preflight {
	struct finding item[FINDINGS_MAX];
	unsigned int n;
	unsigned int failed, warned;
};

/** preflight_add() - note a finding; @what names the check or the VM. */
void preflight_add(struct preflight *p, enum finding_level level, const char *what, const char *fmt,
		   ...) _printf_(4, 5);

/** preflight_target() - kernel, its options, initrd, command line, lockdown. */
void preflight_target(struct preflight *p, const struct target *t);

/** preflight_vms() - each VM of @s, its QEMU on disk, and the ledger. */
void preflight_vms(struct preflight *p, struct stage *s);

/** preflight_placements() - after preflight_vms(): where each VM will be resumed,
 * if that is not where it is set to. @t: NULL if it could not be resolved. */
void preflight_placements(struct preflight *p, const struct target *t, const struct stage *s);

/** preflight_qemu() - could the QEMU on disk, which may have been upgraded,
 * load the VM @mv that runs behind @now (of version @version)? Machine type,
 * processor, devices and their properties, options, migration, and without
 * writing to RAM. Asks only. Returns the version of the one on disk, or 0. */
unsigned int preflight_qemu(struct preflight *p, const struct manifest_vm *mv, struct qmp *now,
			    unsigned int version);

/** preflight_queues() - virtio queues of the VM behind @now (of version @version)
 * that are longer than was asked for, and that a QEMU of version @next refuses. */
void preflight_queues(struct preflight *p, const char *vm_name, struct qmp *now,
		      unsigned int version, unsigned int next);

/** preflight_reopen() - REFUSED if the QEMU @pid has given up root for a user who
 * may not open @d. The `cont` after a save opens every image again (QEMU asks for
 * write permission anew when it activates them; seen with 7.2 and 10.0): without
 * this the VM would stay paused. */
_must_check_ int preflight_reopen(pid_t pid, const struct disk *d, struct err *e);

/** preflight_rehearse() - save every VM for real and let it run on; proves that
 * the migration works and that the state fits the ledger. The pause is about
 * as long as the one of the jump. Skipped with a warning if an earlier check
 * failed. */
void preflight_rehearse(struct preflight *p, struct stage *s);

/** preflight_error() - REFUSED with all failures, if there are any. */
_must_check_ int preflight_error(const struct preflight *p, struct err *e);

/** preflight_kexec_target() - do the host's units carry VMs to the last step of
 * kexec.target? A finding of @level if not. */
void preflight_kexec_target(struct preflight *p, enum finding_level level);

/** preflight_replacers() - warn of what loads a kernel in place of Holdover's.
 * (A crash kernel is loaded beside it and does no harm.) @root: "" for "/". */
void preflight_replacers(struct preflight *p, const char *root);

#endif
