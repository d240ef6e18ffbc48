/* SPDX-License-Identifier: GPL-2.0-only */
#include "image_files.h"

#include <glob.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "qemu_help.h"

/* Larger than any flash chip that QEMU emulates. */
#define FIRMWARE_MAX (64u << 20)

/**
 * struct need - a word in an argument, and what QEMU looks for then
 * @word: "" for every VM
 * @file: in QEMU's data folders, or a pattern in its module folder
 */
struct need {
	const char *word;
	const char *file;
};

/* Small ones are taken whether needed or not. The names are those of
 * pc-bios/ and hw/ in QEMU's source; what a version lacks is passed over. */
static const struct need data[] = {
	{ "", "bios-256k.bin" },
	{ "", "kvmvapic.bin" },
	{ "", "linuxboot.bin" },
	{ "", "linuxboot_dma.bin" },
	{ "", "multiboot.bin" },
	{ "", "multiboot_dma.bin" },
	{ "", "pvh.bin" },
	{ "microvm", "bios-microvm.bin" },
	{ "microvm", "qboot.rom" },
	{ "virtio-net", "efi-virtio.rom" },
	{ "e1000", "efi-e1000.rom" },
	{ "e1000e", "efi-e1000e.rom" },
	{ "rtl8139", "efi-rtl8139.rom" },
	{ "pcnet", "efi-pcnet.rom" },
	{ "ne2k_pci", "efi-ne2k_pci.rom" },
	{ "i82", "efi-eepro100.rom" },
	{ "vmxnet3", "efi-vmxnet3.rom" },
	{ "VGA", "vgabios-stdvga.bin" },
	{ "std", "vgabios-stdvga.bin" },
	{ "virtio-vga", "vgabios-virtio.bin" },
	{ "virtio", "vgabios-virtio.bin" },
	{ "qxl", "vgabios-qxl.bin" },
	{ "cirrus", "vgabios-cirrus.bin" },
	{ "vmware", "vgabios-vmware.bin" },
	{ "bochs-display", "vgabios-bochs-display.bin" },
	{ "ramfb", "vgabios-ramfb.bin" },
	{ "vnc", "keymaps/en-us" },
};

/* Without -nodefaults a machine has a graphics adapter and a network card. */
static const char *const default_data[] = { "vgabios-stdvga.bin", "efi-e1000.rom", "efi-e1000e.rom" };

static const struct need loadable[] = {
	{ "", "accel-tcg-x86_64.so" },
	{ "virtio-gpu", "hw-display-virtio-gpu*.so" },
	{ "virtio-vga", "hw-display-virtio-*.so" },
	{ "qxl", "hw-display-qxl.so" },
	{ "usb-host", "hw-usb-host.so" },
	{ "usb-redir", "hw-usb-redirect.so" },
	{ "ccid", "hw-usb-smartcard.so" },
	{ "iscsi:", "block-iscsi.so" },
	{ "rbd:", "block-rbd.so" },
	{ "\"rbd\"", "block-rbd.so" },
	{ "http", "block-curl.so" },
	{ "ssh:", "block-ssh.so" },
	{ "spice", "*spice*.so" },
	{ "qxl", "ui-spice-core.so" },
};

/* Where QEMU's own modules lie, beside its program's folder. */
static const char *const module_dirs[] = { "/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib64/qemu",
					   "/usr/lib/qemu" };

static const struct need kernel[] = {
	{ "kvm", "kvm" },
	{ "kvm", "kvm_intel" },
	{ "kvm", "kvm_amd" },
	{ "tap", "tun" },
	{ "vhost", "vhost_net" },
	{ "vhost-vsock", "vhost_vsock" },
	{ "vhost-scsi", "vhost_scsi" },
	{ "macvtap", "macvtap" },
};

/* Options whose value names a file that QEMU reads at its start, or has one
 * under this key. */
static const struct {
	const char *option, *key;
} reads[] = {
	{ "kernel", "" },	  { "initrd", "" },
	{ "bios", "" },		  { "dtb", "" },
	{ "device", "romfile=" }, { "fw_cfg", "file=" },
	{ "acpitable", "file=" }, { "acpitable", "data=" },
	{ "smbios", "file=" },
};

void image_files_free(struct image_files *f)
{
	for (unsigned int i = 0; i < f->paths; i++)
		free(f->path[i]);
	memset(f, 0, sizeof(*f));
}

static int add_path(struct image_files *f, const char *path, struct err *e)
{
	for (unsigned int i = 0; i < f->paths; i++)
		if (!strcmp(f->path[i], path))
			return 0;
	if (f->paths == IMAGE_FILES_MAX)
		return err_set(e, ERR_REFUSED, "more than %d files", IMAGE_FILES_MAX);
	f->path[f->paths] = strdup(path);
	return f->path[f->paths++] ? 0 : err_set(e, ERR_IO, "out of memory");
}

static void add_module(struct image_files *f, const char *name)
{
	for (unsigned int i = 0; i < f->modules; i++)
		if (!strcmp(f->module[i], name))
			return;
	if (f->modules < ARRAY_LEN(f->module))
		f->module[f->modules++] = name;
}

