/* SPDX-License-Identifier: GPL-2.0-only */
/* The message side of QMP: what a line means, and calls that block. */
#include "qmp.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

#include "qmp_io.h"

void qmp_msg_free(struct qmp_msg *m)
{
	yyjson_doc_free(m->doc);
	memset(m, 0, sizeof(*m));
}

/* Member @key of @obj into @out, NULL if absent. yyjson keeps duplicate keys:
 * which of them counts must not be left to chance. */
static int member(yyjson_val *obj, const char *key, yyjson_val **out, struct err *e)
{
	yyjson_obj_iter it;
	yyjson_val *k;

	*out = NULL;
	yyjson_obj_iter_init(obj, &it);
	while ((k = yyjson_obj_iter_next(&it))) {
		if (!yyjson_equals_str(k, key))
			continue;
		if (*out)
			return err_set(e, ERR_PROTOCOL, "QEMU sent \"%s\" twice in one message", key);
		*out = yyjson_obj_iter_get_val(k);
	}
	return 0;
}

static const char *text_of(yyjson_val *v)
{
	const char *s = yyjson_get_str(v);

	return s && strlen(s) == yyjson_get_len(v) ? s : NULL;
}

static int parse_error(yyjson_val *body, struct qmp_msg *m, struct err *e)
{
	yyjson_val *desc = NULL;

	if (yyjson_is_obj(body) && member(body, "desc", &desc, e) < 0)
		return -1;
	m->type = QMP_ERROR;
	m->name = text_of(desc);
	if (!m->name)
		return err_set(e, ERR_PROTOCOL, "QEMU sent an error without a description");
	return 0;
}

static int parse_event(yyjson_val *name, yyjson_val *data, struct qmp_msg *m, struct err *e)
{
	m->type = QMP_EVENT;
	m->name = text_of(name);
	m->body = data;
	if (!m->name || (data && !yyjson_is_obj(data)))
		return err_set(e, ERR_PROTOCOL, "QEMU sent a malformed event");
	return 0;
}

/* QEMU answers in order, since out-of-band execution is never negotiated. */
static int check_id(struct qmp *q, yyjson_val *id, struct qmp_msg *m, struct err *e)
{
	m->id = yyjson_is_uint(id) ? yyjson_get_uint(id) : 0;
	if (m->id > q->answered && m->id < q->next_id) {
		q->answered = m->id;
		return 0;
	}
	return err_set(e, ERR_PROTOCOL,
		       "QEMU answered a command that was not asked (id %" PRIu64 ")%s%s", m->id,
		       m->type == QMP_ERROR ? ": " : "", m->type == QMP_ERROR ? m->name : "");
}

static int parse_msg(struct qmp *q, yyjson_val *root, struct qmp_msg *m, struct err *e)
{
	yyjson_val *greeting, *ret, *error, *event, *data, *id;

	if (!yyjson_is_obj(root))
		return err_set(e, ERR_PROTOCOL, "QEMU sent a message that is not an object");
	if (member(root, "QMP", &greeting, e) < 0 || member(root, "return", &ret, e) < 0 ||
	    member(root, "error", &error, e) < 0 || member(root, "event", &event, e) < 0 ||
	    member(root, "data", &data, e) < 0 || member(root, "id", &id, e) < 0)
		return -1;
	if (!!greeting + !!ret + !!error + !!event != 1)
		return err_set(e, ERR_PROTOCOL,
			       "QEMU sent a message that is neither greeting, answer nor event");
	if (event)
		return parse_event(event, data, m, e);
	if (greeting) {
		m->type = QMP_GREETING;
		m->body = greeting;
		if (yyjson_is_obj(greeting))
			return 0;
		return err_set(e, ERR_PROTOCOL, "QEMU sent a malformed greeting");
	}
	m->type = QMP_RETURN;
	m->body = ret ? ret : error;
	if (error && parse_error(error, m, e) < 0)
		return -1;
	return check_id(q, id, m, e);
}

int qmp_next(struct qmp *q, struct qmp_msg *m, struct err *e)
{
	const char *line;
	size_t len;
	int rc;

	memset(m, 0, sizeof(*m));
	rc = qmp_line(q, &line, &len, e);
	if (rc <= 0)
		return rc;
	m->doc = yyjson_read(line, len, 0);
	if (!m->doc)
		return err_set(e, ERR_PROTOCOL, "QEMU sent a line of %zu bytes that is not JSON",
			       len);
	if (parse_msg(q, yyjson_doc_get_root(m->doc), m, e) < 0) {
		qmp_msg_free(m);
		return -1;
	}
	return 1;
}

uint64_t qmp_send(struct qmp *q, const char *command, yyjson_mut_doc *doc, yyjson_mut_val *args,
		  int fd, struct err *e)
{
	_cleanup_json_mut_ yyjson_mut_doc *own = NULL;
	yyjson_mut_val *root;
	char *text = NULL;
	size_t len;

	if (!doc)
		doc = own = yyjson_mut_doc_new(NULL);
	root = yyjson_mut_obj(doc);
	if (root && yyjson_mut_obj_add_str(doc, root, "execute", command) &&
	    (!args || yyjson_mut_obj_add_val(doc, root, "arguments", args)) &&
	    yyjson_mut_obj_add_uint(doc, root, "id", q->next_id))
		text = yyjson_mut_val_write(root, YYJSON_WRITE_NEWLINE_AT_END, &len);
	if (!text) {
		err_set(e, ERR_PROTOCOL, "QMP command %s: cannot be written as JSON", command);
		return 0;
	}
	if (qmp_queue(q, text, len, fd, e) < 0)
		return 0;
	return q->next_id++;
}

