/* SPDX-License-Identifier: GPL-2.0-only */
/* Virtio queues that are longer than was asked for, and a QEMU that refuses them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "preflight.h"
#include "qmp_peer.h"

#define DEVICE "/machine/peripheral-anon/device[0]"
#define LIST(kind) ANSWER("[{\"name\": \"" kind "\", \"path\": \"" DEVICE "/virtio-backend\"}]")
#define QUEUE(n)                             \
	HEAR("x-query-virtio-queue-status"), \
		ANSWER("{\"vring-num\": 64, \"vring-num-default\": " #n ", \"inuse\": 0}")
#define PROPERTY(name, n) HEAR("\"property\":\"" name "\""), ANSWER(#n)
#define NO_PROPERTY(name) HEAR("\"property\":\"" name "\""), REFUSE("Property not found")

static struct preflight found;

/* What is found of a VM behind this script. */
static void look(const struct peer_op *ops, unsigned int n, unsigned int version, unsigned int next)
{
	struct qmp_peer peer;
	struct qmp q;
	struct err e = { 0 };

	memset(&found, 0, sizeof(found));
	qmp_peer_start(&peer, ops, n);
	qmp_init(&q, steal_fd(&peer.fd));
	assert_int_equal(qmp_handshake(&q, 10000, NULL, &e), 0);
	preflight_queues(&found, "db1", &q, version, next);
	qmp_close(&q);
	assert_int_equal(qmp_peer_end(&peer), 0);
}

#define LOOK(version, next, ...)                                                 \
	do {                                                                     \
		const struct peer_op ops_[] = { HANDSHAKE, __VA_ARGS__, QUIET }; \
		look(ops_, sizeof(ops_) / sizeof(ops_[0]), version, next);       \
	} while (0)

static void refused_by_name(void **state)
{
	(void)state;
	LOOK(100013, 110102, HEAR("\"x-query-virtio\""), LIST("virtio-blk"), QUEUE(1024),
	     PROPERTY("queue-size", 256), NO_PROPERTY("rx_queue_size"),
	     NO_PROPERTY("virtqueue_size"));
	assert_int_equal(found.failed, 1);
	assert_string_equal(found.item[0].what, "db1");
	assert_non_null(strstr(found.item[0].text, "virtio-blk queues of 1024 entries"));
	assert_non_null(strstr(found.item[0].text, "version 11.1.2 on disk refuses"));
	assert_non_null(strstr(found.item[0].text, "queue-size=1024"));
}

/* Nobody knows of the versions in between. */
static void warned_of(void **state)
{
	(void)state;
	LOOK(100013, 100014, HEAR("\"x-query-virtio\""), LIST("virtio-rng"), QUEUE(1024),
	     NO_PROPERTY("queue-size"), NO_PROPERTY("rx_queue_size"), NO_PROPERTY("virtqueue_size"));
	assert_int_equal(found.failed, 0);
	assert_int_equal(found.warned, 1);
	assert_non_null(strstr(found.item[0].text, "may refuse"));
}

static void as_was_asked_for(void **state)
{
	(void)state;
	LOOK(100013, 110102, HEAR("\"x-query-virtio\""), LIST("virtio-blk"), QUEUE(1024),
	     PROPERTY("queue-size", 1024));
	assert_int_equal(found.n, 0);
	LOOK(100013, 110102, HEAR("\"x-query-virtio\""), LIST("virtio-net"), QUEUE(1024),
	     NO_PROPERTY("queue-size"), PROPERTY("rx_queue_size", 1024));
	assert_int_equal(found.n, 0);
	LOOK(70222, 110102, HEAR("\"x-query-virtio\""), LIST("virtio-blk"), QUEUE(256));
	assert_int_equal(found.n, 0);
	LOOK(70222, 110102, HEAR("\"x-query-virtio\""), LIST("virtio-crypto"), QUEUE(1024),
	     NO_PROPERTY("queue-size"), NO_PROPERTY("rx_queue_size"), NO_PROPERTY("virtqueue_size"));
	assert_int_equal(found.n, 0);
}

static void nothing_to_ask(void **state)
{
	const struct peer_op same[] = { HANDSHAKE, QUIET };

	(void)state;
	LOOK(70222, 110102, HEAR("\"x-query-virtio\""), ANSWER("[]"));
	assert_int_equal(found.n, 0);
	LOOK(70222, 110102, HEAR("\"x-query-virtio\""), REFUSE("The command has not been found"));
	assert_int_equal(found.n, 0);
	/* The same QEMU. */
	look(same, ARRAY_LEN(same), 100013, 100013);
	assert_int_equal(found.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_by_name),
		cmocka_unit_test(warned_of),
		cmocka_unit_test(as_was_asked_for),
		cmocka_unit_test(nothing_to_ask),
	};

	return cmocka_run_group_tests_name("preflight_queues", tests, NULL, NULL);
}
