/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"
#include "vm.h"

static void load(const char *text, struct vm *vm)
{
	struct err e = { 0 };

	scratch_write("db1.conf", text);
	if (vm_load(scratch_path(""), "db1", vm, &e) < 0)
		fail_msg("'%s' was refused: %s", text, e.msg);
}

/* The error must name the file, at @line if that is not 0, and hold both pieces. */
static void refuse(const char *text, int line, const char *a, const char *b)
{
	_cleanup_vm_ struct vm vm = { 0 };
	struct err e = { 0 };
	char where[32] = "db1.conf: ";

	scratch_write("db1.conf", text);
	if (vm_load(scratch_path(""), "db1", &vm, &e) == 0)
		fail_msg("'%s' was taken", text);
	if (e.kind != ERR_USAGE)
		fail_msg("'%s': kind %s: %s", text, err_kind_name(e.kind), e.msg);
	if (line)
		snprintf(where, sizeof(where), "db1.conf:%d: ", line);
	if (!strstr(e.msg, where) || !strstr(e.msg, a) || (b && !strstr(e.msg, b)))
		fail_msg("'%s': wanted '%s', '%s', '%s' in: %s", text, where, a, b ? b : "", e.msg);
}

/* ---- names -------------------------------------------------------------- */

static void names_are_never_paths(void **state)
{
	static const char *const bad[] = {
		"",	    ".",
		"..",	    "../db1",
		"a/b",	    "/etc/passwd",
		"a b",	    "-a",
		"_a",	    ".a",
		"a\n",	    "a%s",
		"\xc3\xa9", "a123456789b123456789c123456789d123456789e1234567",
		"a;b",	    "a*",
		"a,b",	    "a=b",
		"a\\b",	    "a:b",
		"a@b",
	};
	static const char *const good[] = {
		"a",	"0",
		"db1",	"web-1.example_x",
		"A..b", "a123456789b123456789c123456789d123456789e123456",
	};
	_cleanup_vm_ struct vm vm = { 0 };
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(vm_name_check(good[i], &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_clear(&e);
		if (vm_name_check(bad[i], &e) == 0)
			fail_msg("'%s' was taken as a name", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
		err_clear(&e);
		assert_int_equal(vm_load(scratch_path(""), bad[i], &vm, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_non_null(strstr(e.msg, "not a VM name"));
	}
}

/* ---- words -------------------------------------------------------------- */

static void split(const char *text, const char *const *words, unsigned int n)
{
	_cleanup_vm_ struct vm vm = { 0 };
	struct err e = { 0 };

	if (vm_split_args(text, &vm.args, &vm.nargs, &e) < 0)
		fail_msg("'%s' was refused: %s", text, e.msg);
	if (vm.nargs != n)
		fail_msg("'%s' gave %u words", text, vm.nargs);
	for (unsigned int i = 0; i < n; i++)
		assert_string_equal(vm.args[i], words[i]);
	assert_null(vm.args[n]);
}

#define SPLIT(text, ...)                                         \
	do {                                                     \
		static const char *const words_[] = __VA_ARGS__; \
		split(text, words_, ARRAY_LEN(words_));          \
	} while (0)

static void words_are_quoted_as_in_a_shell(void **state)
{
	(void)state;
	split("", NULL, 0);
	split(" \t\n ", NULL, 0);
	SPLIT("a", { "a" });
	SPLIT("  -smp \t 2\n", { "-smp", "2" });
	SPLIT("-append 'a b' c", { "-append", "a b", "c" });
	SPLIT("-append \"a 'b' c\"", { "-append", "a 'b' c" });
	SPLIT("a'b c'\"d e\"f", { "ab cd ef" });
	SPLIT("'' \"\" x", { "", "", "x" });
	SPLIT("''", { "" });
	SPLIT("a\\ b \\'c \\\\", { "a b", "'c", "\\" });
	SPLIT("'a\\b' \"a\\\"b\"", { "a\\b", "a\"b" });
	SPLIT("$HOME `id` $(id) * ~ a;b", { "$HOME", "`id`", "$(id)", "*", "~", "a;b" });
	SPLIT("x\\", { "x\\" });
}

static void open_quotes_are_errors(void **state)
{
	static const char *const bad[] = { "'", "\"", "a 'b", "a \"b'", "'a'\"", "\"a\\\"" };
	_cleanup_vm_ struct vm vm = { 0 };
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_clear(&e);
		assert_int_equal(vm_split_args(bad[i], &vm.args, &vm.nargs, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_null(vm.args);
	}
}

static void words_are_bounded(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };
	struct err e = { 0 };
	char text[2 * VM_ARGS_MAX + 3];

	(void)state;
	for (int i = 0; i <= VM_ARGS_MAX; i++)
		memcpy(text + 2 * i, "a ", 3);
	assert_int_equal(vm_split_args(text, &vm.args, &vm.nargs, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	text[2 * VM_ARGS_MAX] = '\0';
	assert_int_equal(vm_split_args(text, &vm.args, &vm.nargs, &e), 0);
	assert_int_equal(vm.nargs, VM_ARGS_MAX);
}

/* ---- files -------------------------------------------------------------- */

static void memory_alone_is_enough(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };

	(void)state;
	load("[vm]\nmemory = 512M\n", &vm);
	assert_string_equal(vm.name, "db1");
	assert_string_equal(vm.qemu, "/usr/bin/qemu-system-x86_64");
	assert_string_equal(vm.machine, "q35");
	assert_string_equal(vm.memdev, "holdover.ram");
	assert_int_equal(vm.memory, 512 << 20);
	assert_int_equal(vm.nargs, 0);
	assert_non_null(vm.args);
	assert_null(vm.args[0]);
	assert_int_equal(vm.placement, VM_PLACE_SYSROOT);
	assert_int_equal(vm.on_failure, VM_FAIL_KEEP);
	assert_int_equal(vm.priority, 100);
	assert_int_equal(vm.timeout_ms, 60000);
}

static void every_key_is_read(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };

	(void)state;
	load("[vm]\nqemu = /opt/q\nmachine = pc-q35-10.0,smm=off\nmemory = 4G\nmemdev = dimm0\n"
	     "placement = initramfs\ntransport = snapshot\non-failure = keep\npriority = 0\ntimeout = 5\n",
	     &vm);
	assert_string_equal(vm.qemu, "/opt/q");
	assert_string_equal(vm.machine, "pc-q35-10.0,smm=off");
	assert_int_equal(vm.memory, 4ULL << 30);
	assert_string_equal(vm.memdev, "dimm0");
	assert_int_equal(vm.placement, VM_PLACE_INITRAMFS);
	assert_int_equal(vm.transport, VM_STATE_SNAPSHOT);
	assert_int_equal(vm.on_failure, VM_FAIL_KEEP);
	assert_int_equal(vm.priority, 0);
	assert_int_equal(vm.timeout_ms, 5000);
}

static void args_go_on_in_indented_lines(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };

	(void)state;
	load("[vm]\nmemory = 2M\nargs = -smp 2\n\t-device 'a b'\n# not a word\n    -x ; -y #z\n\n"
	     "timeout = 7\n",
	     &vm);
	assert_int_equal(vm.nargs, 8);
	assert_string_equal(vm.args[3], "a b");
	assert_string_equal(vm.args[5], ";");
	assert_string_equal(vm.args[7], "#z");
	assert_int_equal(vm.timeout_ms, 7000);
}

static void a_missing_file_is_absent(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(vm_load(scratch_path(""), "nosuch", &vm, &e), -1);
	assert_int_equal(e.kind, ERR_ABSENT);
	assert_non_null(strstr(e.msg, "nosuch.conf"));
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(mkdir(scratch_path("db1.conf"), 0755), 0);
	assert_int_equal(vm_load(scratch_path(""), "db1", &vm, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.msg, strerror(EISDIR)));
}

static void unknown_names_are_errors(void **state)
{
	(void)state;
	refuse("[vm]\nmemory = 2M\nmemroy = 2M\n", 3, "'memroy'", "[vm]");
	refuse("[machine]\nmemory = 2M\n", 2, "[machine]", "[vm]");
	refuse("memory = 2M\n", 1, "[vm]", NULL);
	refuse("[vm]\nmemory = 2M\nmemory = 4M\n", 3, "'memory'", "twice");
	refuse("[vm]\nmemory = 2M\n timeout = 4\n", 3, "'memory'", "indented");
}

static bool unprivileged(const char *args)
{
	_cleanup_vm_ struct vm vm = { 0 };
	char text[200];

	snprintf(text, sizeof(text), "[vm]\nmemory = 2M\nargs = -nodefaults %s\n", args);
	load(text, &vm);
	return vm_unprivileged(&vm);
}

static void who_runs_qemu(void **state)
{
	(void)state;
	assert_true(unprivileged("-run-with user=qemu"));
	assert_true(unprivileged("-run-with exit-with-parent=off,user=107:107"));
	assert_true(unprivileged("--runas nobody"));
	assert_false(unprivileged(""));
	assert_false(unprivileged("-run-with user=root"));
	assert_false(unprivileged("-run-with user=0:0"));
	assert_false(unprivileged("-run-with async-teardown=on"));
	assert_false(unprivileged("-run-with superuser=x"));
	assert_false(unprivileged("-runas"));
}

static void policies_and_limits(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };
	_cleanup_free_ char *unit = NULL;

	(void)state;
	load("[vm]\nmemory = 2M\non-failure = cold-boot\non-failure-unit = page-me@.service\n"
	     "attempts = 7\non-kexec = hold\ncpu-weight = 50\ncpu-quota = 150%\nio-weight = 20\n"
	     "memory-high = 512M\nmemory-max = 1G\ntasks-max = 64\n",
	     &vm);
	assert_int_equal(vm.on_failure, VM_FAIL_COLD_BOOT);
	unit = vm_failure_instance(&vm);
	assert_string_equal(unit, "page-me@db1.service");
	assert_int_equal(vm.attempts, 7);
	assert_int_equal(vm.on_kexec, VM_KEXEC_HOLD);
	assert_int_equal(vm.limits[VM_CPU_WEIGHT], 50);
	assert_int_equal(vm.limits[VM_CPU_QUOTA], 1500000);
	assert_int_equal(vm.limits[VM_IO_WEIGHT], 20);
	assert_int_equal(vm.limits[VM_MEMORY_HIGH], 512 << 20);
	assert_int_equal(vm.limits[VM_MEMORY_MAX], 1 << 30);
	assert_int_equal(vm.limits[VM_TASKS_MAX], 64);
}

static void bad_values_name_their_key(void **state)
{
	(void)state;
	refuse("[vm]\n", 0, "memory is missing", "memory =");
	refuse("[vm]\nmemory = 0\n", 0, "memory", NULL);
	refuse("[vm]\nmemory = 3M\n", 0, "memory", "2M");
	refuse("[vm]\nmemory = 2MB\n", 2, "memory: ", "'2MB'");
	refuse("[vm]\nmemory =\n", 2, "memory: ", NULL);
	refuse("[vm]\nmemory = 2M\nqemu = qemu-kvm\n", 0, "qemu: ", "'qemu-kvm'");
	refuse("[vm]\nmemory = 2M\nmachine =\n", 0, "machine", NULL);
	refuse("[vm]\nmemory = 2M\nmemdev = a,share=off\n", 0, "memdev: ", "'a,share=off'");
	refuse("[vm]\nmemory = 2M\ntransport = pigeon\n", 3, "transport: 'pigeon'",
	       "ledger, snapshot");
	refuse("[vm]\nmemory = 2M\nplacement = early\n", 3, "placement: 'early'", "sysroot, late");
	refuse("[vm]\nmemory = 2M\non-failure-unit = pager.service\n", 0, "on-failure-unit",
	       "NAME@.service");
	refuse("[vm]\nmemory = 2M\non-failure-unit = ../x@.service\n", 0, "on-failure-unit",
	       "NAME@.service");
	refuse("[vm]\nmemory = 2M\nattempts = 0\n", 3, "attempts: '0'", "1 to 100");
	refuse("[vm]\nmemory = 2M\nattempts = 101\n", 3, "attempts: '101'", "1 to 100");
	refuse("[vm]\nmemory = 2M\non-kexec = jump\n", 3, "on-kexec: 'jump'", "stop, hold");
	refuse("[vm]\nmemory = 2M\ncpu-weight = 0\n", 3, "cpu-weight: 0", "leave it out");
	refuse("[vm]\nmemory = 2M\ncpu-weight = 10001\n", 3, "cpu-weight is not from", "10000");
	refuse("[vm]\nmemory = 2M\ncpu-quota = 150\n", 3, "cpu-quota: '150'", "150%");
	refuse("[vm]\nmemory = 2M\ncpu-quota = 99999999999999999999%\n", 3, "cpu-quota", NULL);
	refuse("[vm]\nmemory = 2M\nio-weight = -1\n", 3, "io-weight: '-1'", "number");
	refuse("[vm]\nmemory = 2M\nmemory-max = 1M\n", 3, "memory-max is not from", NULL);
	refuse("[vm]\nmemory = 2M\ntasks-max = 7\n", 3, "tasks-max is not from", NULL);
	refuse("[vm]\nmemory = 2M\non-failure = panic\n", 3, "on-failure: 'panic'",
	       "keep, cold-boot, ignore");
	refuse("[vm]\nmemory = 2M\npriority = 1001\n", 3, "priority: '1001'", NULL);
	refuse("[vm]\nmemory = 2M\npriority = -1\n", 3, "priority: '-1'", NULL);
	refuse("[vm]\nmemory = 2M\npriority = high\n", 3, "priority: 'high'", NULL);
	refuse("[vm]\nmemory = 2M\ntimeout = 0\n", 3, "timeout: '0'", "seconds");
	refuse("[vm]\nmemory = 2M\nargs = -a 'b\n", 0, "args: ", "quote");
}

static void options_of_holdover_itself_are_refused(void **state)
{
	static const char *const owned[] = {
		"-m 2G",      "--m 2G",		"-machine q35",	 "-M q35",	  "-name x",
		"-S",	      "-incoming 0",	"-loadvm s0",	 "-daemonize",	  "-pidfile /x",
		"-chroot /x", "-mem-path /dax", "-mem-prealloc", "-readconfig x",
	};
	_cleanup_vm_ struct vm vm = { 0 };
	char text[256], option[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(owned); i++) {
		snprintf(text, sizeof(text), "[vm]\nmemory = 2M\nargs = -smp 1 %s\n", owned[i]);
		snprintf(option, sizeof(option), "%.*s ", (int)strcspn(owned[i], " "), owned[i]);
		refuse(text, 0, option, "args: ");
	}
	load("[vm]\nmemory = 2M\nargs = -msg timestamp=on -monitor none -mon x -no-shutdown\n", &vm);
	assert_int_equal(vm.nargs, 7);
}

static void talks(const char *args, const char *want)
{
	_cleanup_vm_ struct vm vm = { 0 };
	char text[256];
	const char *got;

	snprintf(text, sizeof(text), "[vm]\nmemory = 2M\nargs = %s\n", args);
	load(text, &vm);
	got = vm_talks_to_log(&vm);
	if (want ? !got || strcmp(got, want) : got != NULL)
		fail_msg("%s: %s", args, got ? got : "nothing");
}

/* It lies in /run, and a guest may say as much as it likes. */
static void what_fills_the_log(void **state)
{
	(void)state;
	talks("-serial stdio", "-serial");
	talks("-nodefaults --serial mon:stdio", "--serial");
	talks("-nographic", "-nographic");
	talks("-chardev stdio,id=c -serial chardev:c", "-chardev");
	talks("-debugcon stdio", "-debugcon");
	talks("-nographic -serial unix:/run/s,server=on,wait=off", NULL);
	talks("-monitor stdio -serial none -chardev socket,id=stdio,path=/run/s", NULL);
	talks("-display none -name-of stdio", NULL);
}

/* A folder of that name in /run/holdover would be taken for something else. */
static void names_of_our_own(void **state)
{
	static const char *const names[] = { "armed", "ticket",	   "lock",	   "dax",
					     "adopt", "initramfs", "pass.sysroot", "resume.json" };
	_cleanup_vm_ struct vm vm = { 0 };
	struct err e = { 0 };
	char file[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(file, sizeof(file), "%s.conf", names[i]);
		scratch_write(file, "[vm]\nmemory = 2M\n");
		err_clear(&e);
		assert_int_equal(vm_load(scratch_path(""), names[i], &vm, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_non_null(strstr(e.msg, names[i]));
		/* One that runs since before is known all the same. */
		assert_int_equal(vm_name_check(names[i], &e), 0);
	}
}

static void ram_backends_are_refused(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };

	(void)state;
	refuse("[vm]\nmemory = 2M\nargs = -object memory-backend-ram,id=r,size=2M\n", 0, "share=on",
	       "memory =");
	refuse("[vm]\nmemory = 2M\nargs = -object id=r,qom-type=memory-backend-file,mem-path=/dev/shm/r,size=2M\n",
	       0, "share=on", "memory =");
	refuse("[vm]\nmemory = 2M\nargs = -object memory-backend-file,id=r,size=2M,mem-path=/dev/dax0.0\n",
	       0, "share=on", "memory =");
	load("[vm]\nmemory = 2M\nargs = -object rng-random,id=rng0\n", &vm);
	assert_int_equal(vm.nargs, 2);
}

#define SEED_OBJECT \
	"-object memory-backend-file,id=dimm0,size=4g,mem-path=/dev/dax0.0,share=on,pmem=on,align=2M"

static unsigned int count_arg(const struct vm *vm, const char *arg)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < vm->nargs; i++)
		n += !strcmp(vm->args[i], arg);
	return n;
}

/* The command line that people have used by hand, word for word. */
static void ram_on_a_device_is_taken_over(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 }, other = { 0 };

	(void)state;
	load("[vm]\nargs = --enable-kvm -M q35 -m 4G -smp 1 -hda /var/lib/vms/ubuntu-1904.qcow2\n"
	     "args = " SEED_OBJECT " -numa node,memdev=dimm0,cpus=0 -monitor stdio -vnc :7\n",
	     &vm);
	assert_int_equal(vm.memory, 4ULL << 30);
	assert_string_equal(vm.memdev, "dimm0");
	assert_string_equal(vm.machine, "q35");
	assert_string_equal(vm.mem_path, "/dev/dax0.0");
	assert_int_equal(vm.align, 2 << 20);
	assert_false(vm.no_pmem);
	assert_int_equal(count_arg(&vm, "-object") + count_arg(&vm, "-m") + count_arg(&vm, "-M"), 0);
	assert_int_equal(count_arg(&vm, "--enable-kvm"), 1);
	assert_int_equal(count_arg(&vm, "node,memdev=dimm0,cpus=0"), 1);
	assert_int_equal(count_arg(&vm, "unix:/run/holdover/db1/monitor.sock,server=on,wait=off"), 1);
	assert_int_equal(vm.nargs, 11);
	refuse("[vm]\nmachine = pc,usb=off\nargs = -machine type=pc,usb=off -machine memory-backend=a,,b\n"
	       "args = --object memory-backend-file,id=a,,b,size=2M,share=on,offset=0,mem-path=/x\n",
	       0, "memdev: 'a,b'", NULL);
	load("[vm]\nargs = -machine pc,usb=off -machine memory-backend=r -m 2\n"
	     "args = --object memory-backend-file,id=r,size=2097152,share=on,pmem=off,mem-path=/x\n",
	     &other);
	assert_string_equal(other.machine, "pc,usb=off");
	assert_int_equal(other.memory, 2 << 20);
	assert_true(other.no_pmem);
	assert_int_equal(other.nargs, 0);
}

