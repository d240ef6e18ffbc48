/* SPDX-License-Identifier: GPL-2.0-only */
#include "qemu.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "fault.h"
#include "io.h"
#include "unit.h"

#define CTL_FD 3
#define QMP_FD 4
#define SCOPE_TIMEOUT_MS 20000
#define LOG_TAIL 1024
#define KILL_TIMEOUT_MS 10000

/* What the child needs; prepared by the parent, since between fork() and
 * exec() only simple calls are in order. */
struct child {
	const char *path;
	char **argv;
	const char *root;
	int ctl, qmp, log, null;
	int go, failed;
};

/* Step at which the child failed, sent through the pipe with errno. */
struct child_error {
	int errnum;
	char what[32];
};

static void child_fail(const struct child *c, const char *what)
{
	struct child_error ce = { .errnum = errno };

	snprintf(ce.what, sizeof(ce.what), "%s", what);
	if (write(c->failed, &ce, sizeof(ce)) < 0)
		_exit(126);
	_exit(127);
}

static void child_main(struct child *c)
{
	static char *const env[] = {
		(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)"LC_ALL=C.UTF-8",
		NULL,
	};
	sigset_t none;
	char go;
	int ctl, qmp;

	/* Descriptors that are about to land on 0..4 must not be among those
	 * that still have to be moved. */
	c->failed = fcntl(c->failed, F_DUPFD_CLOEXEC, 10);
	ctl = fcntl(c->ctl, F_DUPFD_CLOEXEC, 10);
	qmp = fcntl(c->qmp, F_DUPFD_CLOEXEC, 10);
	c->go = fcntl(c->go, F_DUPFD_CLOEXEC, 10);
	c->log = fcntl(c->log, F_DUPFD_CLOEXEC, 10);
	c->null = fcntl(c->null, F_DUPFD_CLOEXEC, 10);
	if (read(c->go, &go, 1) != 1)
		_exit(126); /* the parent gave up */
	if (dup2(c->null, 0) < 0 || dup2(c->log, 1) < 0 || dup2(c->log, 2) < 0 ||
	    dup2(ctl, CTL_FD) < 0 || dup2(qmp, QMP_FD) < 0)
		child_fail(c, "descriptors");
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0077);
	if (setsid() < 0)
		child_fail(c, "setsid");
	if (c->root && chroot(c->root) < 0)
		child_fail(c, "chroot");
	if (chdir("/") < 0)
		child_fail(c, "chdir");
	execve(c->path, c->argv, env);
	child_fail(c, "exec");
}

static int listen_at(const char *path, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (fd < 0)
		return err_sys(e, errno, "socket");
	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(e, ERR_REFUSED, "%s is too long for a socket", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	(void)unlink(path);
	/* The folder is 0700 already; the mode before bind() closes even the
	 * moment between bind() and chmod(). */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    chmod(path, 0600) < 0 || listen(fd, 4) < 0)
		return err_sys(e, errno, "listening at %s", path);
	return steal_fd(&fd);
}

static int connect_to(const char *path, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (fd < 0)
		return err_sys(e, errno, "socket");
	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(e, errno, "connecting to %s", path);
	return steal_fd(&fd);
}

static int read_stat(pid_t pid, uint64_t *start_time, bool *zombie, struct err *e)
{
	char path[64], line[1024], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (io_read_line(path, line, sizeof(line), e) < 0)
		return -1;
	/* The name in parentheses may itself hold blanks and parentheses. */
	p = strrchr(line, ')');
	*zombie = p && p[1] == ' ' && p[2] == 'Z';
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return err_set(e, ERR_FORMAT, "%s has no field 22", path);
	*start_time = strtoull(p + 1, NULL, 10);
	return 0;
}

int qemu_start_time(pid_t pid, uint64_t *out, struct err *e)
{
	bool zombie;

	if (read_stat(pid, out, &zombie, e) < 0)
		return -1;
	return zombie ? err_set(e, ERR_ABSENT, "process %d has ended", (int)pid) : 0;
}

/* Of a process that SIGKILL has reached the first thread is soon a zombie, while
 * another may hang in the kernel, with all of the memory. */
static bool has_ended(int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	return poll(&end, 1, 0) > 0;
}

int qemu_pid_open(pid_t pid, uint64_t start_time, struct err *e)
{
	_cleanup_close_ int fd = -1;
	uint64_t now = 0;
	bool zombie;

	if (pid > 0)
		fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* EINVAL, ENOENT: the number is a thread's of another process by now. */
	if (fd < 0 && pid > 0 && errno != ESRCH && errno != EINVAL && errno != ENOENT)
		return err_sys(e, errno, "looking at process %d", (int)pid);
	if (fd >= 0 && read_stat(pid, &now, &zombie, e) < 0 && e->kind != ERR_ABSENT &&
	    e->errnum != ESRCH)
		return -1;
	if (fd < 0 || now != start_time || has_ended(fd))
		return err_set(e, ERR_ABSENT, "process %d has ended", (int)pid);
	return steal_fd(&fd);
}

void qemu_proc_release(struct qemu_proc *p)
{
	scope_close(&p->pidfd);
	scope_close(&p->ctl);
	p->pid = p->pidfd = p->ctl = -1;
}

void qemu_proc_kill(struct qemu_proc *p)
{
	struct pollfd end = { .fd = p->pidfd, .events = POLLIN };
	siginfo_t si;

	if (p->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
		/* Somebody else's child cannot be waited for, and giving back
		 * its RAM takes time: the next QEMU must not come before. */
		while (poll(&end, 1, KILL_TIMEOUT_MS) < 0 && errno == EINTR)
			;
		while (waitid(P_PIDFD, (id_t)p->pidfd, &si, WEXITED | WNOHANG) < 0 && errno == EINTR)
			;
	}
	qemu_proc_release(p);
}

