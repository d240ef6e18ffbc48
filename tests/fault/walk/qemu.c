/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A QEMU whose guest is a counter in the VM's real RAM, and which keeps score:
 * each event is one line "PID NAME EVENT COUNTER DETAIL" of /bench/score.
 *
 * The guest takes a step (adds one to the first word of each page, and writes it to its disk) at `cont`, at `stop` and
 * whenever it is asked for its status while it runs. The device state holds the counter, so that a VM continued with a
 * state older than its RAM notices: that scores CORRUPT, as do RAM of another VM, RAM that is not zero at a fresh start,
 * a disk whose content is not what the guest has written last, and two processes that hold one VM's RAM (DOUBLE).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "asked.h"
#include "io.h"
#include "json.h"
#include "qemu_answers.h"
#include "qemu_disk.h"
#include "qemu_image.h"
#include "qemu_mode.h"
#include "qemu_ram.h"

#define MONITORS 2
#define PAGE 4096
#define STATE_SIZE 6000

/* First page of the guest's RAM; each page begins with the counter. */
struct ram {
	uint64_t counter;
	char name[56];
};

struct monitor {
	int listen, client;
	int fd; /* passed along with the command being read */
	size_t len;
	char line[16384];
};

static struct {
	struct monitor mon[MONITORS];
	unsigned int nmon;
	const char *name, *status, *migrate;
	uint8_t *ram;
	uint64_t ram_size;
	uint64_t counter; /* of the devices */
	char disk[128];
	bool loaded, active; /* a state; the disk is ours to write to */
	int state_fd;
} vm = { .status = "running", .migrate = "", .state_fd = -1 };

/* ---- score --------------------------------------------------------------- */

static _printf_(2, 3) void score(const char *event, const char *fmt, ...)
{
	char text[2048], detail[1900];
	int fd = open("/bench/score", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	n = snprintf(text, sizeof(text), "%d %s %s %" PRIu64 " %s\n", (int)getpid(), vm.name, event,
		     vm.counter, detail);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		_exit(98);
	close(fd);
}

/* ---- guest --------------------------------------------------------------- */

static void step(void)
{
	vm.counter++;
	for (uint64_t at = 0; at < vm.ram_size; at += PAGE)
		memcpy(vm.ram + at, &vm.counter, sizeof(vm.counter));
	image_write(vm.disk, vm.counter);
}

static void check_ram(void)
{
	const struct ram *r = (const struct ram *)vm.ram;
	uint64_t written;

	if (image_counter(vm.disk, &written) && written != vm.counter)
		score("CORRUPT", "the disk says %" PRIu64, written);
	if (strcmp(r->name, vm.name))
		score("CORRUPT", "RAM is of '%.40s'", r->name);
	for (uint64_t at = 0; at < vm.ram_size; at += PAGE) {
		uint64_t counter;

		memcpy(&counter, vm.ram + at, sizeof(counter));
		if (counter == vm.counter)
			continue;
		score("CORRUPT", "RAM says %" PRIu64 " at %" PRIu64, counter, at);
		return;
	}
}

static void fresh(void)
{
	static const uint8_t zero[PAGE];

	for (uint64_t at = 0; at < vm.ram_size; at += PAGE)
		if (memcmp(vm.ram + at, zero, PAGE)) {
			score("CORRUPT", "a fresh VM sees somebody's RAM at %" PRIu64, at);
			break;
		}
	snprintf(((struct ram *)vm.ram)->name, sizeof(((struct ram *)vm.ram)->name), "%s", vm.name);
}

/* ---- monitors ------------------------------------------------------------- */

static void send_text(const struct monitor *m, const char *text, size_t n)
{
	while (n && m->client >= 0) {
		ssize_t r = send(m->client, text, n, MSG_NOSIGNAL);

		if (r <= 0)
			return;
		text += r;
		n -= (size_t)r;
	}
}

static _printf_(2, 3) void say(const struct monitor *m, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 2, fmt, ap);
	va_end(ap);
	memcpy(text + n, "\r\n", 2);
	send_text(m, text, (size_t)n + 2);
}

/* @data: NULL, or a format for an object. */
static _printf_(2, 3) void event(const char *name, const char *data, ...)
{
	char text[256] = "";
	va_list ap;

	va_start(ap, data);
	if (data)
		vsnprintf(text, sizeof(text), data, ap);
	va_end(ap);
	for (unsigned int i = 0; i < vm.nmon; i++)
		say(&vm.mon[i],
		    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"%s\"%s%s}",
		    name, data ? ", \"data\": " : "", text);
}

static void migration(const char *status)
{
	vm.migrate = status;
	event("MIGRATION", "{\"status\": \"%s\"}", status);
}

