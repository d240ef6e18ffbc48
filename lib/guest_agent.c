/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest_agent.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>

#include "json.h"
#include "qmp.h"

#define AGENTS_MAX VM_MAX
#define CHANNEL_NAME "org.qemu.guest_agent.0"
/* Not a byte of UTF-8: the agent drops what it has read before it, and puts it
 * before its answer, so that what an earlier client left behind is told apart. */
#define DELIMITER '\xff'

/* The agent sets the clock at once and answers when it has set the RTC as well: it
 * runs hwclock, which waits for whole seconds. Measured: two. */
#define SET_MS 4000

enum phase_of_talk { TALK_SYNC, TALK_ANSWER, TALK_SET, TALK_OVER };

/* Value of KEY in "word,KEY=value,...", commas in it doubled; false if there is
 * none or it does not fit. */
static bool option(const char *text, const char *key, char *out, size_t size)
{
	size_t n = strlen(key), len = 0;
	const char *p = text;

	for (; *p; p += *p == ',') {
		bool found = !strncmp(p, key, n) && p[n] == '=';

		for (p += found ? n + 1 : 0; *p && (*p != ',' || p[1] == ','); p++) {
			p += *p == ',';
			if (found && len + 1 < size)
				out[len++] = *p;
			else if (found)
				return false;
		}
		if (found) {
			out[len] = '\0';
			return true;
		}
	}
	return false;
}

static const char *value_of(const struct vm *vm, unsigned int i, const char *name)
{
	const char *a = vm->args[i];

	if (*a != '-' || i + 1 >= vm->nargs)
		return NULL;
	return strcmp(a + 1 + (a[1] == '-'), name) ? NULL : vm->args[i + 1];
}

static bool chardev_of(const struct vm *vm, char *out, size_t size)
{
	char name[64];

	for (unsigned int i = 0; i < vm->nargs; i++) {
		const char *device = value_of(vm, i, "device");

		if (device && option(device, "name", name, sizeof(name)) &&
		    !strcmp(name, CHANNEL_NAME) && option(device, "chardev", out, size))
			return true;
	}
	return false;
}

bool guest_agent_path(const struct vm *vm, char *out, size_t size)
{
	char want[128], id[128];

	if (!chardev_of(vm, want, sizeof(want)))
		return false;
	for (unsigned int i = 0; i < vm->nargs; i++) {
		const char *chardev = value_of(vm, i, "chardev");

		if (chardev && !strncmp(chardev, "socket,", 7) &&
		    option(chardev, "id", id, sizeof(id)) && !strcmp(id, want))
			return option(chardev, "path", out, size) && *out == '/';
	}
	return false;
}

static void finish(struct guest_agent *ga)
{
	scope_close(&ga->fd);
	ga->fd = -1;
	ga->phase = TALK_OVER;
}

static void say(struct guest_agent *ga, const char *text, size_t n)
{
	/* Short lines into an empty socket: more than that is a broken channel. */
	if (send(ga->fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n)
		return;
	err_sys(&ga->err, errno ? errno : EPIPE, "guest agent at %s", ga->path);
	finish(ga);
}

static void begin(struct guest_agent *ga)
{
	char text[128];
	int n;

	err_clear(&ga->err);
	ga->done = false;
	ga->len = 0;
	ga->phase = TALK_SYNC;
	ga->id = randombytes_random() & 0x7fffffff;
	ga->fd = qmp_connect(ga->path, &ga->err);
	if (ga->fd < 0) {
		finish(ga);
		return;
	}
	n = snprintf(text, sizeof(text),
		     "%c{\"execute\": \"guest-sync-delimited\", \"arguments\": {\"id\": %" PRIu32
		     "}}\n",
		     DELIMITER, ga->id);
	say(ga, text, (size_t)n);
}

static void set_time(struct guest_agent *ga)
{
	uint64_t ns = ga->time_ns(ga->ctx);
	char text[96];
	int n;

	if (!ns) {
		err_set(&ga->err, ERR_REFUSED, "the host does not know the time");
		finish(ga);
		return;
	}
	n = snprintf(text, sizeof(text),
		     "{\"execute\": \"guest-set-time\", \"arguments\": {\"time\": %" PRIu64 "}}\n",
		     ns);
	ga->phase = TALK_SET;
	ga->deadline = io_now_ms() + SET_MS;
	say(ga, text, (size_t)n);
}

static void hear_line(struct guest_agent *ga, char *line, size_t n)
{
	_cleanup_json_ yyjson_doc *doc = yyjson_read(line, n, 0);
	yyjson_val *root = yyjson_doc_get_root(doc);
	yyjson_val *ret = yyjson_obj_get(root, "return");
	const char *desc = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(root, "error"), "desc"));

	if (ga->phase == TALK_ANSWER && yyjson_is_uint(ret) && yyjson_get_uint(ret) == ga->id) {
		set_time(ga);
	} else if (ga->phase == TALK_SET && yyjson_is_obj(ret)) {
		ga->done = true;
		finish(ga);
	} else if (ga->phase == TALK_SET || ga->phase == TALK_ANSWER) {
		char clean[200];

		err_set(&ga->err, ERR_REFUSED, "the guest agent says: %s",
			json_clean(desc ? desc : "something else than an answer", clean,
				   sizeof(clean)));
		finish(ga);
	}
}