static void ram_in_a_dax_file_is_taken_over(void **state)
{
	_cleanup_vm_ struct vm vm = { 0 };

	(void)state;
	load("[vm]\nargs = -enable-kvm -M q35 -m 4G -smp 1 -enable-dax -mem-path /dax -vnc :7\n",
	     &vm);
	assert_int_equal(vm.memory, 4ULL << 30);
	assert_string_equal(vm.mem_path, "/dax");
	assert_string_equal(vm.memdev, "holdover.ram");
	assert_int_equal(vm.nargs, 5);
	refuse("[vm]\nargs = -m 4G -enable-dax\n", 0, "-enable-dax goes with -mem-path", NULL);
	refuse("[vm]\nargs = -enable-dax -mem-path /dax\n", 0, "add -m SIZE", NULL);
	refuse("[vm]\nargs = -m 4G -enable-dax -mem-path /dax " SEED_OBJECT "\n", 0,
	       "without an -object", NULL);
	refuse("[vm]\nargs = -m 4G -mem-path /dax\nmemory = 4G\n", 0, "Holdover's own", NULL);
}

static void contradicting_ram_is_refused(void **state)
{
	(void)state;
	refuse("[vm]\nargs = -m 2G " SEED_OBJECT "\n", 0,
	       "-m 2G is not the 4G of the backend dimm0", "write -m 4G, or size=2G");
	refuse("[vm]\nmemory = 2G\nargs = -m 4G " SEED_OBJECT "\n", 0, "contradicts the 4G", NULL);
	refuse("[vm]\nmachine = pc\nargs = -M q35 " SEED_OBJECT "\n", 0, "contradicts the q35", NULL);
	refuse("[vm]\nargs = " SEED_OBJECT " -machine memory-backend=other\n", 0,
	       "memory-backend=other is not", NULL);
	refuse("[vm]\nargs = -m 4G,slots=2,maxmem=8G " SEED_OBJECT "\n", 0, "slots, maxmem", NULL);
	refuse("[vm]\nargs = " SEED_OBJECT " " SEED_OBJECT "\n", 0,
	       "dimm0 is the RAM of 0 guest NUMA", NULL);
	refuse("[vm]\nargs = " SEED_OBJECT ",offset=2M\n", 0, "chosen by Holdover", NULL);
	refuse("[vm]\nargs = " SEED_OBJECT ",discard-data=on\n", 0, "'discard-data'",
	       "not supported");
	refuse("[vm]\nargs = " SEED_OBJECT ",align=3M\n", 0, "align: ", "power of two");
	refuse("[vm]\nargs = -object memory-backend-file,id=r,size=,share=on,mem-path=/x,share=on\n",
	       0, "size of the memory backend: ''", NULL);
	refuse("[vm]\nargs = -object memory-backend-file,size=4G,mem-path=/x,share=on\n", 0,
	       "lacks id=", NULL);
}