/* ---- commands: each returns its value as JSON, NULL for an error ---------- */

static const char *const ok = "{}";

/* Arguments of the command that is executed. */
static yyjson_val *args;

static const char *argument(const char *key)
{
	const char *text = yyjson_get_str(yyjson_obj_get(args, key));

	return text ? text : "";
}

static const char *query_status(const char **error)
{
	static char text[96];

	(void)error;
	if (!strcmp(vm.status, "running"))
		step();
	snprintf(text, sizeof(text), "{\"status\": \"%s\", \"running\": %s}", vm.status,
		 strcmp(vm.status, "running") ? "false" : "true");
	return text;
}

static const char *stop(const char **error)
{
	(void)error;
	if (!strcmp(vm.status, "running")) {
		step();
		vm.status = "paused";
		score("stop", "-");
		event("STOP", NULL);
	}
	image_flush(vm.disk);
	return ok;
}

static const char *cont(const char **error)
{
	if (!strcmp(vm.status, "running"))
		return ok;
	if (!strcmp(vm.status, "inmigrate")) {
		*error = "the walk's QEMU has nothing to run yet";
		return NULL;
	}
	score("cont", "%s", vm.status);
	if (!strcmp(vm.status, "prelaunch") && !vm.loaded)
		fresh();
	else
		check_ram();
	vm.status = "running";
	step();
	event("RESUME", NULL);
	return ok;
}

static const char *query_migrate(const char **error)
{
	static char text[128];

	(void)error;
	snprintf(text, sizeof(text), "{\"status\": \"%s\"%s}", vm.migrate,
		 strcmp(vm.migrate, "failed") ? "" : ", \"error-desc\": \"as was asked for\"");
	return *vm.migrate ? text : ok;
}

static const char *take_fd(const char **error)
{
	if (vm.state_fd >= 0)
		return "{\"fdset-id\": 0, \"fd\": 20}";
	*error = "No file descriptor supplied via SCM_RIGHTS";
	return NULL;
}

static void make_state(char text[STATE_SIZE])
{
	int n = snprintf(text, STATE_SIZE, "walk %s %" PRIu64 "\n", vm.name, vm.counter);

	for (int i = n; i < STATE_SIZE; i++)
		text[i] = (char)('a' + (i + (int)vm.counter) % 26);
}

static const char *migrate(const char **error)
{
	size_t n = asked("cut") ? STATE_SIZE / 2 : STATE_SIZE;
	char state[STATE_SIZE];

	if (!strcmp(vm.status, "postmigrate")) {
		*error = "Can't migrate the vm that was paused due to previous migration";
		return NULL;
	}
	if (!strcmp(vm.status, "running"))
		stop(error);
	migration("setup");
	make_state(state);
	if (asked("failed") || pwrite(vm.state_fd, state, n, 0) != (ssize_t)n) {
		migration("failed");
		return ok;
	}
	score("save", "-");
	vm.status = "postmigrate";
	migration("completed");
	return ok;
}

/* Is this what was saved? Then the devices have their counter again. */
static bool take_state(const char *text, size_t n)
{
	char want[STATE_SIZE], name[64] = "";

	if (n == STATE_SIZE && sscanf(text, "walk %63s %" SCNu64, name, &vm.counter) == 2)
		make_state(want);
	if (n == STATE_SIZE && !strcmp(name, vm.name) && !memcmp(text, want, STATE_SIZE)) {
		score("load", "-");
		vm.loaded = true;
		return true;
	}
	score("badstate", "%zu bytes of '%s'", n, name);
	return false;
}

static const char *migrate_incoming(const char **error)
{
	char text[STATE_SIZE + 1] = "";
	ssize_t n = pread(vm.state_fd, text, sizeof(text), 0);

	(void)error;
	migration("setup");
	if (vm.loaded ? !answer_is_empty_state(text, n) : !take_state(text, n < 0 ? 0 : (size_t)n)) {
		fprintf(stderr, "walk QEMU: load of migration failed: Invalid argument\n");
		exit(1);
	}
	vm.status = "paused";
	vm.active = true;
	migration("completed");
	return ok;
}

static const char *snapshot_save(const char **error)
{
	size_t n = asked("cut") ? STATE_SIZE / 2 : STATE_SIZE;
	char state[STATE_SIZE];
	const char *why;

	(void)error;
	make_state(state);
	why = asked("failed") ? "as was asked for" : image_save(vm.disk, argument("tag"), state, n);
	if (!why)
		score("save", "-");
	image_job(argument("job-id"), why);
	return ok;
}

