/* SPDX-License-Identifier: GPL-2.0-only */
/* Disks by descriptor, against a peer that plays QEMU: what is undone, and what detach waits for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hotplug.h"
#include "qmp_peer.h"

#define TIMEOUT 5000
#define BYTE 'D'

#define ADD_FD                                                                              \
	HEAR_FD("\"add-fd\",\"arguments\":{\"opaque\":\"holdover-disk:d1:/srv/x\"}", BYTE), \
		ANSWER("{\"fdset-id\": 4, \"fd\": 19}")
#define ADD_NODE                                                                          \
	HEAR("\"blockdev-add\",\"arguments\":{\"driver\":\"qcow2\",\"node-name\":\"d1\"," \
	     "\"read-only\":false,\"backing\":null,\"file\":{\"driver\":\"file\","        \
	     "\"filename\":\"/dev/fdset/4\"}}")
#define ADD_DEVICE HEAR("\"device_add\",\"arguments\":{\"id\":\"d1\",\"driver\":\"x\"}")
#define DEL_NODE HEAR("\"blockdev-del\",\"arguments\":{\"node-name\":\"d1\"}")
#define DEL_FD HEAR("\"remove-fd\",\"arguments\":{\"fdset-id\":4}")
#define ASK_DEVICE HEAR("\"qom-list\",\"arguments\":{\"path\":\"/machine/peripheral/d1\"}")
#define DEL_DEVICE HEAR("\"device_del\",\"arguments\":{\"id\":\"d1\"}")
#define DELETED(id)                                                               \
	SAY("{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"" id "\", " \
	    "\"path\": \"/machine/peripheral/" id "\"}}")

static struct qmp_peer peer;
static struct qmp q;
static struct err e;

static void begin(const struct peer_op *ops, unsigned int n)
{
	err_clear(&e);
	qmp_peer_start(&peer, ops, n);
	qmp_init(&q, steal_fd(&peer.fd));
	if (qmp_handshake(&q, TIMEOUT, NULL, &e) < 0)
		fail_msg("%s", e.msg);
}
#define BEGIN(...)                                                        \
	do {                                                              \
		const struct peer_op ops_[] = { HANDSHAKE, __VA_ARGS__ }; \
		begin(ops_, ARRAY_LEN(ops_));                             \
	} while (0)

/* The peer must have heard and said all of its script. */
static void end(void)
{
	qmp_close(&q);
	assert_int_equal(qmp_peer_end(&peer), 0);
}

static void assert_err(enum err_kind kind, const char *text)
{
	if (e.kind != kind || !strstr(e.msg, text))
		fail_msg("error is %s \"%s\", not %s \"...%s...\"", err_kind_name(e.kind), e.msg,
			 err_kind_name(kind), text);
}

static int attach(void)
{
	_cleanup_close_ int fd = io_memfd("image", (char[]){ BYTE }, 1, &e);
	char path[] = "/srv/x";
	const struct hotplug_image image = { .fd = fd, .path = path };
	const struct device_args args = { .text = "\"id\": \"d1\", \"driver\": \"x\"" };

	return hotplug_attach(&q, &image, "d1", "qcow2", false, &args, &e);
}

static int detach(int timeout_ms)
{
	static const struct hotplug_disk disk = { .id = "d1", .path = "/srv/x", .fdset = 4 };

	return hotplug_unplug(&q, &disk, timeout_ms, &e) < 0 ? -1 : hotplug_drop(&q, &disk, &e);
}

static void attached(void **state)
{
	(void)state;
	BEGIN(ADD_FD, ADD_NODE, ANSWER("{}"), ADD_DEVICE, ANSWER("{}"), QUIET);
	assert_int_equal(attach(), 0);
	end();
}

static void no_descriptor(void **state)
{
	(void)state;
	BEGIN(HEAR_FD("add-fd", BYTE), REFUSE("no room"), QUIET);
	assert_int_equal(attach(), -1);
	assert_err(ERR_REFUSED, "no room");
	end();
}

