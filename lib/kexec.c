/* SPDX-License-Identifier: GPL-2.0-only */
#include "kexec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <linux/kexec.h>
#include <linux/reboot.h>

/* COMMAND_LINE_SIZE of x86, terminator included. */
#define CMDLINE_MAX 2048

#define LOADED_PATH "/sys/kernel/kexec_loaded"

static long file_load(int kernel_fd, int initrd_fd, const char *cmdline, unsigned long flags)
{
	return syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, cmdline ? strlen(cmdline) + 1 : 0,
		       cmdline, flags);
}

int kexec_loaded(bool *out, struct err *e)
{
	uint64_t v;

	if (io_read_u64(LOADED_PATH, &v, e)) {
		if (e->kind == ERR_ABSENT)
			return err_set(e, ERR_REFUSED,
				       LOADED_PATH
				       ": absent: this kernel is built without CONFIG_KEXEC_CORE");
		return -1;
	}
	*out = v != 0;
	return 0;
}

int kexec_unload(struct err *e)
{
	bool loaded = false;

	if (kexec_loaded(&loaded, e))
		return -1;
	if (!loaded)
		return 0;
	if (file_load(-1, -1, NULL, KEXEC_FILE_UNLOAD))
		return err_sys(e, errno, "unloading the loaded kernel");
	if (kexec_loaded(&loaded, e))
		return -1;
	if (loaded)
		return err_set(e, ERR_IO, LOADED_PATH ": still 1 after unloading");
	return 0;
}

/* What an errno of kexec_file_load(2) means to the operator. */
static const char *load_hint(int errnum)
{
	switch (errnum) {
	case EPERM:
		return "; the kernel is locked down against unsigned kernels, kernel.kexec_load_disabled is 1, or CAP_SYS_BOOT is missing";
	case ENODATA:
	case ENOKEY:
	case EKEYREJECTED:
	case EBADMSG:
	case ENOPKG:
		return "; its signature is missing or not by a key that the running kernel trusts: use the distribution's signed kernel";
	case ENOEXEC:
		return "; it is not a kernel image of this architecture (vmlinuz, not vmlinux or a unified kernel image)";
	case EBUSY:
		return "; another kexec operation is under way";
	case ENOSYS:
		return "; the running kernel is built without CONFIG_KEXEC_FILE";
	case EADDRNOTAVAIL:
	case ENOMEM:
		return "; there is no memory for kernel and initrd outside the reserved regions";
	case EINVAL:
		return "; the image may be too old to be loaded this way, or the command line too long for it";
	default:
		return "";
	}
}

int kexec_load_file(const char *kernel_path, int initrd_fd, const char *cmdline, struct err *e)
{
	_cleanup_close_ int fd = open(kernel_path, O_RDONLY | O_CLOEXEC);
	int errnum;

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_ABSENT, "kernel %s: no such file", kernel_path);
	if (fd < 0)
		return err_sys(e, errno, "kernel %s", kernel_path);
	if (strlen(cmdline) >= CMDLINE_MAX)
		return err_set(e, ERR_REFUSED,
			       "the next kernel's command line has %zu bytes, the limit is %d",
			       strlen(cmdline), CMDLINE_MAX - 1);
	if (file_load(fd, initrd_fd, cmdline, 0) == 0)
		return 0;
	errnum = errno;
	err_set(e, ERR_IO, "kernel %s: kexec_file_load: %s%s", kernel_path, strerror(errnum),
		load_hint(errnum));
	e->errnum = errnum;
	return -1;
}

int kexec_jump(struct err *e)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	return err_sys(e, errno, "starting the loaded kernel");
}
