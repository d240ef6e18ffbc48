/* SPDX-License-Identifier: GPL-2.0-only */
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* After end of file: how long the exit status may take to appear. */
#define EXIT_GRACE_MS 500
/* Reads per turn, so that a chatty QEMU does not starve the others. */
#define READS_PER_TURN 4
/* The last words of a dead QEMU: what a socket can hold, and some more. */
#define READS_AT_EXIT 1024

static const struct plan_step *step_of(const struct plan *p)
{
	return &p->steps[p->at];
}

static void finish(struct plan *p)
{
	p->finished = true;
	p->took_ms = io_now_ms() - p->started;
}

static void fail(struct plan *p)
{
	finish(p);
	p->failed = true;
	if (p->err.kind == ERR_NONE)
		err_set(&p->err, ERR_PROTOCOL, "failed without a reason");
	if (p->at < p->nsteps)
		err_wrap(&p->err, "step %s", step_of(p)->name);
}

static bool is_handshake(const struct plan *p)
{
	return !step_of(p)->begin;
}

/* Carry out verdict @v of the current step. */
static void go_on(struct plan *p, enum plan_verdict v)
{
	while (v == PLAN_NEXT) {
		p->pending = 0;
		if (++p->at >= p->nsteps) {
			finish(p);
			return;
		}
		v = is_handshake(p) ? PLAN_WAIT : step_of(p)->begin(p, &p->err);
	}
	if (v == PLAN_FAIL)
		fail(p);
}

enum plan_verdict plan_send(struct plan *p, const char *command, int fd, struct err *e,
			    const char *fmt, ...)
{
	uint64_t id;
	va_list ap;

	va_start(ap, fmt);
	id = qmp_vsend_text(p->qmp, command, fd, e, fmt, ap);
	va_end(ap);
	if (!id)
		return PLAN_FAIL;
	if (!p->pending)
		p->pending = id;
	return PLAN_WAIT;
}

static enum plan_verdict on_greeting(struct plan *p, const struct qmp_msg *m)
{
	if (!is_handshake(p) || p->greeted)
		return err_set(&p->err, ERR_PROTOCOL, "QEMU sent an unexpected greeting");
	p->version = qmp_version(m->body);
	if (!p->version)
		return err_set(&p->err, ERR_PROTOCOL, "no version of QEMU in its greeting");
	p->greeted = true;
	return plan_send(p, "qmp_capabilities", -1, &p->err, NULL);
}

/* An answer to a command of this step, or late to one of an earlier step. */
static enum plan_verdict on_answer(struct plan *p, const struct qmp_msg *m)
{
	bool ours = p->pending && m->id >= p->pending;
	const struct plan_step *s = step_of(p);

	if (m->type == QMP_RETURN) {
		if (!ours)
			return PLAN_WAIT;
		return s->reply ? s->reply(p, m->body, &p->err) : PLAN_NEXT;
	}
	if (ours && s->refused)
		return s->refused(p, m->name, &p->err);
	return err_set(&p->err, ERR_REFUSED, "QEMU refused%s: %s",
		       ours ? "" : " a command of an earlier step", m->name);
}

static enum plan_verdict on_event(struct plan *p, const struct qmp_msg *m)
{
	const struct plan_step *s = step_of(p);

	if (p->seen && p->seen(p, m->name, m->body, &p->err) == PLAN_FAIL)
		return PLAN_FAIL;
	return p->begun && s->event ? s->event(p, m->name, m->body, &p->err) : PLAN_WAIT;
}

/* Everything that has been read already. */
static void dispatch(struct plan *p)
{
	while (!p->finished) {
		_cleanup_qmp_msg_ struct qmp_msg m = { 0 };
		int rc = qmp_next(p->qmp, &m, &p->err);

		if (rc < 0)
			fail(p);
		if (rc <= 0)
			return;
		if (m.type == QMP_GREETING)
			go_on(p, on_greeting(p, &m));
		else if (m.type == QMP_EVENT)
			go_on(p, on_event(p, &m));
		else
			go_on(p, on_answer(p, &m));
	}
}

static void read_some(struct plan *p, int reads)
{
	int rc = 0;

	while (!p->finished && !p->eof && reads-- > 0 && rc != 2) {
		rc = qmp_fill(p->qmp, &p->err);
		if (rc < 0)
			fail(p);
		else if (rc == 1)
			p->eof = true;
		else
			dispatch(p);
	}
}

