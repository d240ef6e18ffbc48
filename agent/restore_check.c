/* SPDX-License-Identifier: GPL-2.0-only */
#include "restore_check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "disk.h"
#include "qemu.h"
#include "sysroot.h"
#include "unit.h"

int check_root(struct restore *r, struct err *e)
{
	if (!r->root)
		return 0;
	if (!r->root_tried && sysroot_prepare(r->root, &r->root_err) < 0)
		err_wrap(&r->root_err, "preparing %s", r->root);
	r->root_tried = true;
	if (r->root_err.kind == ERR_NONE)
		return 0;
	*e = r->root_err;
	return -1;
}

int check_program(const struct restore *r, const struct manifest_vm *mv, struct err *e)
{
	int fd = io_open_in_root(r->root, mv->vm.qemu, O_PATH);

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || (fd != -ENOENT && fd != -ENOTDIR))
		return 0;
	return err_set(e, ERR_ABSENT, "%s is not %s", mv->vm.qemu,
		       r->who == RESTORE_EARLY ?
			       "in the image, which was built before the VM's placement was set" :
			       "there (yet)");
}

int check_disks(const struct restore *r, const struct manifest_vm *mv, bool tried, bool opened,
		struct err *e)
{
	unsigned int flags = (decide_in_initramfs(r->who) ? DISK_EARLY : 0) |
		(r->who == RESTORE_EARLY ? DISK_COPY : 0) | (opened ? DISK_OPENED : 0);

	for (unsigned int i = 0; i < mv->ndisks; i++) {
		bool holds = tried && mv->vm.transport == VM_STATE_SNAPSHOT &&
			!strcmp(mv->disks[i].path, mv->snapshot.image);

		if (disk_check(r->root, &mv->disks[i], flags | (holds ? DISK_SET_BACK : 0), e) < 0)
			return -1;
	}
	return 0;
}

static int device_there(void *ctx, const char *path)
{
	char in[4096 + 4];

	/* A pipe of QEMU's is one node, or two with these endings. */
	snprintf(in, sizeof(in), "%s.in", path);
	if (access(path, F_OK) == 0 || access(in, F_OK) == 0)
		return 0;
	return err_set(ctx, ERR_ABSENT, "device %s does not exist (yet)", path);
}

int check_devices(const struct restore *r, const struct manifest_vm *mv, struct err *e)
{
	return r->who == RESTORE_EARLY ? device_each(&mv->vm, device_there, e) : 0;
}

int check_ram(struct restore *r, const struct manifest_vm *mv, bool whole, struct err *e)
{
	struct ram ram[VM_PARTS_MAX];

	if (restore_ram(r, mv, ram, e) < 0)
		return -1;
	for (unsigned int i = 0; i < vm_parts(&mv->vm); i++)
		if (canary_check(&ram[i], manifest_canary(mv, i), whole, e) < 0)
			return -1;
	return 0;
}

int check_mapped(struct restore *r, const struct manifest_vm *mv, pid_t pid, struct err *e)
{
	struct ram ram[VM_PARTS_MAX];

	if (restore_ram(r, mv, ram, e) < 0)
		return -1;
	for (unsigned int i = 0; i < vm_parts(&mv->vm); i++)
		if (qemu_ram_mapped_check(pid, &ram[i], e) < 0)
			return -1;
	return 0;
}

int check_survives(const struct restore *r, const struct vm *vm, struct err *e)
{
	struct err unknown = { 0 };
	unsigned int version = 0;

	if (!decide_in_initramfs(r->who) || !vm_unprivileged(vm) || !unit_manager_present())
		return 0;
	if (unit_systemd_version(&version, &unknown) == 0 && version >= UNIT_SURVIVES_SINCE)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "its QEMU does not run as root, and systemd %u of this initramfs would end it at "
		       "the switch to the real root (%d would not)",
		       version, UNIT_SURVIVES_SINCE);
}