/* Takes what is complete out of the buffer. */
static void digest(struct guest_agent *ga)
{
	char *end;

	if (ga->phase == TALK_SYNC) {
		end = memchr(ga->in, DELIMITER, ga->len);
		if (!end) {
			ga->len = 0;
			return;
		}
		ga->len -= (size_t)(end + 1 - ga->in);
		memmove(ga->in, end + 1, ga->len);
		ga->phase = TALK_ANSWER;
	}
	while (ga->phase != TALK_OVER && (end = memchr(ga->in, '\n', ga->len))) {
		size_t n = (size_t)(end - ga->in);

		if (n)
			hear_line(ga, ga->in, n);
		ga->len -= n + 1;
		memmove(ga->in, end + 1, ga->len);
	}
	if (ga->phase != TALK_OVER && ga->len == sizeof(ga->in)) {
		err_set(&ga->err, ERR_PROTOCOL, "the guest agent does not end its line");
		finish(ga);
	}
}

static void hear(struct guest_agent *ga)
{
	ssize_t n = recv(ga->fd, ga->in + ga->len, sizeof(ga->in) - ga->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		err_set(&ga->err, ERR_EXITED, "the channel of the guest agent was closed");
		finish(ga);
		return;
	}
	ga->len += (size_t)n;
	digest(ga);
}

/* How long until the next of them has no time left; 0 if none goes on. Ends
 * those that have none. */
static int64_t time_left(struct guest_agent *ga, unsigned int n)
{
	int64_t now = io_now_ms(), least = 0;

	for (unsigned int i = 0; i < n; i++) {
		int64_t left = ga[i].deadline - now;

		if (ga[i].phase == TALK_OVER)
			continue;
		if (left <= 0) {
			err_set(&ga[i].err, ERR_TIMEOUT,
				ga[i].phase == TALK_SET ?
					"the guest agent at %s does not say that it has set the clock" :
					"no guest agent answers at %s",
				ga[i].path);
			finish(&ga[i]);
		} else if (!least || left < least) {
			least = left;
		}
	}
	return least;
}

void guest_agent_run(struct guest_agent *ga, unsigned int n, int timeout_ms)
{
	int64_t deadline = io_now_ms() + timeout_ms, left;
	struct pollfd pfd[AGENTS_MAX];

	for (unsigned int i = 0; i < n; i++) {
		ga[i].deadline = deadline;
		begin(&ga[i]);
	}
	while ((left = time_left(ga, n)) > 0) {
		for (unsigned int i = 0; i < n; i++)
			pfd[i] = (struct pollfd){ .fd = ga[i].fd, .events = POLLIN };
		if (poll(pfd, n, (int)left) < 0)
			continue;
		for (unsigned int i = 0; i < n; i++)
			if (ga[i].phase != TALK_OVER && pfd[i].revents)
				hear(&ga[i]);
	}
}