static void names_of_choices_round_trip(void **state)
{
	enum vm_on_failure f;
	enum vm_placement p;
	struct err e = { 0 };

	(void)state;
	for (int i = VM_PLACE_SYSROOT; i <= VM_PLACE_INITRAMFS; i++) {
		assert_int_equal(vm_placement_parse(vm_placement_name((enum vm_placement)i), &p, &e),
				 0);
		assert_int_equal(p, i);
	}
	for (int i = VM_FAIL_KEEP; i <= VM_FAIL_IGNORE; i++) {
		assert_int_equal(
			vm_on_failure_parse(vm_on_failure_name((enum vm_on_failure)i), &f, &e), 0);
		assert_int_equal(f, i);
	}
}

/* Every VM file under config/vms.d must load: they are what people copy. */
static void the_shipped_examples_load(void **state)
{
	DIR *d = opendir("config/vms.d");
	unsigned int n = 0;
	char name[64];

	(void)state;
	assert_non_null(d);
	for (struct dirent *ent; (ent = readdir(d));) {
		_cleanup_vm_ struct vm vm = { 0 };
		struct err e = { 0 };

		if (ent->d_name[0] == '.')
			continue;
		assert_true(strlen(ent->d_name) > 5 && strlen(ent->d_name) < sizeof(name));
		assert_string_equal(ent->d_name + strlen(ent->d_name) - 5, ".conf");
		snprintf(name, sizeof(name), "%.*s", (int)strlen(ent->d_name) - 5, ent->d_name);
		if (vm_load("config/vms.d", name, &vm, &e) < 0)
			fail_msg("%s", e.msg);
		assert_true(vm.nargs > 0);
		n++;
	}
	closedir(d);
	assert_true(n >= 2);
}