static void no_node(void **state)
{
	(void)state;
	BEGIN(ADD_FD, ADD_NODE, REFUSE("no such driver"), DEL_FD, ANSWER("{}"), QUIET);
	assert_int_equal(attach(), -1);
	assert_err(ERR_REFUSED, "no such driver");
	end();
}

static void no_device(void **state)
{
	(void)state;
	BEGIN(ADD_FD, ADD_NODE, ANSWER("{}"), ADD_DEVICE, REFUSE("no bus for it"), DEL_NODE,
	      ANSWER("{}"), DEL_FD, ANSWER("{}"), QUIET);
	assert_int_equal(attach(), -1);
	assert_err(ERR_REFUSED, "no bus for it");
	end();
}

/* The descriptor is in use by then: it stays with its node, and both are told of. */
static void what_cannot_be_undone_is_said(void **state)
{
	(void)state;
	BEGIN(ADD_FD, ADD_NODE, ANSWER("{}"), ADD_DEVICE, REFUSE("no bus for it"), DEL_NODE,
	      REFUSE("Node d1 is in use"), QUIET);
	assert_int_equal(attach(), -1);
	assert_err(ERR_REFUSED,
		   "no bus for it; the block node stays: QMP command blockdev-del: Node d1");
	end();
}

static void qemu_dies(void **state)
{
	(void)state;
	BEGIN(ADD_FD, ADD_NODE, SHUT);
	assert_int_equal(attach(), -1);
	assert_int_equal(e.kind, ERR_EXITED);
	end();
}

