/* SPDX-License-Identifier: GPL-2.0-only */
/* What the agent needs besides the engine: parameters, a root for QEMU before
 * there is one, and a process that the boot need not wait for. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "early_root.h"
#include "image_files.h"
#include "io.h"
#include "ledger_fixture.h"
#include "params.h"
#include "placement.h"
#include "preflight.h"
#include "sysroot.h"
#include "worker.h"

/* ---- parameters -------------------------------------------------------------- */

static void parameters_have_defaults(void **state)
{
	char complaint[128];
	struct params p;

	(void)state;
	params_parse("root=/dev/sda1 quiet", &p, complaint, sizeof(complaint));
	assert_true(p.enabled);
	assert_false(p.remount_rw);
	assert_int_equal(p.timeout_ms, 120000);
	assert_int_equal(p.early_timeout_ms, 20000);
	assert_int_equal(p.late_timeout_ms, 600000);
	assert_int_equal(p.wait_ms, 5000);
	assert_int_equal(p.log_level, LOG_LEVEL_INFO);
	assert_string_equal(complaint, "");
}

static void parameters_are_read(void **state)
{
	char complaint[128];
	struct params p;

	(void)state;
	params_parse("rd.holdover=no rd.holdover.timeout=7 rd.holdover.timeout.initramfs=8 "
		     "rd.holdover.timeout.late=9 rd.holdover.wait=0 rd.holdover.remount-rw "
		     "rd.holdover.log=debug",
		     &p, complaint, sizeof(complaint));
	assert_false(p.enabled);
	assert_true(p.remount_rw);
	assert_int_equal(p.timeout_ms, 7000);
	assert_int_equal(p.early_timeout_ms, 8000);
	assert_int_equal(p.late_timeout_ms, 9000);
	assert_int_equal(p.wait_ms, 0);
	assert_int_equal(p.log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(complaint, "");
	params_parse("rd.holdover.remount-rw=1 rd.holdover.remount-rw=0 "
		     "rd.holdover.timeout.sysroot=11",
		     &p, complaint, sizeof(complaint));
	assert_false(p.remount_rw);
	assert_int_equal(p.timeout_ms, 11000);
}

static void parameters_that_are_wrong_keep_the_default(void **state)
{
	static const char *const wrong[] = {
		"rd.holdover.timeout=0",
		"rd.holdover.timeout=601",
		"rd.holdover.timeout.initramfs=x",
		"rd.holdover.timeout.late=-1",
		"rd.holdover.timeout.other=1",
		"rd.holdover.wait=601",
		"rd.holdover.wait=",
		"rd.holdover.remount-rw=maybe",
		"rd.holdover.remount",
	};
	char complaint[128];
	struct params p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		params_parse(wrong[i], &p, complaint, sizeof(complaint));
		assert_string_equal(complaint, wrong[i]);
		assert_int_equal(p.timeout_ms, 120000);
		assert_int_equal(p.wait_ms, 5000);
		assert_false(p.remount_rw);
	}
}

/* ---- the root before the root -------------------------------------------------- */

static void put(const char *path, const char *text, mode_t mode)
{
	struct err e = { 0 };

	assert_ok(io_write_file(path, text, strlen(text), mode, &e), e);
}

static void holds(const char *path, const char *text)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct err e = { 0 };

	assert_ok(io_read_file(path, 4096, &b, &e), e);
	assert_string_equal(b.data, text);
}

static int own_run(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			mount("tmpfs", "/run", "tmpfs", 0, "mode=755") < 0 ?
		-1 :
		0;
}