uint64_t qmp_vsend_text(struct qmp *q, const char *command, int fd, struct err *e, const char *fmt,
			va_list ap)
{
	_cleanup_json_mut_ yyjson_mut_doc *mut = NULL;
	_cleanup_json_ yyjson_doc *doc = NULL;
	_cleanup_free_ char *text = NULL;
	yyjson_mut_val *args;

	if (!fmt)
		return qmp_send(q, command, NULL, NULL, fd, e);
	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		err_sys(e, ENOMEM, "QMP command %s", command);
		return 0;
	}
	doc = yyjson_read(text, strlen(text), 0);
	mut = yyjson_mut_doc_new(NULL);
	args = yyjson_val_mut_copy(mut, yyjson_doc_get_root(doc));
	if (!yyjson_mut_is_obj(args)) {
		err_set(e, ERR_PROTOCOL, "QMP command %s: arguments are not a JSON object: %s",
			command, text);
		return 0;
	}
	return qmp_send(q, command, mut, args, fd, e);
}

uint64_t qmp_send_text(struct qmp *q, const char *command, int fd, struct err *e, const char *fmt, ...)
{
	uint64_t id;
	va_list ap;

	va_start(ap, fmt);
	id = qmp_vsend_text(q, command, fd, e, fmt, ap);
	va_end(ap);
	return id;
}

struct limit {
	int timeout_ms; /* <= 0: none */
	int64_t deadline;
};

static struct limit limit_of(int timeout_ms)
{
	return (struct limit){ timeout_ms, io_now_ms() + timeout_ms };
}

/* The next message. */
static int wait_msg(struct qmp *q, const struct limit *l, struct qmp_msg *m, struct err *e)
{
	int rc;

	while ((rc = qmp_next(q, m, e)) == 0) {
		struct pollfd pfd = { .fd = q->fd, .events = POLLIN };
		int64_t left = l->timeout_ms > 0 ? l->deadline - io_now_ms() : -1;

		if (l->timeout_ms > 0 && left <= 0)
			return err_set(e, ERR_TIMEOUT, "QEMU did not answer within %d ms",
				       l->timeout_ms);
		if (qmp_wants_write(q))
			pfd.events |= POLLOUT;
		if (poll(&pfd, 1, (int)left) < 0 && errno != EINTR)
			return err_sys(e, errno, "poll");
		if ((pfd.revents & POLLOUT) && qmp_flush(q, e) < 0)
			return -1;
		if (!(pfd.revents & ~POLLOUT))
			continue;
		rc = qmp_fill(q, e);
		if (rc == 1)
			return qmp_eof(q, e);
		if (rc < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

/* The answer to command @id. */
static int wait_reply(struct qmp *q, uint64_t id, const struct limit *l, struct qmp_msg *reply,
		      struct err *e)
{
	for (;;) {
		_cleanup_qmp_msg_ struct qmp_msg m = { 0 };

		if (wait_msg(q, l, &m, e) < 0)
			return -1;
		if (m.type == QMP_GREETING)
			return err_set(e, ERR_PROTOCOL, "QEMU sent a second greeting");
		if (m.id != id) /* an event, or the answer to an earlier command */
			continue;
		if (m.type == QMP_ERROR)
			return err_set(e, ERR_REFUSED, "%s", m.name);
		if (reply) {
			*reply = m;
			memset(&m, 0, sizeof(m));
		}
		return 0;
	}
}

unsigned int qmp_version(yyjson_val *greeting)
{
	static const char *const part[] = { "major", "minor", "micro" };
	yyjson_val *v = yyjson_obj_get(yyjson_obj_get(greeting, "version"), "qemu");
	unsigned int version = 0, i;

	for (i = 0; i < ARRAY_LEN(part); i++) {
		yyjson_val *n = yyjson_obj_get(v, part[i]);

		if (!yyjson_is_uint(n) || yyjson_get_uint(n) > (i ? 99 : 9999))
			return 0;
		version = version * 100 + (unsigned int)yyjson_get_uint(n);
	}
	return version;
}

int qmp_handshake(struct qmp *q, int timeout_ms, unsigned int *version, struct err *e)
{
	struct limit limit = limit_of(timeout_ms);
	_cleanup_qmp_msg_ struct qmp_msg m = { 0 };
	uint64_t id;

	do {
		qmp_msg_free(&m);
		if (wait_msg(q, &limit, &m, e) < 0)
			return err_wrap(e, "QMP greeting");
	} while (m.type == QMP_EVENT);
	if (m.type != QMP_GREETING || !qmp_version(m.body))
		return err_set(e, ERR_PROTOCOL, "QMP greeting: no version of QEMU in it");
	if (version)
		*version = qmp_version(m.body);
	id = qmp_send(q, "qmp_capabilities", NULL, NULL, -1, e);
	if (!id || wait_reply(q, id, &limit, NULL, e) < 0)
		return err_wrap(e, "QMP command qmp_capabilities");
	return 0;
}

int qmp_call(struct qmp *q, const char *command, int fd, int timeout_ms, struct qmp_msg *reply,
	     struct err *e, const char *fmt, ...)
{
	struct limit limit = limit_of(timeout_ms);
	uint64_t id;
	va_list ap;

	va_start(ap, fmt);
	id = qmp_vsend_text(q, command, fd, e, fmt, ap);
	va_end(ap);
	if (!id)
		return -1;
	if (wait_reply(q, id, &limit, reply, e) < 0)
		return err_wrap(e, "QMP command %s", command);
	return 0;
}
