/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel that loads and starts kernels, for the walk: in place of
 * lib/kexec.c and lib/kexec_freeze.c.
 *
 *	/bench/kexec/initrd	the initrd of the loaded kernel; there: one is loaded
 *	/bench/kexec/cmdline	its command line
 *	/bench/kexec/jumped	made by the jump, which ends the program
 *	/bench/kexec/refuse	there: loading fails; refuse-jump: so does the jump
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "kexec.h"

#define DIR "/bench/kexec/"
#define INITRD_MAX (1u << 20)

void sync(void)
{
	/* Of the machine that the tests run on: none of their business. */
}

int kexec_loaded(bool *out, struct err *e)
{
	(void)e;
	*out = access(DIR "initrd", F_OK) == 0;
	return 0;
}

int kexec_unload(struct err *e)
{
	return io_unlink_durable(DIR "initrd", e);
}

int kexec_load_file(const char *kernel_path, int initrd_fd, const char *cmdline, struct err *e)
{
	_cleanup_buf_ struct buf initrd = { 0 };

	if (access(DIR "refuse", F_OK) == 0)
		return err_sys(e, EKEYREJECTED, "kernel %s: kexec_file_load", kernel_path);
	if (io_read_fd(initrd_fd, "initrd", INITRD_MAX, &initrd, e) < 0 ||
	    io_write_file(DIR "cmdline", cmdline, strlen(cmdline), 0600, e) < 0)
		return -1;
	return io_write_file(DIR "initrd", initrd.data, initrd.len, 0600, e);
}

int kexec_jump(struct err *e)
{
	if (access(DIR "refuse-jump", F_OK) == 0)
		return err_sys(e, EPERM, "starting the loaded kernel");
	if (io_write_file(DIR "jumped", "", 0, 0600, e) == 0)
		raise(SIGKILL);
	return -1;
}

int kexec_freeze(struct kexec_frozen *f, int timeout_ms, const dev_t *vital, unsigned int nvital,
		 struct err *e)
{
	(void)timeout_ms;
	(void)vital;
	(void)nvital;
	(void)e;
	f->n = f->skipped = 0;
	return 0;
}

void kexec_thaw(struct kexec_frozen *f)
{
	(void)f;
}

void kexec_thaw_all(void)
{
}