static void listed(void **state)
{
	struct hotplug_list list;

	(void)state;
	BEGIN(HEAR("query-fdsets"),
	      ANSWER("[{\"fdset-id\": 4, \"fds\": [{\"fd\": 9, \"opaque\": \"holdover-disk:d1:/srv/a:b\"}]},"
		     " {\"fdset-id\": 5, \"fds\": [{\"fd\": 9, \"opaque\": \"holdover-disk:d2:/srv/y\"}]},"
		     " {\"fdset-id\": 6, \"fds\": [{\"fd\": 9, \"opaque\": \"holdover-state\"}]},"
		     " {\"fdset-id\": 7, \"fds\": [{\"fd\": 9}]}, {\"fdset-id\": 8, \"fds\": []}, 9,"
		     " {\"fdset-id\": 10, \"fds\": [{\"fd\": 9, \"opaque\": \"holdover-disk:"
		     "a-name-that-is-longer-than-any-id:/srv/z\"}]}]"),
	      HEAR("query-named-block-nodes"),
	      ANSWER("[{\"node-name\": \"d1\", \"file\": \"/dev/fdset/4\"},"
		     " {\"node-name\": \"d2\", \"file\": \"/srv/another\"}, {}]"),
	      QUIET);
	if (hotplug_list(&q, &list, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.disk[0].id, "d1");
	assert_string_equal(list.disk[0].path, "/srv/a:b");
	assert_int_equal(list.disk[0].fdset, 4);
	end();
}

/* The list goes to root's terminal. */
static void listed_in_plain_text(void **state)
{
	struct hotplug_list list;

	(void)state;
	BEGIN(HEAR("query-fdsets"),
	      ANSWER("[{\"fdset-id\": 4, \"fds\": [{\"fd\": 9, \"opaque\": "
		     "\"holdover-disk:d\\u001b1:/srv/\\u001b[2J\"}]}]"),
	      HEAR("query-named-block-nodes"),
	      ANSWER("[{\"node-name\": \"d?1\", \"file\": \"/dev/fdset/4\"}]"), QUIET);
	if (hotplug_list(&q, &list, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.disk[0].id, "d?1");
	assert_string_equal(list.disk[0].path, "/srv/?[2J");
	end();
}

/* QEMU's answer says only that the guest was asked. */
static void detached_when_the_guest_lets_go(void **state)
{
	(void)state;
	BEGIN(ASK_DEVICE, ANSWER("[]"), DEL_DEVICE, ANSWER("{}"), SILENT(100), DELETED("d2"),
	      SILENT(100), DELETED("d1"), DEL_NODE, ANSWER("{}"), DEL_FD, ANSWER("{}"), QUIET);
	assert_int_equal(detach(TIMEOUT), 0);
	end();
}

static void detached_before_the_answer(void **state)
{
	(void)state;
	BEGIN(ASK_DEVICE, ANSWER("[]"), DEL_DEVICE, DELETED("d1"), ANSWER("{}"), DEL_NODE,
	      ANSWER("{}"), DEL_FD, ANSWER("{}"), QUIET);
	assert_int_equal(detach(TIMEOUT), 0);
	end();
}

static void device_gone_before(void **state)
{
	(void)state;
	BEGIN(ASK_DEVICE, REFUSE("not found"), DEL_NODE, ANSWER("{}"), DEL_FD, ANSWER("{}"), QUIET);
	assert_int_equal(detach(TIMEOUT), 0);
	end();
}

static void asked_before(void **state)
{
	(void)state;
	BEGIN(ASK_DEVICE, ANSWER("[]"), DEL_DEVICE,
	      REFUSE("Device d1 is already in the process of unplug"), DELETED("d1"), DEL_NODE,
	      ANSWER("{}"), DEL_FD, ANSWER("{}"), QUIET);
	assert_int_equal(detach(TIMEOUT), 0);
	end();
}

static void guest_does_not_answer(void **state)
{
	(void)state;
	BEGIN(ASK_DEVICE, ANSWER("[]"), DEL_DEVICE, ANSWER("{}"), QUIET);
	assert_int_equal(detach(1000), -1);
	assert_err(ERR_TIMEOUT, "has not let go of it within 1 s");
	end();
}

static void guest_refuses(void **state)
{
	(void)state;
	BEGIN(ASK_DEVICE, ANSWER("[]"), DEL_DEVICE, ANSWER("{}"),
	      SAY("{\"event\": \"DEVICE_UNPLUG_GUEST_ERROR\", \"data\": {\"device\": \"d1\"}}"),
	      QUIET);
	assert_int_equal(detach(TIMEOUT), -1);
	assert_err(ERR_REFUSED, "the guest will not let go of it");
	end();
}

static void qemu_refuses(void **state)
{
	(void)state;
	BEGIN(ASK_DEVICE, ANSWER("[]"), DEL_DEVICE,
	      REFUSE("Bus 'pcie.0' does not support hotplugging"), QUIET);
	assert_int_equal(detach(TIMEOUT), -1);
	assert_err(ERR_REFUSED, "Bus 'pcie.0' does not support hotplugging");
	end();
}

static void ids(void **state)
{
	static const char *const bad[] = {
		"", "1", "a/b", "a b", "../x", "a:b", "\xc3\xa4", "-a", "a,b", "a=b", "a\"", "a%s", "a-name-that-is-longer-than-31-by"
	};

	(void)state;
	assert_int_equal(hotplug_id_check("d", &e), 0);
	assert_int_equal(hotplug_id_check("Disk-1.a_b", &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		err_clear(&e);
		assert_int_equal(hotplug_id_check(bad[i], &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attached),
		cmocka_unit_test(no_descriptor),
		cmocka_unit_test(no_node),
		cmocka_unit_test(no_device),
		cmocka_unit_test(what_cannot_be_undone_is_said),
		cmocka_unit_test(qemu_dies),
		cmocka_unit_test(listed),
		cmocka_unit_test(listed_in_plain_text),
		cmocka_unit_test(detached_when_the_guest_lets_go),
		cmocka_unit_test(detached_before_the_answer),
		cmocka_unit_test(device_gone_before),
		cmocka_unit_test(asked_before),
		cmocka_unit_test(guest_does_not_answer),
		cmocka_unit_test(guest_refuses),
		cmocka_unit_test(qemu_refuses),
		cmocka_unit_test(ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