static bool says(const struct vm *vm, const char *word)
{
	bool found = !*word || strstr(vm->machine, word);

	for (unsigned int i = 0; !found && i < vm->nargs; i++)
		found = strstr(vm->args[i], word);
	return found;
}

static bool has_option(const struct vm *vm, const char *option)
{
	for (unsigned int i = 0; i < vm->nargs; i++)
		if (!strcmp(vm->args[i], option))
			return true;
	return false;
}

/* In the first of QEMU's data folders (a line each) that has it. */
static int add_data(struct image_files *f, const char *folders, const char *name, struct err *e)
{
	for (const char *p = folders; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		char path[PATH_MAX], dir[PATH_MAX];

		if (io_path(dir, sizeof(dir), e, "%.*s", (int)strcspn(p, "\n"), p) < 0)
			return -1;
		/* QEMU names them relative to its program: /usr/bin/../share. */
		if (!*dir || !realpath(dir, path))
			continue;
		if (io_path(dir, sizeof(dir), e, "%s/%s", path, name) < 0)
			return -1;
		if (access(dir, R_OK) == 0)
			return add_path(f, dir, e);
	}
	return 0;
}

static int add_loadable(struct image_files *f, const char *pattern, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(module_dirs); i++) {
		glob_t found = { 0 };
		char path[PATH_MAX];

		if (io_path(path, sizeof(path), e, "%s/%s", module_dirs[i], pattern) < 0)
			return -1;
		if (glob(path, 0, NULL, &found) < 0)
			found.gl_pathc = 0;
		for (size_t k = 0; k < found.gl_pathc && r == 0; k++)
			r = add_path(f, found.gl_pathv[k], e);
		globfree(&found);
	}
	return r;
}

/* The value of @key in a list like "id=a,file=/b": up to the next comma. What is
 * not an absolute path is looked for where QEMU looks for firmware. */
static int add_value(struct image_files *f, const char *list, const char *key, const char *folders,
		     struct err *e)
{
	const char *at = *key ? strstr(list, key) : list;
	char path[PATH_MAX];

	if (!at)
		return 0;
	at += strlen(key);
	if (io_path(path, sizeof(path), e, "%.*s", (int)strcspn(at, *key ? ",\"" : ""), at) < 0)
		return -1;
	if (*path != '/')
		return *path ? add_data(f, folders, path, e) : 0;
	return add_path(f, path, e);
}

/* UEFI and its like: a flash chip that QEMU only reads. Its variables are a
 * disk, and so is whatever can be written. */
static int add_flash(struct image_files *f, const char *list, struct err *e)
{
	static const char *const keys[] = { "file=", "filename=", "\"filename\":\"" };
	bool read_only = strstr(list, "readonly=on") || strstr(list, "read-only=on") ||
		strstr(list, "\"read-only\":true");
	struct stat st;

	for (size_t i = 0; read_only && i < ARRAY_LEN(keys); i++) {
		struct image_files one = { .paths = 0 };
		int r = add_value(&one, list, keys[i], "", e);

		if (r == 0 && one.paths && stat(one.path[0], &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_size <= FIRMWARE_MAX)
			r = add_path(f, one.path[0], e);
		image_files_free(&one);
		if (r < 0)
			return -1;
	}
	return 0;
}

static int add_args(struct image_files *f, const struct vm *vm, const char *folders, struct err *e)
{
	for (unsigned int i = 0; i + 1 < vm->nargs; i++) {
		const char *option = vm->args[i], *value = vm->args[i + 1];

		if (*option != '-')
			continue;
		option += 1 + (option[1] == '-');
		if ((!strcmp(option, "blockdev") ||
		     (!strcmp(option, "drive") && strstr(value, "pflash"))) &&
		    add_flash(f, value, e) < 0)
			return -1;
		for (size_t k = 0; k < ARRAY_LEN(reads); k++)
			if (!strcmp(option, reads[k].option) &&
			    add_value(f, value, reads[k].key, folders, e) < 0)
				return -1;
	}
	return says(vm, "localtime") ? add_path(f, "/etc/localtime", e) : 0;
}

int image_files_add(struct image_files *f, const struct vm *vm, struct err *e)
{
	_cleanup_buf_ struct buf folders = { 0 };

	if (access(vm->qemu, X_OK) < 0)
		return err_set(e, ERR_ABSENT, "%s is not installed", vm->qemu);
	if (add_path(f, vm->qemu, e) < 0 || qemu_help(vm->qemu, "-L", &folders, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(data); i++)
		if (says(vm, data[i].word) && add_data(f, folders.data, data[i].file, e) < 0)
			return -1;
	for (size_t i = 0; !has_option(vm, "-nodefaults") && i < ARRAY_LEN(default_data); i++)
		if (add_data(f, folders.data, default_data[i], e) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_LEN(loadable); i++)
		if (says(vm, loadable[i].word) && add_loadable(f, loadable[i].file, e) < 0)
			return -1;
	for (size_t i = 0; i < ARRAY_LEN(kernel); i++)
		if (says(vm, kernel[i].word))
			add_module(f, kernel[i].file);
	return add_args(f, vm, folders.data, e);
}