static const char *snapshot_load(const char **error)
{
	char state[STATE_SIZE + 1] = "";
	uint64_t written = 0;
	const char *why;
	size_t n = 0;

	if (!vm.active) {
		*error = "Device '#n1' is inactive";
		return NULL;
	}
	image_counter(vm.disk, &written);
	why = asked("failed") ? "as was asked for" :
				image_load(vm.disk, argument("tag"), state, sizeof(state), &n);
	if (!why && !take_state(state, n))
		why = "Error -22 while loading VM state";
	if (vm.loaded && written != vm.counter)
		score("CORRUPT", "a disk that says %" PRIu64 " was set back", written);
	image_job(argument("job-id"), why);
	return ok;
}

static const char *set_active(const char **error)
{
	(void)error;
	vm.active = true;
	return ok;
}

static const char *delete_snapshot(const char **error)
{
	*error = image_delete(vm.disk, argument("name"));
	return *error ? NULL : ok;
}

static const char *nodes(const char **error)
{
	(void)error;
	return image_nodes(vm.disk);
}

static const char *quit(const char **error)
{
	(void)error;
	exit(0);
}

static const char *blocks(const char **error)
{
	(void)error;
	return answer_blocks(vm.name);
}

static const char *devices(const char **error)
{
	(void)error;
	return answer_devices(vm.name);
}

static const struct {
	const char *name;
	const char *(*run)(const char **error);
} commands[] = {
	{ "query-status", query_status },
	{ "stop", stop },
	{ "cont", cont },
	{ "query-migrate", query_migrate },
	{ "query-migrate-capabilities", answer_caps },
	{ "query-migrate-parameters", answer_params },
	{ "add-fd", take_fd },
	{ "getfd", take_fd },
	{ "migrate", migrate },
	{ "migrate-incoming", migrate_incoming },
	{ "snapshot-save", snapshot_save },
	{ "snapshot-load", snapshot_load },
	{ "blockdev-set-active", set_active },
	{ "blockdev-snapshot-delete-internal-sync", delete_snapshot },
	{ "query-named-block-nodes", nodes },
	{ "query-jobs", image_jobs },
	{ "job-dismiss", answer_nothing },
	{ "x-query-roms", answer_roms },
	{ "quit", quit },
	{ "system_powerdown", quit },
	{ "qom-get", answer_machine },
	{ "qom-list", devices },
	{ "query-command-line-options", answer_empty },
	{ "query-block", blocks },
	{ "qmp_capabilities", answer_nothing },
	{ "migrate-set-capabilities", answer_nothing },
	{ "migrate-set-parameters", answer_nothing },
	{ "migrate_cancel", answer_nothing },
	{ "remove-fd", answer_nothing },
	{ "announce-self", answer_nothing },
};

static void misbehave(struct monitor *m)
{
	static const struct timespec slow = { .tv_nsec = 300000000 }, late = { 2, 500000000 };
	const char *error = NULL;

	score("mode", "%s", mode_what());
	if (asked("exit")) {
		fprintf(stderr, "walk QEMU: asked to exit\n");
		exit(1);
	}
	while (asked("hang"))
		pause();
	if (asked("garbage"))
		say(m, "garbage");
	if (asked("half")) {
		send_text(m, "{\"return\": {", 12);
		for (;;)
			pause();
	}
	for (unsigned int i = 0; asked("events") && i < 500; i++)
		event("BALLOON_CHANGE", NULL);
	for (unsigned int i = 0; asked("stderr") && i < 4000; i++)
		fprintf(stderr, "walk QEMU: line %u of very many that nobody wants to read\n", i);
	if (asked("slow") || asked("late"))
		nanosleep(asked("slow") ? &slow : &late, NULL);
	if (asked("selfcont"))
		cont(&error);
}

static void execute(struct monitor *m, const char *name, yyjson_val *arguments, uint64_t id)
{
	static const char *const unknown = "The command has not been found";
	const char *error = unknown, *value = NULL, *concluded;

	if (m->fd >= 0) {
		scope_close(&vm.state_fd);
		vm.state_fd = steal_fd(&m->fd);
	}
	args = arguments;
	if (mode_at(vm.name, name))
		misbehave(m);
	value = disk_command(name, args, &error);
	for (size_t i = 0; !value && error == unknown && i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, name))
			value = commands[i].run(&error);
	if (value)
		value = disk_with_device(name, value);
	if (asked("refuse")) {
		value = NULL;
		error = "as was asked for";
	}
	if (value)
		say(m, "{\"return\": %s, \"id\": %" PRIu64 "}", value, id);
	else
		say(m,
		    "{\"id\": %" PRIu64
		    ", \"error\": {\"class\": \"GenericError\", \"desc\": \"%s\"}}",
		    id, error);
	if (value && !strcmp(name, "device_del"))
		event("DEVICE_DELETED", "{\"device\": \"%s\"}", argument("id"));
	concluded = image_job_ended();
	if (concluded)
		event("JOB_STATUS_CHANGE", "%s", concluded);
}

