/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that is started like QEMU and answers its monitors like QEMU, but
 * has no guest: for tests of what starts, saves and resumes VMs.
 *
 * Of QEMU's arguments it minds `-chardev socket,...,fd=N` (a listening socket,
 * served by one client at a time), -S and -incoming defer. Its own:
 *   -fake-version MAJOR.MINOR.MICRO   default 10.0.13
 *   -fake WHAT@COMMAND                at that command: die (exit status 1 with a
 *                                     word on stderr), hang, refuse, fail (the
 *                                     migration that it starts), garbage
 * The state that it saves is the text "fake state"; no other is loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include "json.h"

#define STATE "fake state"
#define MONITORS 4

struct monitor {
	int listen;
	int client;
	int fd; /* passed along with the command being read */
	char line[65536];
	size_t len;
};

static struct {
	struct monitor mon[MONITORS];
	unsigned int nmon;
	const char *fault, *fault_at;
	int version[3];
	const char *status;
	const char *migrate;
	bool file_uri; /* of the command being executed */
	int state_fd;
} vm = { .version = { 10, 0, 13 }, .status = "running", .migrate = "", .state_fd = -1 };

static _printf_(2, 3) void say(const struct monitor *m, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 2, fmt, ap);
	va_end(ap);
	memcpy(text + n, "\r\n", 2);
	if (m->client >= 0)
		(void)!send(m->client, text, (size_t)n + 2, MSG_NOSIGNAL);
}

static void event(const char *name, const char *data)
{
	unsigned int i;

	for (i = 0; i < vm.nmon; i++)
		say(&vm.mon[i],
		    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"%s\"%s%s}",
		    name, data ? ", \"data\": " : "", data ? data : "");
}

static void migration(const char *status)
{
	char data[64];

	vm.migrate = status;
	snprintf(data, sizeof(data), "{\"status\": \"%s\"}", status);
	event("MIGRATION", data);
}

static bool fault(const char *what, const char *command)
{
	return vm.fault && strcmp(vm.fault, what) == 0 && strcmp(vm.fault_at, command) == 0;
}

static bool since_8_2(void)
{
	return vm.version[0] * 100 + vm.version[1] >= 802;
}

/* ---- commands: each returns its value as JSON, NULL for an error --------- */

static const char *query_status(const char **error)
{
	static char text[64];

	(void)error;
	snprintf(text, sizeof(text), "{\"status\": \"%s\", \"running\": %s}", vm.status,
		 strcmp(vm.status, "running") ? "false" : "true");
	return text;
}

static const char *stop(const char **error)
{
	(void)error;
	if (strcmp(vm.status, "running") == 0) {
		vm.status = "paused";
		event("STOP", NULL);
	}
	return "{}";
}

static const char *cont(const char **error)
{
	(void)error;
	if (strcmp(vm.status, "running") && strcmp(vm.status, "inmigrate")) {
		vm.status = "running";
		event("RESUME", NULL);
	}
	return "{}";
}

static const char *query_migrate(const char **error)
{
	static char text[128];

	(void)error;
	snprintf(text, sizeof(text), "{\"status\": \"%s\"%s}", vm.migrate,
		 strcmp(vm.migrate, "failed") ? "" : ", \"error-desc\": \"as was asked for\"");
	return *vm.migrate ? text : "{}";
}

static const char *query_caps(const char **error)
{
	(void)error;
	return "[{\"capability\": \"x-ignore-shared\", \"state\": false}, "
	       "{\"capability\": \"events\", \"state\": false}]";
}

static const char *query_params(const char **error)
{
	(void)error;
	return since_8_2() ? "{\"max-bandwidth\": 134217728, \"mode\": \"normal\"}" :
			     "{\"max-bandwidth\": 134217728}";
}

static const char *take_fd(const char **error)
{
	if (vm.state_fd < 0) {
		*error = "No file descriptor supplied via SCM_RIGHTS";
		return NULL;
	}
	return "{\"fdset-id\": 0, \"fd\": 20}";
}

static bool bad_uri(const char **error)
{
	*error = "unknown migration protocol: file:";
	return vm.file_uri && !since_8_2();
}

static const char *migrate(const char **error)
{
	if (bad_uri(error))
		return NULL;
	if (strcmp(vm.status, "postmigrate") == 0) {
		*error = "Can't migrate the vm that was paused due to previous migration";
		return NULL;
	}
	migration("setup");
	if (fault("fail", "migrate") ||
	    write(vm.state_fd, STATE, strlen(STATE)) != (ssize_t)strlen(STATE)) {
		migration("failed");
		return "{}";
	}
	vm.status = "postmigrate";
	migration("completed");
	return "{}";
}

static const char *migrate_incoming(const char **error)
{
	char text[64] = "";

	if (bad_uri(error))
		return NULL;
	migration("setup");
	if (fault("fail", "migrate-incoming") || read(vm.state_fd, text, sizeof(text) - 1) < 0 ||
	    strcmp(text, STATE)) {
		fprintf(stderr, "fake QEMU: load of migration failed: Invalid argument\n");
		exit(1);
	}
	vm.status = "paused";
	migration("completed");
	return "{}";
}

static const char *quit(const char **error)
{
	(void)error;
	exit(0);
}

static const char *machine(const char **error)
{
	(void)error;
	return "\"pc-q35-10.0-machine\"";
}

static const char *nothing(const char **error)
{
	(void)error;
	return "{}";
}

