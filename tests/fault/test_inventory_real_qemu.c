/* SPDX-License-Identifier: GPL-2.0-only */
/* What a real QEMU is made of, before and after somebody plugged, unplugged and snapshotted. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "inventory.h"
#include "real_qemu.h"

#define TIMEOUT 30000

static const char *const devices[] = { "-device", "qemu-xhci,id=usb",
				       "-device", "virtio-rng-pci",
				       "-drive",  "if=none,id=tray,media=cdrom",
				       "-device", "ide-cd,drive=tray,bus=ide.1",
				       NULL };

static struct bench {
	struct real_vm vm;
	struct real_qemu qemu;
	struct qmp q;
	struct inventory at_start;
	struct manifest_vm was;
} b;

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	memset(&b, 0, sizeof(b));
	real_vm_make(&b.vm);
	real_qemu_start(&b.qemu, &b.vm, false, devices);
	qmp_init(&b.q, steal_fd(&b.qemu.ctl));
	assert_int_equal(qmp_handshake(&b.q, TIMEOUT, NULL, &e), 0);
	if (inventory_read(&b.q, &b.at_start, &e) < 0)
		fail_msg("%s", e.msg);
	b.was = (struct manifest_vm){ .devices = b.at_start.item, .ndevices = b.at_start.n };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	inventory_free(&b.at_start);
	qmp_close(&b.q);
	real_qemu_end(&b.qemu);
	real_vm_remove(&b.vm);
	return 0;
}

static void command(const char *name, const char *arguments)
{
	struct err e = { 0 };

	if (qmp_call(&b.q, name, -1, TIMEOUT, NULL, &e, "%s", arguments) < 0)
		fail_msg("%s: %s", name, e.msg);
}

/* 0, or -1 with @e */
static int check(struct err *e)
{
	struct inventory now _cleanup_inventory_ = { .item = NULL };

	if (inventory_read(&b.q, &now, e) < 0)
		fail_msg("%s", e->msg);
	return inventory_check(&b.was, &now, e);
}

static void refused(const char *text)
{
	struct err e = { 0 };

	assert_int_equal(check(&e), -1);
	assert_int_equal(e.kind, ERR_REFUSED);
	if (!strstr(e.msg, text))
		fail_msg("'%s' is not in '%s'", text, e.msg);
}

static void the_same_again(void **state)
{
	char drive[200];
	bool found = false;
	struct err e = { 0 };

	(void)state;
	if (check(&e) < 0)
		fail_msg("%s", e.msg);
	/* Not because nothing was seen. */
	snprintf(drive, sizeof(drive), "drive ide0-hd0: %s", b.vm.disk);
	for (unsigned int i = 0; i < b.at_start.n; i++)
		found |= !strcmp(b.at_start.item[i], drive);
	assert_true(found);
	assert_true(b.at_start.n >= 5);
}

/* As after a jump: or the next one would be refused. */
static void the_same_when_it_is_resumed(void **state)
{
	struct err e = { 0 };

	(void)state;
	qmp_close(&b.q);
	real_qemu_end(&b.qemu);
	real_qemu_start(&b.qemu, &b.vm, true, devices);
	qmp_init(&b.q, steal_fd(&b.qemu.ctl));
	assert_int_equal(qmp_handshake(&b.q, TIMEOUT, NULL, &e), 0);
	if (check(&e) < 0)
		fail_msg("%s", e.msg);
}

static void hot_plugged_and_unplugged(void **state)
{
	struct err e = { 0 };

	(void)state;
	command("device_add", "{\"driver\": \"usb-tablet\", \"id\": \"late\", \"bus\": \"usb.0\"}");
	refused("new: device late (usb-tablet)");
	command("device_del", "{\"id\": \"late\"}");
	if (check(&e) < 0)
		fail_msg("%s", e.msg);
}

static void unplugged(void **state)
{
	(void)state;
	command("device_add", "{\"driver\": \"usb-kbd\", \"id\": \"early\", \"bus\": \"usb.0\"}");
	inventory_free(&b.at_start);
	assert_int_equal(inventory_read(&b.q, &b.at_start, &(struct err){ 0 }), 0);
	b.was = (struct manifest_vm){ .devices = b.at_start.item, .ndevices = b.at_start.n };
	command("device_del", "{\"id\": \"early\"}");
	refused("gone: device early (usb-kbd)");
}

static void live_snapshot(void **state)
{
	char text[512], overlay[200];

	(void)state;
	snprintf(overlay, sizeof(overlay), "%s/overlay.qcow2", b.vm.dir);
	snprintf(text, sizeof(text), "{\"device\": \"ide0-hd0\", \"snapshot-file\": \"%s\"}",
		 overlay);
	command("blockdev-snapshot-sync", text);
	refused(overlay);
	refused(b.vm.disk);
	unlink(overlay);
}

static void another_disc(void **state)
{
	char text[512], path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/disc", b.vm.dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 4096), 0);
	close(fd);
	snprintf(text, sizeof(text),
		 "{\"device\": \"tray\", \"filename\": \"%s\", \"format\": \"raw\"}", path);
	command("blockdev-change-medium", text);
	refused("gone: drive tray: nothing");
	refused(path);
	unlink(path);
}

static void unknown_passes(void **state)
{
	struct err e = { 0 };

	(void)state;
	b.was = (struct manifest_vm){ .devices = NULL };
	command("device_add", "{\"driver\": \"usb-tablet\", \"id\": \"late\", \"bus\": \"usb.0\"}");
	assert_int_equal(check(&e), 0);
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(the_same_again),
		CASE(the_same_when_it_is_resumed),
		CASE(hot_plugged_and_unplugged),
		CASE(unplugged),
		CASE(live_snapshot),
		CASE(another_disc),
		CASE(unknown_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
