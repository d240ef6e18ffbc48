/* SPDX-License-Identifier: GPL-2.0-only */
#include "manager.h"

#include <dbus/dbus.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_SIZE 8192
#define JOB "/org/freedesktop/systemd1/job/77"
#define UNIT "holdover-db1.scope"
#define INTERFACE "org.freedesktop.systemd1.Manager"

static char *log_text;
static DBusWatch *listening;
static DBusConnection *client;

static void require(int ok)
{
	if (!ok)
		abort();
}

static void note(const char *text)
{
	size_t n = strlen(log_text);

	snprintf(log_text + n, LOG_SIZE - n, "%s", text);
}

static void note_value(DBusMessageIter *it)
{
	int type = dbus_message_iter_get_arg_type(it), first = 1;
	DBusMessageIter in;
	DBusBasicValue v;
	char text[300];

	switch (type) {
	case DBUS_TYPE_STRING:
		dbus_message_iter_get_basic(it, &v);
		snprintf(text, sizeof(text), "'%s'", v.str);
		note(text);
		break;
	case DBUS_TYPE_UINT64:
		dbus_message_iter_get_basic(it, &v);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)v.u64);
		note(text);
		break;
	case DBUS_TYPE_UINT32:
		dbus_message_iter_get_basic(it, &v);
		snprintf(text, sizeof(text), "%u", v.u32);
		note(text);
		break;
	case DBUS_TYPE_BOOLEAN:
		dbus_message_iter_get_basic(it, &v);
		note(v.bool_val ? "true" : "false");
		break;
	case DBUS_TYPE_VARIANT:
		dbus_message_iter_recurse(it, &in);
		note_value(&in);
		break;
	case DBUS_TYPE_ARRAY:
		dbus_message_iter_recurse(it, &in);
		note("[");
		for (; dbus_message_iter_get_arg_type(&in) != DBUS_TYPE_INVALID;
		     dbus_message_iter_next(&in)) {
			note(first ? "" : ",");
			note_value(&in);
			first = 0;
		}
		note("]");
		break;
	default:
		note("?");
	}
}

/* a(sv) as " NAME=VALUE" for each; the empty a(sa(sv)) as nothing. */
static void note_properties(DBusMessageIter *it)
{
	DBusMessageIter list, pair;
	const char *name;

	dbus_message_iter_recurse(it, &list);
	for (; dbus_message_iter_get_arg_type(&list) == DBUS_TYPE_STRUCT;
	     dbus_message_iter_next(&list)) {
		dbus_message_iter_recurse(&list, &pair);
		dbus_message_iter_get_basic(&pair, &name);
		note(" ");
		note(name);
		note("=");
		dbus_message_iter_next(&pair);
		note_value(&pair);
	}
}

static void note_call(DBusMessage *msg)
{
	DBusMessageIter it;

	note(dbus_message_get_member(msg));
	if (dbus_message_iter_init(msg, &it)) {
		do {
			if (dbus_message_iter_get_arg_type(&it) == DBUS_TYPE_ARRAY &&
			    dbus_message_iter_get_element_type(&it) == DBUS_TYPE_STRUCT) {
				note_properties(&it);
			} else {
				note(" ");
				note_value(&it);
			}
		} while (dbus_message_iter_next(&it));
	}
	note("\n");
}

static void send_message(DBusMessage *msg)
{
	require(msg && dbus_connection_send(client, msg, NULL));
	dbus_message_unref(msg);
}

static void job_removed(const char *job, const char *unit, const char *result)
{
	DBusMessage *msg =
		dbus_message_new_signal("/org/freedesktop/systemd1", INTERFACE, "JobRemoved");
	dbus_uint32_t id = 77;

	require(msg &&
		dbus_message_append_args(msg, DBUS_TYPE_UINT32, &id, DBUS_TYPE_OBJECT_PATH, &job,
					 DBUS_TYPE_STRING, &unit, DBUS_TYPE_STRING, &result,
					 DBUS_TYPE_INVALID));
	send_message(msg);
}

