/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QEMU that says anything at all to the plans that save, load and continue a VM. The first byte chooses the plan;
 * the rest is what QEMU says, all of it before it is asked. Whatever it says, `cont` is only sent once RELEASED is
 * persisted, and nothing is taken for running that was not.
 */
#include <sys/socket.h>

#include "fuzz.h"
#include "load.h"
#include "save.h"

#define TIMEOUT_MS 1000

struct dialog {
	int qemu; /* QEMU's end */
	unsigned int commits, runs;
	bool refuse;
};

/* Has anything like this been sent to QEMU since the last time? */
static bool heard(int fd, const char *command)
{
	static char text[1 << 16];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(text) - 1 &&
	       (n = recv(fd, text + len, sizeof(text) - 1 - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return strstr(text, command);
}

static int on_commit(struct load *l, struct err *e)
{
	struct dialog *d = l->ctx;

	if (d->commits++ || d->runs || heard(d->qemu, "\"cont\""))
		abort();
	return d->refuse ? err_set(e, ERR_IO, "not persisted") : 0;
}

static int on_running(struct load *l, struct err *e)
{
	struct dialog *d = l->ctx;

	(void)e;
	if (d->commits != 1 || d->refuse || d->runs++)
		abort();
	return 0;
}

static void load(struct qmp *q, struct dialog *d, uint8_t how)
{
	struct load l = {
		.vm_name = "f",
		.state_fd = memfd_create("fuzz", MFD_CLOEXEC),
		.cpr_reboot = how & 4,
		.run = !(how & 8),
		.commit = on_commit,
		.running = on_running,
		.ctx = d,
	};
	struct plan p = { .failed = false }, *plans[] = { &p };

	d->refuse = how & 16;
	load_plan(&p, &l, q, -1, TIMEOUT_MS);
	plan_run(plans, 1);
	fuzz_check(p.failed ? -1 : 0, &p.err);
	if (l.committed != (d->commits && !d->refuse) || (!p.failed && !d->runs))
		abort();
	if (!l.committed && heard(d->qemu, "\"cont\""))
		abort();
	if (l.never_ran && l.resumed)
		abort();
	load_finish(&l);
	close(l.state_fd);
}

static int on_pausing(struct save *s, struct err *e)
{
	struct dialog *d = s->ctx;

	(void)e;
	/* Noted before it happens. */
	if (heard(d->qemu, "\"stop\"") || s->stopped)
		abort();
	d->commits++;
	return 0;
}

static void save(struct qmp *q, struct dialog *d, bool resume)
{
	struct save s = { .vm_name = "f",
			  .pausing = on_pausing,
			  .ctx = d,
			  .state_fd = -1,
			  .write_fd = -1,
			  .was_running = true };
	struct plan p = { .failed = false }, *plans[] = { &p };

	if (resume)
		save_resume_plan(&p, &s, q, -1, TIMEOUT_MS, false);
	else
		save_plan(&p, &s, q, -1, TIMEOUT_MS);
	plan_run(plans, 1);
	fuzz_check(p.failed ? -1 : 0, &p.err);
	if (!resume && ((!p.failed && (s.state_fd < 0 || !d->commits)) || (s.stopped && !d->commits)))
		abort();
	save_finish(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct dialog d = { .qemu = -1 };
	int pair[2];

	if (size < 1 || size > 64 << 10 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return 0;
	qmp_init(&q, pair[0]);
	d.qemu = pair[1];
	if (write(pair[1], data + 1, size - 1) != (ssize_t)size - 1)
		abort();
	shutdown(pair[1], SHUT_WR);
	if ((data[0] & 3) == 0)
		load(&q, &d, data[0]);
	else
		save(&q, &d, (data[0] & 3) == 2);
	close(pair[1]);
	return 0;
}