static void greet(struct monitor *m)
{
	m->client = accept4(m->listen, NULL, NULL, SOCK_CLOEXEC);
	m->len = 0;
	m->fd = -1;
	say(m, "%s", answer_greeting());
}

/* Bytes up to the end of the command, so that the descriptor that comes with the
 * next one is not taken for this one's. */
static size_t next_part(struct monitor *m)
{
	size_t room = sizeof(m->line) - 1 - m->len;
	ssize_t n = recv(m->client, m->line + m->len, room, MSG_PEEK);
	const char *end = n > 0 ? memchr(m->line + m->len, '\n', (size_t)n) : NULL;

	return end ? (size_t)(end + 1 - (m->line + m->len)) : n > 0 ? (size_t)n : 0;
}

static void hear(struct monitor *m)
{
	char ctl[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = m->line + m->len, .iov_len = next_part(m) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	_cleanup_json_ yyjson_doc *doc = NULL;
	struct cmsghdr *c;
	yyjson_val *root;
	const char *name;
	ssize_t n;

	n = iov.iov_len ? recvmsg(m->client, &msg, MSG_CMSG_CLOEXEC) : 0;
	if (n <= 0) {
		close(steal_fd(&m->client));
		return;
	}
	m->len += (size_t)n;
	c = CMSG_FIRSTHDR(&msg);
	if (c)
		memcpy(&m->fd, CMSG_DATA(c), sizeof(int));
	if (m->line[m->len - 1] != '\n')
		return;
	doc = yyjson_read(m->line, m->len, 0);
	m->len = 0;
	root = yyjson_doc_get_root(doc);
	name = yyjson_get_str(yyjson_obj_get(root, "execute"));
	execute(m, name ? name : "", yyjson_obj_get(root, "arguments"),
		yyjson_get_uint(yyjson_obj_get(root, "id")));
}

/* ---- start ----------------------------------------------------------------- */

static void arguments(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *fd;

		if (!strcmp(argv[i], "-S") && strcmp(vm.status, "inmigrate"))
			vm.status = "prelaunch";
		if (i + 1 == argc)
			break;
		fd = strstr(argv[i + 1], ",fd=");
		if (!strcmp(argv[i], "-incoming"))
			vm.status = "inmigrate";
		else if (!strcmp(argv[i], "-name"))
			vm.name = argv[i + 1];
		else if (!strcmp(argv[i], "-object"))
			ram_map(argv[i + 1], &vm.ram, &vm.ram_size);
		else if (!strcmp(argv[i], "-chardev") && fd && vm.nmon < MONITORS)
			vm.mon[vm.nmon++] = (struct monitor){ .listen = (int)strtol(fd + 4, NULL, 10),
							      .client = -1 };
	}
}

int main(int argc, char **argv)
{
	struct pollfd pfd[MONITORS];
	char line[1500] = "";

	if (strstr(argv[0], "mkfs"))
		return ram_mkfs();
	for (int i = 1; i < argc; i++)
		if (strstr(argv[i], "id=holdover.probe,fd=3"))
			return asked_serve(3, argv);
	arguments(argc, argv);
	if (!vm.name || !vm.ram)
		return 95;
	for (int i = 1; i < argc; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), " %s", argv[i]);
	score("start", "%s", line);
	if (!ram_own(vm.name))
		score("DOUBLE", "another process has this VM's RAM");
	snprintf(vm.disk, sizeof(vm.disk), "/disk/%s.img", vm.name);
	vm.active = strcmp(vm.status, "inmigrate");
	if (!strcmp(vm.status, "running"))
		fresh();
	if (mode_at(vm.name, "start"))
		misbehave(&vm.mon[0]);
	for (;;) {
		for (unsigned int i = 0; i < vm.nmon; i++)
			pfd[i] = (struct pollfd){
				.fd = vm.mon[i].client >= 0 ? vm.mon[i].client : vm.mon[i].listen,
				.events = POLLIN,
			};
		if (poll(pfd, vm.nmon, -1) < 0 && errno != EINTR)
			return 94;
		for (unsigned int i = 0; i < vm.nmon; i++) {
			if (!pfd[i].revents)
				continue;
			if (vm.mon[i].client >= 0)
				hear(&vm.mon[i]);
			else
				greet(&vm.mon[i]);
		}
	}
}