static void set_exit_error(struct plan *p)
{
	siginfo_t si = { 0 };

	/* Only a parent is told; to others QEMU is just gone. */
	if (waitid(P_PIDFD, (id_t)p->pidfd, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || !si.si_pid)
		err_set(&p->err, ERR_EXITED, "QEMU has ended");
	else if (si.si_code == CLD_EXITED)
		err_set(&p->err, ERR_EXITED, "QEMU exited with status %d", si.si_status);
	else
		err_set(&p->err, ERR_EXITED, "QEMU was killed by signal %d (%s)", si.si_status,
			strsignal(si.si_status));
}

static void on_exit_of_qemu(struct plan *p)
{
	read_some(p, READS_AT_EXIT);
	if (p->finished)
		return;
	set_exit_error(p);
	fail(p);
}

static void on_deadline(struct plan *p)
{
	if (p->eof)
		qmp_eof(p->qmp, &p->err);
	else if (is_handshake(p) && !p->greeted)
		err_set(&p->err, ERR_TIMEOUT,
			"QEMU sent no greeting within %d ms; another client may hold its monitor",
			p->timeout_ms);
	else
		err_set(&p->err, ERR_TIMEOUT, "not done within %d ms of the start", p->timeout_ms);
	fail(p);
}

/* End of file: the exit status says more, if it comes soon. */
static void note_eof(struct plan *p)
{
	int64_t grace = io_now_ms() + EXIT_GRACE_MS;

	if (p->finished || !p->eof)
		return;
	if (p->pidfd < 0) {
		qmp_eof(p->qmp, &p->err);
		fail(p);
	} else if (!p->deadline || grace < p->deadline) {
		p->deadline = grace;
	}
}

static void start(struct plan *p)
{
	err_clear(&p->err);
	p->at = 0;
	p->failed = p->begun = p->greeted = p->eof = false;
	p->finished = p->nsteps == 0;
	p->pending = 0;
	p->took_ms = 0;
	p->started = io_now_ms();
	p->deadline = p->timeout_ms > 0 ? p->started + p->timeout_ms : 0;
	if (p->finished || is_handshake(p)) {
		p->begun = true;
		return;
	}
	/* What an earlier plan on this connection left behind is for seen()
	 * alone: an old RESUME must not pass for the one that is asked for. */
	dispatch(p);
	read_some(p, READS_PER_TURN);
	note_eof(p);
	if (p->finished || p->eof)
		return;
	p->begun = true;
	go_on(p, step_of(p)->begin(p, &p->err));
}

static void turn(struct plan *p, const struct pollfd *sock, const struct pollfd *proc)
{
	bool had_eof = p->eof;

	if ((sock->revents & POLLOUT) && qmp_flush(p->qmp, &p->err) < 0)
		fail(p);
	if (sock->revents & ~POLLOUT)
		read_some(p, READS_PER_TURN);
	if (!had_eof)
		note_eof(p);
	if (!p->finished && proc->revents)
		on_exit_of_qemu(p);
	if (!p->finished && p->deadline && io_now_ms() >= p->deadline)
		on_deadline(p);
}

/* Fill in @pfd, two entries a plan; returns the time to the next deadline,
 * -1 for none, and whether anything is left to do in @busy. */
static int prepare(struct plan *const *plans, unsigned int n, struct pollfd *pfd, bool *busy)
{
	int64_t next = 0, left;
	unsigned int i;

	*busy = false;
	for (i = 0; i < n; i++) {
		struct plan *p = plans[i];
		struct pollfd *sock = &pfd[2 * i], *proc = &pfd[2 * i + 1];

		sock->fd = p->finished || p->eof ? -1 : p->qmp->fd;
		sock->events = POLLIN;
		if (qmp_wants_write(p->qmp))
			sock->events |= POLLOUT;
		proc->fd = p->finished ? -1 : p->pidfd;
		proc->events = POLLIN;
		sock->revents = proc->revents = 0;
		if (p->finished)
			continue;
		*busy = true;
		if (p->deadline && (!next || p->deadline < next))
			next = p->deadline;
	}
	left = next - io_now_ms();
	return !next ? -1 : left < 0 ? 0 : (int)left;
}

static void fail_all(struct plan *const *plans, unsigned int n, int errnum)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (plans[i]->finished)
			continue;
		err_sys(&plans[i]->err, errnum, "poll");
		fail(plans[i]);
	}
}

static void run(struct plan *const *plans, unsigned int n, struct pollfd *pfd)
{
	unsigned int i;
	bool busy;
	int left;

	for (i = 0; i < n; i++)
		start(plans[i]);
	while ((left = prepare(plans, n, pfd, &busy)), busy) {
		if (poll(pfd, 2 * n, left) < 0 && errno != EINTR)
			fail_all(plans, n, errno);
		for (i = 0; i < n; i++)
			if (!plans[i]->finished)
				turn(plans[i], &pfd[2 * i], &pfd[2 * i + 1]);
	}
}

unsigned int plan_run(struct plan *const *plans, unsigned int n)
{
	_cleanup_free_ struct pollfd *pfd = calloc(2 * (size_t)n + 1, sizeof(*pfd));
	unsigned int i, failed = 0;

	for (i = 0; i < n; i++)
		plans[i]->finished = false;
	if (pfd)
		run(plans, n, pfd);
	else
		fail_all(plans, n, ENOMEM);
	for (i = 0; i < n; i++)
		failed += plans[i]->failed;
	return failed;
}
