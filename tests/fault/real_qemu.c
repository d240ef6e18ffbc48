/* SPDX-License-Identifier: GPL-2.0-only */
#include "real_qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define RAM_SIZE (64u << 20)
#define COUNTER_AT 0x8000
#define TICKS_MS 30000
#define MAX_ARGS 64

/* Boot sector: count in EAX, tell RAM and the serial port, sleep until the
 * next timer interrupt. */
static const uint8_t boot_code[] = {
	0x66, 0x31, 0xc0,	/* xor eax, eax */
	0x31, 0xdb,		/* xor bx, bx */
	0x8e, 0xdb,		/* mov ds, bx */
	0xba, 0xf8, 0x03,	/* mov dx, 0x3f8 */
	0x66, 0x40,		/* loop: inc eax */
	0x66, 0xa3, 0x00, 0x80, /* mov [COUNTER_AT], eax */
	0xee,			/* out dx, al */
	0xfb,			/* sti */
	0xf4,			/* hlt */
	0xeb, 0xf5,		/* jmp loop */
};

static void die(const char *what)
{
	fprintf(stderr, "real QEMU: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const char *root(void)
{
	const char *r = getenv("TEST_QEMU_ROOT");

	return r ? r : "";
}

static void make_file(const char *path, size_t size, const void *data, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0 || pwrite(fd, data, len, 0) != (ssize_t)len)
		die(path);
	close(fd);
}

void real_vm_make(struct real_vm *vm)
{
	uint8_t sector[512] = { 0 };
	void *map;
	int fd;

	memcpy(sector, boot_code, sizeof(boot_code));
	sector[510] = 0x55;
	sector[511] = 0xaa;
	snprintf(vm->dir, sizeof(vm->dir), "%s/tmp/holdover-XXXXXX", root());
	if (!mkdtemp(vm->dir))
		die(vm->dir);
	snprintf(vm->ram, sizeof(vm->ram), "%s/ram", vm->dir);
	snprintf(vm->disk, sizeof(vm->disk), "%s/disk", vm->dir);
	make_file(vm->ram, RAM_SIZE, "", 0);
	make_file(vm->disk, 1 << 20, sector, sizeof(sector));
	fd = open(vm->ram, O_RDWR | O_CLOEXEC);
	map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, COUNTER_AT);
	if (map == MAP_FAILED)
		die(vm->ram);
	close(fd);
	vm->counter = map;
}

void real_vm_remove(struct real_vm *vm)
{
	munmap((void *)vm->counter, 4096);
	unlink(vm->ram);
	unlink(vm->disk);
	rmdir(vm->dir);
}

struct arguments {
	const char *v[MAX_ARGS];
	unsigned int n;
	char text[MAX_ARGS][160];
	unsigned int used;
};

static _printf_(2, 3) void add(struct arguments *a, const char *fmt, ...)
{
	char *text = a->text[a->used++];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(a->text[0]), fmt, ap);
	va_end(ap);
	if (a->n >= MAX_ARGS - 1)
		abort();
	a->v[a->n++] = text;
}

static void add_monitor(struct arguments *a, const char *id, int fd)
{
	add(a, "-chardev");
	add(a, "socket,id=%s,fd=%d", id, fd);
	add(a, "-mon");
	add(a, "chardev=%s,mode=control", id);
}

/* In the child: become QEMU. */
static void become(const struct real_vm *vm, bool incoming, const char *const *extra, const int fd[3])
{
	static const char *const fixed[] = {
		"-accel",   "tcg",  "-m", "64M",      "-nodefaults",
		"-display", "none", "-S", "-machine", "q35,memory-backend=ram"
	};
	const char *qemu = getenv("TEST_QEMU");
	size_t skip = strlen(root());
	struct arguments a = { .n = 0 };
	unsigned int i;

	qemu = qemu ? qemu : "qemu-system-x86_64";
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < 3; i++)
		fcntl(fd[i], F_SETFD, 0);
	add(&a, "%s", qemu);
	for (i = 0; i < ARRAY_LEN(fixed); i++)
		add(&a, "%s", fixed[i]);
	add(&a, "-object");
	add(&a, "memory-backend-file,id=ram,size=64M,share=on,mem-path=%s", vm->ram + skip);
	add(&a, "-drive");
	add(&a, "file=%s,format=raw,if=ide", vm->disk + skip);
	add_monitor(&a, "ctl", fd[0]);
	add_monitor(&a, "other", fd[1]);
	add(&a, "-chardev");
	add(&a, "socket,id=tick,fd=%d", fd[2]);
	add(&a, "-serial");
	add(&a, "chardev:tick");
	if (incoming) {
		add(&a, "-incoming");
		add(&a, "defer");
	}
	for (i = 0; extra && extra[i]; i++)
		add(&a, "%s", extra[i]);
	if (skip && (chroot(root()) < 0 || chdir("/") < 0))
		die(root());
	execvp(qemu, (char *const *)a.v);
	die(qemu);
}

void real_qemu_start(struct real_qemu *q, const struct real_vm *vm, bool incoming,
		     const char *const *extra)
{
	int sv[3][2], theirs[3], i;

	for (i = 0; i < 3; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv[i]) < 0)
			die("socketpair");
		theirs[i] = sv[i][1];
	}
	fflush(NULL);
	q->pid = fork();
	if (q->pid < 0)
		die("fork");
	if (q->pid == 0)
		become(vm, incoming, extra, theirs);
	for (i = 0; i < 3; i++)
		close(theirs[i]);
	q->ctl = sv[0][0];
	q->other = sv[1][0];
	q->serial = sv[2][0];
	q->pidfd = (int)syscall(SYS_pidfd_open, q->pid, 0);
	if (q->pidfd < 0)
		die("pidfd_open");
}

void real_qemu_end(struct real_qemu *q)
{
	kill(q->pid, SIGKILL);
	if (waitpid(q->pid, NULL, 0) < 0)
		die("waitpid");
	close(q->pidfd);
	scope_close(&q->ctl);
	scope_close(&q->other);
	scope_close(&q->serial);
}

bool real_ticks(struct real_qemu *q, int n)
{
	struct pollfd pfd = { .fd = q->serial, .events = POLLIN };
	int64_t end = io_now_ms() + TICKS_MS;
	char byte[256];

	while (recv(q->serial, byte, sizeof(byte), MSG_DONTWAIT) > 0)
		;
	while (n > 0) {
		int64_t left = end - io_now_ms();
		ssize_t got;

		if (left <= 0 || poll(&pfd, 1, (int)left) < 0)
			return false;
		got = recv(q->serial, byte, sizeof(byte), MSG_DONTWAIT);
		if (got == 0)
			return false;
		if (got > 0)
			n -= (int)got;
	}
	return true;
}
