/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Process 1 of the minimal nested host. In the initramfs, started as /init: mounts what a host has
 * mounted, finds the root on the disk, runs holdover-agent as the dracut module's hook would, and
 * makes the root the root. There, without systemd: runs what holdover-resume.service would run, keeps
 * the control channel alive and reaps. Words on the kernel command line:
 *
 *	holdover-test.ports=N	wait for so many virtio ports (default 0); their links under
 *				/dev/virtio-ports are udev's work elsewhere
 *	holdover-test.late=0	leave out the late resume
 *	HOLDOVER_FAULT=...	for an agent with fault points: the kernel puts such words into our environment
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AGENT "/usr/lib/holdover/holdover-agent"
#define CONTROL "/usr/lib/holdover-test/control"
#define WAIT_MS 20000

static const char *const shared[] = { "/dev", "/proc", "/sys", "/run" };

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	char text[512];
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC), n = sprintf(text, "<4>holdover-test: ");
	va_list ap;

	va_start(ap, fmt);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	/* Without it the kernel waits for the rest of the line before it shows it. */
	text[n++] = '\n';
	if (fd >= 0) {
		(void)!write(fd, text, (size_t)n);
		close(fd);
	}
}

/* The machine's console says why, and the harness gets nothing more. */
static _Noreturn void fail(const char *what)
{
	say("%s: %s", what, strerror(errno));
	for (;;)
		pause();
}

static void mount_one(const char *type, const char *at, const char *data)
{
	mkdir(at, 0755);
	if (mount(type, at, type, 0, data) && errno != EBUSY)
		fail(at);
}

/* -1: not there. */
static int parameter(const char *key)
{
	char text[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	const char *p;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		fail("/proc/cmdline");
	close(fd);
	p = strstr(text, key);
	return p ? atoi(p + strlen(key)) : -1;
}

static void load_module(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
		fail(path);
	close(fd);
}

static int is_module(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 3 && !strcmp(d->d_name + n - 3, ".ko");
}

/* /1-NAME.ko, /2-NAME.ko, ..., in this order: those that this kernel has not built in. */
static void load_modules(void)
{
	struct dirent **found;
	int n = scandir("/", &found, is_module, alphasort);

	if (n < 1)
		fail("modules");
	for (int i = 0; i < n; i++) {
		char path[300];

		snprintf(path, sizeof(path), "/%s", found[i]->d_name);
		load_module(path);
	}
}

/* Calls @there until it is true. What it asks for is made by the kernel on its own time. */
static void wait_for(bool (*there)(void *), void *arg, const char *what)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	int left = WAIT_MS / 2;

	while (!there(arg)) {
		if (!left--) {
			errno = ETIMEDOUT;
			fail(what);
		}
		nanosleep(&pause, NULL);
	}
}

static bool exists(void *path)
{
	return access(path, F_OK) == 0;
}

/* Links /dev/virtio-ports/NAME for every port with a name; true if there are enough. */
static bool ports_linked(void *want)
{
	DIR *d = opendir("/sys/class/virtio-ports");
	int n = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		char path[512], name[64] = "", link[128];
		int fd;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, name, sizeof(name) - 1) > 0 && strcspn(name, "\n") > 0) {
			name[strcspn(name, "\n")] = '\0';
			snprintf(link, sizeof(link), "/dev/virtio-ports/%s", name);
			snprintf(path, sizeof(path), "../%s", e->d_name);
			n += symlink(path, link) == 0 || errno == EEXIST;
		}
		close(fd);
	}
	if (d)
		closedir(d);
	return n >= *(int *)want;
}

static pid_t start(const char *path, const char *one, const char *two)
{
	pid_t pid = fork();

	if (pid == 0) {
		int nul = open("/dev/null", O_RDWR);

		setsid();
		dup2(nul, 0);
		dup2(nul, 1);
		execl(path, path, one, two, NULL);
		say("%s: %s", path, strerror(errno));
		_exit(127);
	}
	return pid;
}

static void set_up(void)
{
	int ports;

	mount_one("devtmpfs", "/dev", NULL);
	mount_one("proc", "/proc", NULL);
	mount_one("sysfs", "/sys", NULL);
	mount_one("tmpfs", "/run", "mode=755");
	ports = parameter("holdover-test.ports=");
	mkdir("/dev/virtio-ports", 0755);
	load_modules();
	wait_for(exists, (void *)"/dev/vda", "/dev/vda");
	mkdir("/sysroot", 0755);
	if (mount("/dev/vda", "/sysroot", "ext4", 0, NULL))
		fail("mounting /dev/vda");
	wait_for(ports_linked, &ports, "virtio ports");
}

/* As switch_root(8) does it; the initramfs stays behind with nothing in use. */
static void switch_root(void)
{
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		char to[64];

		snprintf(to, sizeof(to), "/sysroot%s", shared[i]);
		if (mount(shared[i], to, NULL, MS_MOVE, NULL))
			fail(to);
	}
	if (chdir("/sysroot") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("switching the root");
}

/* What holdover-resume.service does, and when. */
static void resume_late(void)
{
	if (parameter("holdover-test.late=") == 0 ||
	    (access("/run/holdover/ticket", F_OK) && access("/var/lib/holdover/ticket", F_OK)))
		return;
	waitpid(start("/usr/sbin/holdover", "resume", "--boot"), NULL, 0);
}

int main(void)
{
	pid_t control = -1;

	umask(022);
	/* Only for the agent: what is started later is not to fail. */
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	set_up();
	waitpid(start(AGENT, "--sysroot", "/sysroot"), NULL, 0);
	unsetenv("HOLDOVER_FAULT");
	switch_root();
	control = start(CONTROL, NULL, NULL);
	resume_late();
	say("multi-user");
	for (;;) {
		pid_t gone = wait(NULL);

		if (gone == control)
			control = start(CONTROL, NULL, NULL);
		else if (gone < 0)
			fail("wait");
	}
}