static void a_tree_is_moved_into_a_root_of_its_own(void **state)
{
	struct stat st, host;
	struct err e = { 0 };

	(void)state;
	assert_ok(io_mkdir_p("/run/tree/usr/bin", 0755, &e), e);
	assert_int_equal(symlink("usr/bin", "/run/tree/bin"), 0);
	put("/run/tree/usr/bin/qemu", "program", 0644);
	assert_int_equal(utimensat(AT_FDCWD, "/run/tree/usr/bin/qemu",
				   (struct timespec[]){ { 1, 2 }, { 3, 4 } }, 0),
			 0);
	assert_ok(early_root_make("/run/tree", "/run/early", &e), e);
	holds("/run/early/bin/qemu", "program");
	assert_int_equal(stat("/run/early/usr/bin/qemu", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_mtim.tv_sec, 3);
	assert_int_equal(st.st_mtim.tv_nsec, 4);
	assert_int_equal(access("/run/tree/usr/bin/qemu", F_OK), -1);
	assert_int_equal(stat("/run/early/dev/null", &st), 0);
	assert_int_equal(stat("/dev/null", &host), 0);
	assert_int_equal(st.st_ino, host.st_ino);
	put("/run/later", "x", 0600);
	holds("/run/early/run/later", "x");
	/* Again, with what an attempt that was cut short has left. */
	put("/run/tree/usr/bin/rest", "rest", 0644);
	assert_ok(early_root_make("/run/tree", "/run/early", &e), e);
	holds("/run/early/usr/bin/rest", "rest");
	holds("/run/early/usr/bin/qemu", "program");
	/* As systemd has /usr in an initramfs; twice, with a QEMU that runs. */
	put("/run/tree/usr/bin/busy", "busy", 0644);
	assert_int_equal(mount("/run/tree", "/run/tree", NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, "/run/tree", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_ok(early_root_make("/run/tree", "/run/early", &e), e);
	holds("/run/early/usr/bin/busy", "busy");
	assert_int_equal(stat("/run/early/usr/bin/busy", &st), 0);
	assert_ok(early_root_make("/run/tree", "/run/early", &e), e);
	assert_int_equal(stat("/run/early/usr/bin/busy", &host), 0);
	assert_int_equal(st.st_ctim.tv_nsec, host.st_ctim.tv_nsec);
	assert_int_equal(umount("/run/tree"), 0);
	assert_ok(sysroot_enter("/", &e), e);
}

static void without_a_tree_there_is_no_root(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(early_root_make("/run/no-tree", "/run/none", &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_non_null(strstr(e.msg, "placement = initramfs"));
	assert_int_equal(access("/run/none", F_OK), -1);
}

static void a_read_only_root_is_made_writable(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_ok(io_mkdir_p("/run/root", 0755, &e), e);
	assert_int_equal(mount("t", "/run/root", "tmpfs", MS_RDONLY | MS_NODEV | MS_NOSUID, ""), 0);
	assert_int_equal(open("/run/root/x", O_CREAT | O_WRONLY, 0600), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(sysroot_remount_rw("/run/root", &e), 1);
	put("/run/root/x", "x", 0600);
	assert_int_equal(sysroot_remount_rw("/run/root", &e), 0);
	assert_int_equal(mknod("/run/root/null", S_IFCHR | 0666, 0x103), 0);
	assert_int_equal(open("/run/root/null", O_RDONLY), -1); /* still nodev */
	assert_int_equal(umount("/run/root"), 0);
}

/* In a process of its own: does it come to be in the root that was switched to?
 * @emptied: this one has nothing mounted in it any more; @pivoted: and it is that
 * root already. The exit status says what sysroot_follow() returned, and 100
 * more if the file of the new root is there. */
static int followed(bool emptied, bool pivoted)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = { 0 };
		int held = sysroot_hold("/run/switched"), r = 0;

		if ((emptied && chroot("/run/emptied") < 0) ||
		    (pivoted && (fchdir(held) < 0 || chroot(".") < 0)))
			_exit(99);
		r = sysroot_follow(held, &e);
		_exit(r < 0 ? 98 : r + (access("/here", F_OK) == 0 ? 100 : 0));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void a_root_that_was_switched_is_followed(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_ok(io_mkdir_p("/run/switched", 0755, &e), e);
	assert_ok(io_mkdir_p("/run/emptied", 0755, &e), e);
	put("/run/switched/here", "", 0600);
	assert_int_equal(followed(false, false), 0);
	assert_int_equal(followed(true, false), 101);
	assert_int_equal(followed(false, true), 101);
}

/* ---- the worker ------------------------------------------------------------------ */

static char name[] = "/agent";

static int ends_with_7(void *ctx)
{
	(void)ctx;
	return 7;
}

static int dies(void *ctx)
{
	(void)ctx;
	raise(SIGKILL);
	return 0;
}

/* Says that it has begun, then waits to be told to end. */
static int lasts(void *ctx)
{
	const int *fds = ctx;
	char c = (char)(getsid(0) == getpid() && name[0] == '@');

	if (write(fds[1], &c, 1) != 1)
		return 1;
	close(fds[1]);
	return read(fds[2], &c, 1) == 1 ? 0 : 1;
}

static void the_workers_end_is_the_outcome(void **state)
{
	struct err e = { 0 };
	int status = -1;

	(void)state;
	assert_int_equal(worker_run(ends_with_7, NULL, name, 60000, &status, &e), 1);
	assert_int_equal(status, 7);
	assert_int_equal(worker_run(dies, NULL, name, 60000, &status, &e), 1);
	assert_int_equal(status, 128 + SIGKILL);
	assert_string_equal(name, "/agent");
}

static void a_worker_is_not_waited_for_long(void **state)
{
	static const int waits[] = { 0, 50 };
	struct err e = { 0 };
	int status = -1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		int fds[4];
		char c = 0;

		assert_int_equal(pipe(fds), 0);
		assert_int_equal(pipe(fds + 2), 0);
		assert_int_equal(worker_run(lasts, fds, name, waits[i], &status, &e), 0);
		assert_int_equal(read(fds[0], &c, 1), 1);
		assert_int_equal(c, 1);
		assert_int_equal(write(fds[3], "x", 1), 1);
		assert_true(wait(&status) > 0);
		assert_int_equal(WEXITSTATUS(status), 0);
		for (int k = 0; k < 4; k++)
			close(fds[k]);
	}
}

/* ---- what is expected, and what goes into an image ---------------------------------- */

static void expected(enum vm_placement wanted, const struct disk *d, enum vm_placement got,
		     const char *says)
{
	char why[256];

	assert_int_equal(placement_expect("/run/host", wanted, d, 1, why, sizeof(why)), got);
	if (*says ? !strstr(why, says) : *why)
		fail_msg("%s", why);
}

static void the_placement_is_foreseen(void **state)
{
	struct disk file = { .path = (char *)"/img", .writable = true };
	struct disk usr = { .path = (char *)"/usr/code.fd" };
	struct disk var = { .path = (char *)"/var/img", .writable = true };
	struct disk block = { .path = (char *)"/dev/vg/a", .writable = true, .is_block = true };
	struct err e = { 0 };

	(void)state;
	assert_ok(io_mkdir_p("/run/host/var", 0755, &e), e);
	assert_ok(io_mkdir_p("/run/host/usr", 0755, &e), e);
	assert_int_equal(mount("t", "/run/host/var", "tmpfs", 0, ""), 0);
	assert_int_equal(mount("t", "/run/host/usr", "tmpfs", 0, ""), 0);
	put("/run/host/img", "x", 0600);
	put("/run/host/var/img", "x", 0600);
	put("/run/host/usr/code.fd", "x", 0600);
	expected(VM_PLACE_INITRAMFS, &block, VM_PLACE_INITRAMFS, "");
	expected(VM_PLACE_INITRAMFS, &usr, VM_PLACE_INITRAMFS, "");
	expected(VM_PLACE_INITRAMFS, &file, VM_PLACE_SYSROOT, "/img is a file");
	expected(VM_PLACE_INITRAMFS, &var, VM_PLACE_LATE, "/var/img is on a file system");
	expected(VM_PLACE_SYSROOT, &file, VM_PLACE_SYSROOT, "");
	expected(VM_PLACE_SYSROOT, &var, VM_PLACE_LATE, "/var/img is on a file system");
	expected(VM_PLACE_LATE, &block, VM_PLACE_LATE, "");
}

static void check_says_where_a_vm_will_be(void **state)
{
	struct preflight *p = test_calloc(1, sizeof(*p));
	struct stage_vm *v = test_calloc(1, sizeof(*v));
	struct stage *s = test_calloc(1, sizeof(*s));
	struct disk disk = { .path = (char *)"/run/img", .writable = true };
	struct manifest_vm mv = { .vm = { .name = "db1" } };

	(void)state;
	put("/run/img", "x", 0600); /* on a file system of its own, see own_run() */
	s->n = 1;
	s->vm = v;
	v->rs.m.vms = &mv;
	v->disks = &disk;
	v->ndisks = 1;
	preflight_placements(p, NULL, s);
	assert_int_equal(p->n, 1);
	assert_int_equal(p->item[0].level, FINDING_WARN);
	assert_non_null(strstr(p->item[0].text, "at late and not at sysroot: disk /run/img"));
	mv.vm.placement = VM_PLACE_LATE;
	preflight_placements(p, NULL, s);
	assert_int_equal(p->n, 1);
	test_free(s);
	test_free(v);
	test_free(p);
}

static bool among(const struct image_files *f, const char *path)
{
	for (unsigned int i = 0; i < f->paths; i++)
		if (!strcmp(f->path[i], path))
			return true;
	return false;
}

static char *image_args[] = {
	(char *)"-nodefaults",
	(char *)"-bios",
	(char *)"qboot.rom",
	(char *)"-accel",
	(char *)"kvm",
	(char *)"-kernel",
	(char *)"/run/vmlinuz",
	(char *)"-initrd",
	(char *)"/run/initrd",
	(char *)"-append",
	(char *)"root=/dev/vda",
	(char *)"-device",
	(char *)"virtio-net-pci,netdev=n,romfile=/run/net.rom",
	(char *)"-netdev",
	(char *)"tap,id=n,vhost=on",
	(char *)"-drive",
	(char *)"if=pflash,format=raw,readonly=on,file=/run/code.fd",
	(char *)"-drive",
	(char *)"if=pflash,format=raw,file=/run/vars.fd",
	(char *)"-blockdev",
	(char *)"raw,node-name=c,read-only=on,file.driver=file,file.filename=/run/cd.iso",
	(char *)"-drive",
	(char *)"file=/run/disk.img,readonly=on,if=virtio",
	(char *)"-fw_cfg",
	(char *)"name=opt/x,file=/run/fw.json",
};

/* A QEMU that only knows where its firmware is. */
static void make_image_world(void)
{
	static const char *const files[] = { "rom/bios-256k.bin",
					     "rom/qboot.rom",
					     "rom/efi-virtio.rom",
					     "rom/efi-e1000.rom",
					     "rom/vgabios-qxl.bin",
					     "code.fd",
					     "vars.fd",
					     "cd.iso" };
	struct err e = { 0 };
	char path[64];

	put("/run/qemu",
	    "#!/bin/sh\n[ \"$*\" = '-L help' ] && echo /run/nowhere && echo /run/../run/rom\n", 0755);
	assert_ok(io_mkdir_p("/run/rom", 0755, &e), e);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "/run/%s", files[i]);
		put(path, "", 0644);
	}
	/* A CD is larger than any firmware. */
	assert_int_equal(truncate("/run/cd.iso", 65 << 20), 0);
}

static void an_image_gets_what_qemu_reads_and_no_disk(void **state)
{
	static const char *const in[] = { "/run/qemu",
					  "/run/vmlinuz",
					  "/run/initrd",
					  "/run/net.rom",
					  "/run/code.fd",
					  "/run/fw.json",
					  "/run/rom/bios-256k.bin",
					  "/run/rom/efi-virtio.rom",
					  "/run/rom/qboot.rom" };
	static const char *const out[] = { "/run/vars.fd",
					   "/run/disk.img",
					   "/dev/vda",
					   "/run/cd.iso",
					   "/run/rom/vgabios-qxl.bin",
					   "/run/rom/efi-e1000.rom" };
	struct image_files f = { .paths = 0 };
	struct vm vm = { .name = "a",
			 .qemu = (char *)"/run/qemu",
			 .machine = (char *)"q35",
			 .args = image_args,
			 .nargs = ARRAY_LEN(image_args) };
	struct err e = { 0 };
	unsigned int n;

	(void)state;
	make_image_world();
	assert_ok(image_files_add(&f, &vm, &e), e);
	n = f.paths;
	assert_ok(image_files_add(&f, &vm, &e), e);
	assert_int_equal(f.paths, n);
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		if (!among(&f, in[i]))
			fail_msg("%s is missing", in[i]);
	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		if (among(&f, out[i]))
			fail_msg("%s is there", out[i]);
	assert_int_equal(f.modules, 5);
	image_files_free(&f);
	vm.qemu = (char *)"/run/no-qemu";
	assert_int_equal(image_files_add(&f, &vm, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_have_defaults),
		cmocka_unit_test(parameters_are_read),
		cmocka_unit_test(parameters_that_are_wrong_keep_the_default),
		cmocka_unit_test(a_tree_is_moved_into_a_root_of_its_own),
		cmocka_unit_test(without_a_tree_there_is_no_root),
		cmocka_unit_test(a_read_only_root_is_made_writable),
		cmocka_unit_test(a_root_that_was_switched_is_followed),
		cmocka_unit_test(the_workers_end_is_the_outcome),
		cmocka_unit_test(a_worker_is_not_waited_for_long),
		cmocka_unit_test(the_placement_is_foreseen),
		cmocka_unit_test(check_says_where_a_vm_will_be),
		cmocka_unit_test(an_image_gets_what_qemu_reads_and_no_disk),
	};

	return cmocka_run_group_tests(tests, own_run, NULL);
}