static void unit_removed(const char *unit)
{
	DBusMessage *msg =
		dbus_message_new_signal("/org/freedesktop/systemd1", INTERFACE, "UnitRemoved");
	const char *path = "/org/freedesktop/systemd1/unit/x";

	require(msg &&
		dbus_message_append_args(msg, DBUS_TYPE_STRING, &unit, DBUS_TYPE_OBJECT_PATH, &path,
					 DBUS_TYPE_INVALID));
	send_message(msg);
	dbus_connection_flush(client);
}

static void reply_job(DBusMessage *call)
{
	DBusMessage *msg = dbus_message_new_method_return(call);
	const char *job = JOB;

	require(msg && dbus_message_append_args(msg, DBUS_TYPE_OBJECT_PATH, &job, DBUS_TYPE_INVALID));
	send_message(msg);
}

static void reply_version(DBusMessage *call, const char *text)
{
	DBusMessage *msg = dbus_message_new_method_return(call);
	DBusMessageIter it, variant;

	require(msg != NULL);
	dbus_message_iter_init_append(msg, &it);
	require(dbus_message_iter_open_container(&it, DBUS_TYPE_VARIANT, "s", &variant) &&
		dbus_message_iter_append_basic(&variant, DBUS_TYPE_STRING, &text) &&
		dbus_message_iter_close_container(&it, &variant));
	send_message(msg);
}

static void reply_job_id(DBusMessage *call, dbus_uint32_t id)
{
	DBusMessage *msg = dbus_message_new_method_return(call);
	DBusMessageIter it, variant, pair;
	const char *path = JOB;

	require(msg != NULL);
	dbus_message_iter_init_append(msg, &it);
	require(dbus_message_iter_open_container(&it, DBUS_TYPE_VARIANT, "(uo)", &variant) &&
		dbus_message_iter_open_container(&variant, DBUS_TYPE_STRUCT, NULL, &pair) &&
		dbus_message_iter_append_basic(&pair, DBUS_TYPE_UINT32, &id) &&
		dbus_message_iter_append_basic(&pair, DBUS_TYPE_OBJECT_PATH, &path) &&
		dbus_message_iter_close_container(&variant, &pair) &&
		dbus_message_iter_close_container(&it, &variant));
	send_message(msg);
}

static void reply_strings(DBusMessage *call, const char *words)
{
	DBusMessage *msg = dbus_message_new_method_return(call);
	DBusMessageIter it, variant, array;
	char copy[200], *rest = copy;
	const char *word;

	snprintf(copy, sizeof(copy), "%s", words);
	require(msg != NULL);
	dbus_message_iter_init_append(msg, &it);
	require(dbus_message_iter_open_container(&it, DBUS_TYPE_VARIANT, "as", &variant) &&
		dbus_message_iter_open_container(&variant, DBUS_TYPE_ARRAY, "s", &array));
	while ((word = strsep(&rest, " ")))
		require(dbus_message_iter_append_basic(&array, DBUS_TYPE_STRING, &word));
	require(dbus_message_iter_close_container(&variant, &array) &&
		dbus_message_iter_close_container(&it, &variant));
	send_message(msg);
}

