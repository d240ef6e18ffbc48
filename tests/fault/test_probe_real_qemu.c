/* SPDX-License-Identifier: GPL-2.0-only */
/* The QEMU on disk, a real one, asked what it could load of a VM that runs
 * behind a scripted peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "preflight.h"
#include "probe.h"
#include "qmp_peer.h"

#define QEMU "/usr/bin/qemu-system-x86_64"

static const char *default_args[] = { "-cpu", "qemu64", "-device",
				      "virtio-rng-pci,id=r,max-bytes=1024", NULL };

static struct manifest_vm vm_of(const char *machine, const char **args)
{
	struct manifest_vm mv = {
		.vm = {
			.name = "db1",
			.qemu = (char *)QEMU,
			.machine = (char *)machine,
			.memory = UINT64_C(8) << 30,
			.memdev = (char *)"holdover.ram",
			.args = (char **)args,
		},
	};

	while (args[mv.vm.nargs])
		mv.vm.nargs++;
	return mv;
}

#define QOM_LIST(path, type)                                                                     \
	HEAR("\"path\":\"/machine/" path "\""),                                                  \
		ANSWER("[{\"name\": \"type\", \"type\": \"string\"}, {\"name\": \"device[0]\", " \
		       "\"type\": \"child<" type ">\"}]")
#define REST(options, mode)                                                                     \
	HEAR("query-command-line-options"), ANSWER("[" options "]"),                            \
		HEAR("query-migrate-parameters"), ANSWER("{" mode "}"), HEAR("x-query-virtio"), \
		ANSWER("[]"), QUIET
#define PLAIN                                                                         \
	QOM_LIST("peripheral", "virtio-rng-pci"), QOM_LIST("peripheral-anon", "VGA"), \
		QOM_LIST("unattached", "mc146818rtc")

static struct preflight *run(const struct manifest_vm *mv, const struct peer_op *ops, unsigned int n)
{
	struct preflight *p = calloc(1, sizeof(*p));
	struct qmp q _cleanup_qmp_ = { .fd = -1 };
	struct qmp_peer peer;

	qmp_peer_start(&peer, ops, n);
	qmp_init(&q, steal_fd(&peer.fd));
	preflight_qemu(p, mv, &q, 70200);
	qmp_close(&q);
	assert_int_equal(qmp_peer_end(&peer), 0);
	return p;
}

static void expect(struct preflight *p, enum finding_level level, const char *text)
{
	assert_int_equal(p->n, 1);
	if (p->item[0].level != level || !strstr(p->item[0].text, text))
		fail_msg("level %d: %s", (int)p->item[0].level, p->item[0].text);
	assert_string_equal(p->item[0].what, "db1");
	free(p);
}

static void test_good(void **state)
{
	static const struct peer_op ops[] = { PLAIN, REST("{\"option\": \"device\"}", "") };
	struct manifest_vm mv = vm_of("pc-q35-7.2,smm=off", default_args);

	(void)state;
	expect(run(&mv, ops, ARRAY_LEN(ops)), FINDING_OK,
	       "can load pc-q35-7.2,smm=off, as 7.2 runs it");
}

static void test_numa(void **state)
{
	static const struct peer_op ops[] = { PLAIN, REST("", "") };
	static const char *args[] = { "-smp", "1", "-numa", "node,memdev=holdover.ram,cpus=0", NULL };
	struct manifest_vm mv = vm_of("pc-q35-7.2", args);

	(void)state;
	expect(run(&mv, ops, ARRAY_LEN(ops)), FINDING_OK, "can load");
}

/* Each node's RAM is there, or this QEMU would not start. */
static struct manifest_vm two_nodes(void)
{
	static const char *args[] = { "-smp",  "2",
				      "-numa", "node,memdev=holdover.ram,cpus=0",
				      "-numa", "node,memdev=dimm1,cpus=1",
				      NULL };
	struct manifest_vm mv = vm_of("pc-q35-7.2", args);

	mv.vm.more[0] = (struct vm_part){ .memdev = (char *)"dimm1", .size = 32 << 20 };
	mv.vm.nmore = 1;
	mv.vm.memory += 32 << 20;
	return mv;
}

static void test_two_nodes(void **state)
{
	static const struct peer_op ops[] = { PLAIN, REST("", "") };
	struct manifest_vm mv = two_nodes();

	(void)state;
	expect(run(&mv, ops, ARRAY_LEN(ops)), FINDING_OK, "can load");
}

static void not_started(const char *machine, const char **args, const char *text)
{
	static const struct peer_op ops[] = { QUIET };
	struct manifest_vm mv = vm_of(machine, args);

	expect(run(&mv, ops, ARRAY_LEN(ops)), FINDING_FAIL, text);
}

static void test_machine(void **state)
{
	(void)state;
	not_started("pc-q35-99.0", default_args, "unsupported machine type");
	not_started("pc-q35-7.2,frobnicate=on", default_args, "frobnicate");
}

static void test_cpu(void **state)
{
	static const char *model[] = { "-cpu", "Pentium-9", NULL };
	static const char *flag[] = { "-cpu", "qemu64,+no-such-flag=on", NULL };

	(void)state;
	not_started("pc-q35-7.2", model, "Pentium-9");
	not_started("pc-q35-7.2", flag, "no-such-flag");
}

