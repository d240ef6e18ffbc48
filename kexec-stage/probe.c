/* SPDX-License-Identifier: GPL-2.0-only */
#include "probe.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io.h"
#include "qemu.h"

#define MONITOR_FD 3
#define ARGS_MAX (VM_ARGS_MAX + 24 + 2 * VM_PARTS_MAX)
#define WORDS_MAX 300

/* Options that say what the machine is made of and open nothing. */
static const struct {
	const char *name;
	bool value;
} harmless[] = {
	{ "accel", true },  { "cpu", true }, { "smp", true },	      { "numa", true },
	{ "global", true }, { "rtc", true }, { "enable-kvm", false }, { "no-user-config", false },
};

static int find_harmless(const char *arg)
{
	if (*arg != '-')
		return -1;
	arg += 1 + (arg[1] == '-');
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
		if (!strcmp(arg, harmless[i].name))
			return (int)i;
	return -1;
}

static void child(char *const *argv, int monitor, int log)
{
	static char *const env[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				     (char *)"LC_ALL=C.UTF-8", NULL };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	/* Neither may lie where the other is about to go. */
	monitor = fcntl(monitor, F_DUPFD_CLOEXEC, 10);
	log = fcntl(log, F_DUPFD_CLOEXEC, 10);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 ||
	    dup2(log, 2) < 0 || dup2(monitor, MONITOR_FD) < 0 || setsid() < 0 || chdir("/") < 0)
		_exit(126);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(argv[0], argv, env);
	dprintf(2, "cannot be executed: %s\n", strerror(errno));
	_exit(127);
}

/* The last line with a reason in it, of what QEMU wrote. */
static void add_words(const struct probe *p, struct err *e)
{
	char tail[1025], said[WORDS_MAX], *line;
	struct err first = *e;
	off_t size = lseek(p->log, 0, SEEK_END);
	ssize_t n = pread(p->log, tail, sizeof(tail) - 1,
			  size > (off_t)sizeof(tail) - 1 ? size - (off_t)sizeof(tail) + 1 : 0);
	size_t at = 0;

	while (n > 0 && isspace((unsigned char)tail[n - 1]))
		n--;
	if (n <= 0)
		return;
	tail[n] = '\0';
	line = strrchr(tail, '\n');
	/* "Use -machine help to list supported machines" comes after it. */
	while (line && !strstr(line, ": ")) {
		*line = '\0';
		line = strrchr(tail, '\n');
	}
	for (line = line ? line + 1 : tail; *line && at + 5 < sizeof(said); line++)
		at += (size_t)snprintf(said + at, sizeof(said) - at,
				       *line >= ' ' && *line < 0x7f ? "%c" : "\\x%02x",
				       (unsigned char)*line);
	snprintf(e->msg, sizeof(e->msg), "%.600s; it said: %s", first.msg, said);
}

static int start(struct probe *p, char **argv, struct err *e)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int sv[2];

	p->log = memfd_create("holdover-probe", MFD_CLOEXEC);
	if (p->log < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(e, errno, "asking %s", argv[0]);
	ours = sv[0];
	theirs = sv[1];
	p->pid = fork();
	if (p->pid < 0)
		return err_sys(e, errno, "fork");
	if (p->pid == 0)
		child(argv, theirs, p->log);
	close(steal_fd(&theirs));
	qmp_init(&p->q, steal_fd(&ours));
	if (qmp_handshake(&p->q, PROBE_TIMEOUT_MS, &p->version, e) == 0)
		return 0;
	add_words(p, e);
	return err_wrap(e, "%s on disk", argv[0]);
}

static const char *const monitor[] = { "-S",	   "-nodefaults",
				       "-display", "none",
				       "-chardev", "socket,id=holdover.probe,fd=3",
				       "-mon",	   "chardev=holdover.probe,mode=control" };

int probe_none(struct probe *p, const char *qemu, const char *const *args, struct err *e)
{
	const char *argv[ARGS_MAX] = { qemu, "-machine", "none" };
	unsigned int n = 3;

	*p = (struct probe)PROBE_INIT;
	for (size_t i = 0; i < ARRAY_LEN(monitor); i++)
		argv[n++] = monitor[i];
	for (; args && *args && n + 1 < ARGS_MAX; args++)
		argv[n++] = *args;
	if (start(p, (char **)argv, e) == 0)
		return 0;
	probe_close(p);
	return -1;
}

int probe_vm(struct probe *p, const struct vm *vm, struct err *e)
{
	const char *argv[ARGS_MAX] = { vm->qemu };
	char size[32], memory[VM_PARTS_MAX][160], machine[512];
	bool numa = qemu_backend_in_numa(vm);
	unsigned int n = 1;
	int r;

	*p = (struct probe)PROBE_INIT;
	for (unsigned int i = 0; i < vm_parts(vm); i++) {
		struct vm_part part = vm_part(vm, i);

		io_format_size(part.size, size, sizeof(size));
		snprintf(memory[i], sizeof(memory[i]),
			 "memory-backend-ram,id=%s,size=%s,reserve=off", part.memdev, size);
		argv[n++] = "-object";
		argv[n++] = memory[i];
	}
	io_format_size(vm->memory, size, sizeof(size));
	for (size_t i = 0; i < ARRAY_LEN(monitor); i++)
		argv[n++] = monitor[i];
	for (unsigned int i = 0; i < vm->nargs; i++) {
		int k = find_harmless(vm->args[i]);

		if (k < 0 || (harmless[k].value && i + 1 == vm->nargs))
			continue;
		argv[n++] = vm->args[i];
		if (harmless[k].value)
			argv[n++] = vm->args[++i];
	}
	snprintf(machine, sizeof(machine), "%s%s%s", vm->machine,
		 numa ? "" : ",memory-backend=", numa ? "" : vm->memdev);
	for (size_t i = 0; i < 6; i++)
		argv[n++] = (const char *[]){
			"-m", size, "-machine", machine, "-incoming", "defer",
		}[i];
	r = start(p, (char **)argv, e);
	if (r < 0)
		probe_close(p);
	return r;
}

void probe_close(struct probe *p)
{
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	qmp_close(&p->q);
	scope_close(&p->log);
	p->pid = -1;
	p->log = -1;
}