/* The values that example.conf shows commented out are said to be the defaults. */
static void the_shipped_comments_are_true(void **state)
{
	_cleanup_fclose_ FILE *in = fopen("config/vms.d/example.conf", "re");
	_cleanup_vm_ struct vm vm = { 0 }, plain = { 0 };
	static char text[8192];
	char line[256];
	size_t n = 0;

	(void)state;
	assert_non_null(in);
	while (fgets(line, sizeof(line), in))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", line + (*line == ';'));
	load("[vm]\nmemory = 2M\n", &plain);
	load(text, &vm);
	assert_string_equal(vm.qemu, plain.qemu);
	assert_string_equal(vm.machine, plain.machine);
	assert_string_equal(vm.memdev, plain.memdev);
	assert_int_equal(vm.placement, plain.placement);
	assert_int_equal(vm.on_failure, plain.on_failure);
	assert_int_equal(vm.priority, plain.priority);
	assert_int_equal(vm.timeout_ms, plain.timeout_ms);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names_are_never_paths),
		CASE(words_are_quoted_as_in_a_shell),
		CASE(open_quotes_are_errors),
		CASE(words_are_bounded),
		CASE(memory_alone_is_enough),
		CASE(every_key_is_read),
		CASE(args_go_on_in_indented_lines),
		CASE(a_missing_file_is_absent),
		CASE(a_file_that_cannot_be_read_is_an_error),
		CASE(unknown_names_are_errors),
		CASE(policies_and_limits),
		CASE(who_runs_qemu),
		CASE(bad_values_name_their_key),
		CASE(options_of_holdover_itself_are_refused),
		CASE(what_fills_the_log),
		CASE(names_of_our_own),
		CASE(ram_backends_are_refused),
		CASE(ram_on_a_device_is_taken_over),
		CASE(ram_in_a_dax_file_is_taken_over),
		CASE(contradicting_ram_is_refused),
		CASE(names_of_choices_round_trip),
		CASE(the_shipped_examples_load),
		CASE(the_shipped_comments_are_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