static void test_absent_program(void **state)
{
	static const struct peer_op ops[] = { QUIET };
	struct manifest_vm mv = vm_of("pc-q35-7.2", default_args);

	(void)state;
	mv.vm.qemu = (char *)"/usr/bin/no-such-qemu";
	expect(run(&mv, ops, ARRAY_LEN(ops)), FINDING_FAIL, "cannot be executed: No such file");
}

/* Whatever else is among the arguments: nothing of it is opened. */
static void test_opens_nothing(void **state)
{
	static const struct peer_op ops[] = { PLAIN, REST("", "") };
	static const char *args[] = { "-drive",	  "file=/no/such/image,if=none,id=d",
				      "-chardev", "file,id=c,path=/no/such/folder/file",
				      "-netdev",  "tap,id=n,ifname=no-such-tap,script=/no/such",
				      "-device",  "virtio-blk-pci,drive=d,serial=1",
				      "-vnc",	  "unix:/no/such/socket",
				      NULL };
	struct manifest_vm mv = vm_of("pc-q35-7.2", args);

	(void)state;
	expect(run(&mv, ops, ARRAY_LEN(ops)), FINDING_OK, "can load");
}

static void test_device(void **state)
{
	static const struct peer_op ops[] = { QOM_LIST("peripheral", "quantum-nic"),
					      QOM_LIST("peripheral-anon", "VGA"),
					      QOM_LIST("unattached", "mc146818rtc"), REST("", "") };
	struct manifest_vm mv = vm_of("pc-q35-7.2", default_args);

	(void)state;
	expect(run(&mv, ops, ARRAY_LEN(ops)), FINDING_FAIL, "has no device quantum-nic");
}

static void test_board(void **state)
{
	static const struct peer_op ops[] = { QOM_LIST("peripheral", "virtio-rng-pci"),
					      QOM_LIST("peripheral-anon", "VGA"),
					      QOM_LIST("unattached", "old-clock"), REST("", "") };
	struct manifest_vm mv = vm_of("pc-q35-7.2", default_args);
	struct preflight *p;

	(void)state;
	p = run(&mv, ops, ARRAY_LEN(ops));
	assert_int_equal(p->n, 2);
	assert_int_equal(p->failed, 0);
	assert_int_equal(p->item[0].level, FINDING_WARN);
	assert_non_null(strstr(p->item[0].text, "old-clock"));
	free(p);
}

static void test_property(void **state)
{
	static const struct peer_op ops[] = { PLAIN, REST("", "") };
	static const char *args[] = { "-device", "virtio-rng-pci,id=r,rng=a,,b,warp=9", NULL };
	struct manifest_vm mv = vm_of("pc-q35-7.2", args);

	(void)state;
	expect(run(&mv, ops, ARRAY_LEN(ops)), FINDING_FAIL, "has no property warp");
}

static void test_option(void **state)
{
	static const struct peer_op ops[] = { PLAIN, REST("{\"option\": \"teleport\"}", "") };
	static const char *args[] = { "-teleport", "to=mars", NULL };
	struct manifest_vm mv = vm_of("pc-q35-7.2", args);

	(void)state;
	expect(run(&mv, ops, ARRAY_LEN(ops)), FINDING_FAIL, "has no option -teleport");
}

static unsigned int version(void)
{
	struct probe p _cleanup_probe_ = PROBE_INIT;
	struct err e = { 0 };

	if (probe_none(&p, QEMU, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	return p.version;
}

/* What the installed one is too old for; a newer one has it. */
static void test_older(void **state)
{
	static const struct peer_op ops[] = { PLAIN, REST("", "\"mode\": \"normal\"") };
	struct manifest_vm mv = vm_of("pc-q35-7.2", default_args);
	struct preflight *p;
	unsigned int v = version();

	(void)state;
	mv.extent.offset = 2 << 20;
	p = run(&mv, ops, ARRAY_LEN(ops));
	assert_int_equal(p->failed, (v < PROBE_OFFSET_SINCE) + (v < 80200));
	if (v < PROBE_OFFSET_SINCE)
		assert_non_null(strstr(p->item[0].text, "offset="));
	if (v < 80200)
		assert_non_null(strstr(p->item[1].text, "cpr-reboot"));
	free(p);
	/* A second node's RAM, if it does not begin where its device does. */
	mv = two_nodes();
	mv.more[0].extent.offset = 2 << 20;
	p = run(&mv, ops, ARRAY_LEN(ops));
	assert_int_equal(p->failed, (v < PROBE_OFFSET_SINCE) + (v < 80200));
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	      cmocka_unit_test(test_numa),
		cmocka_unit_test(test_two_nodes),     cmocka_unit_test(test_machine),
		cmocka_unit_test(test_cpu),	      cmocka_unit_test(test_absent_program),
		cmocka_unit_test(test_opens_nothing), cmocka_unit_test(test_device),
		cmocka_unit_test(test_board),	      cmocka_unit_test(test_property),
		cmocka_unit_test(test_option),	      cmocka_unit_test(test_older),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