static const char *no_blocks(const char **error)
{
	(void)error;
	return "[]";
}

static const struct {
	const char *name;
	const char *(*run)(const char **error);
} commands[] = {
	{ "query-status", query_status },
	{ "stop", stop },
	{ "cont", cont },
	{ "query-migrate", query_migrate },
	{ "query-migrate-capabilities", query_caps },
	{ "query-migrate-parameters", query_params },
	{ "add-fd", take_fd },
	{ "getfd", take_fd },
	{ "migrate", migrate },
	{ "migrate-incoming", migrate_incoming },
	{ "quit", quit },
	{ "qom-get", machine },
	{ "qom-list", no_blocks },
	{ "query-block", no_blocks },
	{ "qmp_capabilities", nothing },
	{ "migrate-set-capabilities", nothing },
	{ "migrate-set-parameters", nothing },
	{ "migrate_cancel", nothing },
	{ "remove-fd", nothing },
	{ "announce-self", nothing },
};

static void execute(struct monitor *m, const char *name, uint64_t id)
{
	const char *error = "The command has not been found", *value = NULL;
	unsigned int i;

	if (fault("die", name)) {
		fprintf(stderr, "fake QEMU: asked to die at %s\n", name);
		exit(1);
	}
	while (fault("hang", name))
		pause();
	if (fault("garbage", name))
		say(m, "garbage");
	if (m->fd >= 0) {
		scope_close(&vm.state_fd);
		vm.state_fd = steal_fd(&m->fd);
	}
	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			break;
	if (fault("refuse", name))
		error = "as was asked for";
	else if (i < ARRAY_LEN(commands))
		value = commands[i].run(&error);
	if (value)
		say(m, "{\"return\": %s, \"id\": %" PRIu64 "}", value, id);
	else
		say(m,
		    "{\"id\": %" PRIu64
		    ", \"error\": {\"class\": \"GenericError\", \"desc\": \"%s\"}}",
		    id, error);
}

/* ---- monitors ------------------------------------------------------------ */

static void greet(struct monitor *m)
{
	m->client = accept4(m->listen, NULL, NULL, SOCK_CLOEXEC);
	m->len = 0;
	m->fd = -1;
	say(m,
	    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": %d, \"minor\": %d, \"major\": %d}, "
	    "\"package\": \"fake\"}, \"capabilities\": [\"oob\"]}}",
	    vm.version[2], vm.version[1], vm.version[0]);
}

static void hear(struct monitor *m)
{
	char ctl[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = m->line + m->len, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	_cleanup_json_ yyjson_doc *doc = NULL;
	struct cmsghdr *c;
	const char *name, *uri;
	yyjson_val *root;

	if (m->len == sizeof(m->line) - 1 || recvmsg(m->client, &msg, MSG_CMSG_CLOEXEC) != 1) {
		close(steal_fd(&m->client));
		return;
	}
	c = CMSG_FIRSTHDR(&msg);
	if (c)
		memcpy(&m->fd, CMSG_DATA(c), sizeof(int));
	if (m->line[m->len++] != '\n')
		return;
	doc = yyjson_read(m->line, m->len, 0);
	m->len = 0;
	root = yyjson_doc_get_root(doc);
	name = yyjson_get_str(yyjson_obj_get(root, "execute"));
	uri = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(root, "arguments"), "uri"));
	vm.file_uri = uri && strncmp(uri, "file:", 5) == 0;
	execute(m, name ? name : "", yyjson_get_uint(yyjson_obj_get(root, "id")));
}

static void arguments(char **argv)
{
	const char *fd;

	for (; *argv; argv++) {
		if (strcmp(*argv, "-S") == 0 && strcmp(vm.status, "inmigrate"))
			vm.status = "prelaunch";
		if (!argv[1])
			break;
		if (strcmp(*argv, "-incoming") == 0)
			vm.status = "inmigrate";
		fd = strstr(argv[1], ",fd=");
		if (strcmp(*argv, "-chardev") == 0 && fd && vm.nmon < MONITORS)
			vm.mon[vm.nmon++] = (struct monitor){ .listen = (int)strtol(fd + 4, NULL, 10),
							      .client = -1 };
		if (strcmp(*argv, "-fake-version") == 0)
			sscanf(argv[1], "%d.%d.%d", &vm.version[0], &vm.version[1], &vm.version[2]);
		if (strcmp(*argv, "-fake") == 0) {
			vm.fault = strtok(argv[1], "@");
			vm.fault_at = strtok(NULL, "@");
		}
	}
}

int main(int argc, char **argv)
{
	struct pollfd pfd[MONITORS];
	unsigned int i;

	(void)argc;
	arguments(argv + 1);
	if (fault("die", "start")) {
		fprintf(stderr, "fake QEMU: asked to die at start\n");
		return 1;
	}
	for (;;) {
		for (i = 0; i < vm.nmon; i++)
			pfd[i] = (struct pollfd){
				.fd = vm.mon[i].client >= 0 ? vm.mon[i].client : vm.mon[i].listen,
				.events = POLLIN,
			};
		if (poll(pfd, vm.nmon, -1) < 0 && errno != EINTR)
			return 1;
		for (i = 0; i < vm.nmon; i++) {
			if (!pfd[i].revents)
				continue;
			if (vm.mon[i].client >= 0)
				hear(&vm.mon[i]);
			else
				greet(&vm.mon[i]);
		}
	}
}