/* Lets the child run and learns whether its exec() succeeded: the pipe closes
 * without a word then. */
static int wait_for_exec(int go, int failed, const struct qemu_launch *launch, struct err *e)
{
	struct child_error ce;
	ssize_t n;

	if (write(go, "g", 1) != 1)
		return err_sys(e, errno, "starting the child");
	do
		n = read(failed, &ce, sizeof(ce));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (n != sizeof(ce))
		return err_set(e, ERR_SPAWN, "%s could not be started", launch->vm->qemu);
	ce.what[sizeof(ce.what) - 1] = '\0';
	err_sys(e, ce.errnum, "starting %s%s (%s)", launch->root ? launch->root : "",
		launch->vm->qemu, ce.what);
	e->kind = ERR_SPAWN;
	return -1;
}

static int spawn(const struct qemu_launch *launch, struct child *c, struct qemu_proc *out,
		 struct err *e)
{
	struct qemu_proc p _cleanup_(qemu_proc_kill) = QEMU_PROC_INIT;
	_cleanup_close_ int go_w = -1, go_r = -1, failed_r = -1, failed_w = -1;
	int go[2], failed[2];

	if (pipe2(go, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	go_r = go[0];
	go_w = go[1];
	if (pipe2(failed, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	failed_r = failed[0];
	failed_w = failed[1];
	c->go = go_r;
	c->failed = failed_w;
	p.pid = fork();
	if (p.pid < 0)
		return err_sys(e, errno, "fork");
	if (p.pid == 0) {
		close(go_w);
		child_main(c);
	}
	p.pidfd = (int)syscall(SYS_pidfd_open, p.pid, 0);
	if (p.pidfd < 0)
		return err_sys(e, errno, "pidfd of process %d", (int)p.pid);
	close(steal_fd(&failed_w));
	FAULT(qemu_forked);
	if (launch->scope &&
	    unit_start_scope(launch->scope, launch->vm->name, p.pid, launch->vm->limits,
			     SCOPE_TIMEOUT_MS, e) < 0)
		return err_wrap(e, "scope %s", launch->scope);
	if (qemu_start_time(p.pid, &p.start_time, e) < 0 ||
	    (launch->born && launch->born(launch->ctx, &p, e) < 0))
		return -1;
	FAULT(qemu_noted);
	if (wait_for_exec(go_w, failed_r, launch, e) < 0)
		return -1;
	*out = p;
	p = (struct qemu_proc)QEMU_PROC_INIT;
	return 0;
}

int qemu_start(const struct qemu_launch *launch, struct qemu_proc *out, struct err *e)
{
	_cleanup_(scope_close) int ctl = -1, qmp = -1, log = -1, null = -1;
	_cleanup_close_ int conn = -1;
	char dir[128], path[160];
	struct child c = { .path = launch->vm->qemu, .root = launch->root };
	int r;

	for (unsigned int i = 0; i < vm_parts(launch->vm); i++)
		if (qemu_ram_path_check(launch->root, &launch->ram[i], e) < 0)
			return -1;
	snprintf(dir, sizeof(dir), HOLDOVER_RUN_DIR "/%s", launch->vm->name);
	if (io_mkdir_p(HOLDOVER_RUN_DIR, 0700, e) < 0 || io_mkdir_p(dir, 0700, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/qmp.sock", dir);
	qmp = listen_at(path, e);
	snprintf(path, sizeof(path), "%s/ctl.sock", dir);
	if (qmp < 0 || (ctl = listen_at(path, e)) < 0 || (conn = connect_to(path, e)) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/qemu.log", dir);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC, 0600);
	if (log < 0)
		return err_sys(e, errno, "opening %s", path);
	/* What was sent to the journal was of the one before. */
	snprintf(path, sizeof(path), "%s/qemu.log.sent", dir);
	(void)unlink(path);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return err_sys(e, errno, "opening /dev/null");
	c.argv = qemu_argv(launch, CTL_FD, QMP_FD, e);
	if (!c.argv)
		return -1;
	c.ctl = ctl;
	c.qmp = qmp;
	c.log = log;
	c.null = null;
	r = spawn(launch, &c, out, e);
	qemu_argv_free(c.argv);
	if (r < 0)
		return -1;
	out->ctl = steal_fd(&conn);
	return 0;
}

void qemu_last_words(const char *vm_name, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char path[160], tail[LOG_TAIL + 1], said[301], *p;
	struct err ignored;
	struct stat st;
	size_t at = 0;
	ssize_t n;

	snprintf(path, sizeof(path), HOLDOVER_RUN_DIR "/%s/qemu.log", vm_name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	n = pread(fd, tail, LOG_TAIL, st.st_size > LOG_TAIL ? st.st_size - LOG_TAIL : 0);
	if (n <= 0)
		return;
	while (n && isspace((unsigned char)tail[n - 1]))
		n--;
	tail[n] = '\0';
	/* The last line carries the reason; earlier ones are warnings. */
	p = strrchr(tail, '\n');
	p = p ? p + 1 : tail;
	if (!*p)
		return;
	/* Anything may be in there, and goes to logs and into JSON. */
	for (; *p && at + 5 < sizeof(said); p++)
		at += (size_t)snprintf(said + at, sizeof(said) - at,
				       *p >= ' ' && *p < 0x7f ? "%c" : "\\x%02x", (unsigned char)*p);
	ignored = *e;
	snprintf(e->msg, sizeof(e->msg), "%.600s; QEMU said: %s", ignored.msg, said);
}