static void step(const char *verb, const char *arg, DBusMessage *call)
{
	char words[200];

	if (!strcmp(verb, "version")) {
		reply_version(call, arg);
	} else if (!strcmp(verb, "job-id")) {
		reply_job_id(call, (dbus_uint32_t)strtoul(arg, NULL, 10));
	} else if (!strcmp(verb, "strings")) {
		reply_strings(call, arg);
	} else if (!strcmp(verb, "ok")) {
		send_message(dbus_message_new_method_return(call));
	} else if (!strcmp(verb, "error")) {
		snprintf(words, sizeof(words), "words of %s", arg);
		send_message(dbus_message_new_error(call, arg, words));
	} else if (!strcmp(verb, "leaving")) {
		send_message(dbus_message_new_error(call, "org.freedesktop.systemd1.UnitExists",
						    "words of UnitExists"));
		unit_removed("other.scope");
		poll(NULL, 0, 50);
		unit_removed(UNIT);
	} else if (!strcmp(verb, "job")) {
		reply_job(call);
		job_removed(JOB, UNIT, arg);
	} else if (!strcmp(verb, "early-job")) {
		job_removed(JOB, UNIT, arg);
		reply_job(call);
	} else if (!strcmp(verb, "jobs-of-others")) {
		job_removed("/org/freedesktop/systemd1/job/5", UNIT, "canceled");
		reply_job(call);
		job_removed(JOB, "other.scope", "failed");
		job_removed("/org/freedesktop/systemd1/job/7", UNIT, "failed");
		job_removed(JOB, UNIT, arg);
	} else if (!strcmp(verb, "job-without-end")) {
		reply_job(call);
	} else if (!strcmp(verb, "hang-up")) {
		dbus_connection_close(client);
	} else {
		require(!strcmp(verb, "silence"));
	}
}

static dbus_bool_t add_watch(DBusWatch *w, void *data)
{
	(void)data;
	listening = w;
	return TRUE;
}

static void remove_watch(DBusWatch *w, void *data)
{
	(void)w;
	(void)data;
}

static void new_client(DBusServer *server, DBusConnection *conn, void *data)
{
	(void)server;
	(void)data;
	client = dbus_connection_ref(conn);
}

static void serve(const char *path, char *script, int ready)
{
	char address[160], *text, *verb;
	DBusMessage *call;
	DBusServer *server;

	snprintf(address, sizeof(address), "unix:path=%s", path);
	server = dbus_server_listen(address, NULL);
	require(server &&
		dbus_server_set_watch_functions(server, add_watch, remove_watch, NULL, NULL, NULL));
	dbus_server_set_new_connection_function(server, new_client, NULL, NULL);
	require(write(ready, "", 1) == 1);
	while (!client) {
		struct pollfd p = { .fd = dbus_watch_get_unix_fd(listening), .events = POLLIN };

		poll(&p, 1, -1);
		dbus_watch_handle(listening, DBUS_WATCH_READABLE);
	}
	dbus_connection_set_exit_on_disconnect(client, FALSE);
	while ((text = strsep(&script, ";"))) {
		while (!(call = dbus_connection_pop_message(client)))
			if (!dbus_connection_read_write(client, -1))
				return;
		text += strspn(text, " ");
		verb = strsep(&text, " ");
		note_call(call);
		step(verb, text ? text : "", call);
		dbus_message_unref(call);
		if (dbus_connection_get_is_connected(client))
			dbus_connection_flush(client);
	}
	/* what is asked beyond the script is noted, and not answered */
	while (dbus_connection_read_write(client, -1))
		while ((call = dbus_connection_pop_message(client)))
			note_call(call);
}

/* A socket that connections may wait on for ever. */
static void ignore(const char *path, int ready)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	require(!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 1));
	require(write(ready, "", 1) == 1);
	for (;;)
		pause();
}

void manager_start(struct manager *m, const char *path, const char *script)
{
	char copy[512], byte;
	int ready[2];

	if (!m->log)
		m->log = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	require(m->log != MAP_FAILED && !pipe(ready));
	m->log[0] = '\0';
	log_text = m->log;
	snprintf(m->path, sizeof(m->path), "%s", path);
	snprintf(copy, sizeof(copy), "%s", script);
	unlink(path);
	m->pid = fork();
	require(m->pid >= 0);
	if (m->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!strcmp(copy, "no-auth"))
			ignore(path, ready[1]);
		serve(path, copy, ready[1]);
		_exit(0);
	}
	close(ready[1]);
	require(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
}

void manager_stop(struct manager *m)
{
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
}
