/* SPDX-License-Identifier: GPL-2.0-only */
/* Disks that a real QEMU is given by descriptor, and that it gives back. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hotplug.h"
#include "inventory.h"
#include "real_qemu.h"

#define TIMEOUT 30000

static const char *const devices[] = { "-device", "pcie-root-port,id=port1,chassis=1",
				       "-device", "pcie-root-port,chassis=2,slot=2",
				       "-device", "pcie-root-port,id=port3,chassis=3,slot=3",
				       "-device", "virtio-scsi-pci,id=scsi",
				       "-device", "qemu-xhci,id=usb",
				       NULL };

static struct bench {
	struct real_vm vm;
	struct real_qemu qemu;
	struct qmp q;
	char image[128];
	struct err e;
} b;

static void command(const char *name, const char *arguments)
{
	if (qmp_call(&b.q, name, -1, TIMEOUT, NULL, &b.e, "%s", arguments) < 0)
		fail_msg("%s: %s", name, b.e.msg);
}

static void begin(const char *const *extra)
{
	int fd;

	memset(&b, 0, sizeof(b));
	real_vm_make(&b.vm);
	real_qemu_start(&b.qemu, &b.vm, false, extra);
	qmp_init(&b.q, steal_fd(&b.qemu.ctl));
	assert_int_equal(qmp_handshake(&b.q, TIMEOUT, NULL, &b.e), 0);
	snprintf(b.image, sizeof(b.image), "%s/more", b.vm.dir);
	fd = open(b.image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	for (int i = 0; i < 512; i++)
		assert_int_equal(pwrite(fd, &(char){ (char)0xa5 }, 1, i), 1);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	begin(devices);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	qmp_close(&b.q);
	real_qemu_end(&b.qemu);
	unlink(b.image);
	real_vm_remove(&b.vm);
	return 0;
}

/* As the verb does; QEMU cannot know the path. */
static int attach(const char *id, const char *device, bool readonly)
{
	struct hotplug_image image _cleanup_(hotplug_image_close) = HOTPLUG_IMAGE_INIT;
	struct device_args args;
	char away[160];
	int r;

	if (hotplug_image_open(b.image, NULL, readonly, &image, &b.e) < 0 ||
	    hotplug_device(&b.q, device, id, &args, &b.e) < 0)
		return -1;
	snprintf(away, sizeof(away), "%s.away", b.image);
	assert_int_equal(rename(b.image, away), 0);
	r = hotplug_attach(&b.q, &image, id, "raw", readonly, &args, &b.e);
	assert_int_equal(rename(away, b.image), 0);
	return r;
}

static void attached(const char *id, const char *device, bool readonly)
{
	if (attach(id, device, readonly) < 0)
		fail_msg("%s: %s", device, b.e.msg);
}

static unsigned int listed(struct hotplug_list *list)
{
	if (hotplug_list(&b.q, list, &b.e) < 0)
		fail_msg("%s", b.e.msg);
	return list->n;
}

static int detach(const char *id, int timeout_ms)
{
	struct hotplug_list list;

	listed(&list);
	for (unsigned int i = 0; i < list.n; i++)
		if (!strcmp(list.disk[i].id, id))
			return hotplug_unplug(&b.q, &list.disk[i], timeout_ms, &b.e) < 0 ?
				-1 :
				hotplug_drop(&b.q, &list.disk[i], &b.e);
	fail_msg("%s is not in the list", id);
	return -1;
}

static void refused(int r, enum err_kind kind, const char *text)
{
	assert_int_equal(r, -1);
	if (b.e.kind != kind || !strstr(b.e.msg, text))
		fail_msg("'%s' is not in %s '%s'", text, err_kind_name(b.e.kind), b.e.msg);
	err_clear(&b.e);
}

/* Nothing is left: no descriptor set, no node. */
static void nothing_left(void)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };
	struct hotplug_list list;
	yyjson_val *node;
	size_t i, max;

	assert_int_equal(listed(&list), 0);
	assert_int_equal(qmp_call(&b.q, "query-named-block-nodes", -1, TIMEOUT, &m, &b.e,
				  "{\"flat\": true}"),
			 0);
	yyjson_arr_foreach(m.body, i, max, node) {
		const char *file = yyjson_get_str(yyjson_obj_get(node, "file"));

		assert_null(strstr(file, "/dev/fdset/"));
	}
}

/* Has QEMU the image open? */
static bool held(void)
{
	char folder[64], path[128];
	struct stat want, st;
	struct dirent *d;
	bool found = false;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)b.qemu.pid);
	dir = opendir(folder);
	assert_non_null(dir);
	assert_int_equal(stat(b.image, &want), 0);
	while ((d = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%.20s", folder, d->d_name);
		found |= stat(path, &st) == 0 && st.st_ino == want.st_ino && st.st_dev == want.st_dev;
	}
	closedir(dir);
	return found;
}

static void a_scsi_disk_comes_and_goes(void **state)
{
	struct hotplug_list list;

	(void)state;
	attached("more", "scsi-hd,bus=scsi.0,serial=a,,b,bootindex=2,physical_block_size=4K", false);
	assert_int_equal(listed(&list), 1);
	assert_string_equal(list.disk[0].id, "more");
	assert_non_null(strstr(list.disk[0].path, b.image));
	assert_true(held());
	command("cont", "{}");
	if (detach("more", TIMEOUT) < 0)
		fail_msg("%s", b.e.msg);
	nothing_left();
	assert_false(held());
}

static void usb(void **state)
{
	(void)state;
	attached("stick", "usb-storage,removable=on", false);
	if (detach("stick", TIMEOUT) < 0)
		fail_msg("%s", b.e.msg);
	nothing_left();
}

/* The bus of a port without a name cannot be named; full ones are not taken again. */
static void ports(void **state)
{
	struct hotplug_list list;

	(void)state;
	attached("one", "virtio-blk-pci", true);
	attached("two", "virtio-blk-pci,addr=0x0", true);
	assert_int_equal(listed(&list), 2);
	refused(attach("three", "virtio-blk-pci", true), ERR_REFUSED, "does not support hotplugging");
	assert_int_equal(listed(&list), 2);
	command("cont", "{}");
	refused(detach("one", 500), ERR_TIMEOUT, "has not let go of it within 0 s");
	assert_int_equal(listed(&list), 2);
}

static void only_one_may_write(void **state)
{
	struct hotplug_list list;

	(void)state;
	attached("more", "scsi-hd", false);
	refused(attach("again", "scsi-hd", false), ERR_REFUSED, "lock");
	assert_int_equal(listed(&list), 1);
}

static void only_reading(void **state)
{
	struct qmp_msg m _cleanup_qmp_msg_ = { 0 };

	(void)state;
	attached("more", "scsi-hd", true);
	/* The descriptor can do no more. */
	assert_int_equal(qmp_call(&b.q, "blockdev-reopen", -1, TIMEOUT, &m, &b.e,
				  "{\"options\": [{\"driver\": \"raw\", \"node-name\": \"more\", "
				  "\"read-only\": false, \"file\": {\"driver\": \"file\", "
				  "\"filename\": \"/dev/fdset/1\"}}]}"),
			 -1);
}

static void undone(void **state)
{
	(void)state;
	refused(attach("more", "virtio-blk-pci,bus=nowhere", false), ERR_REFUSED, "nowhere");
	nothing_left();
	refused(attach("more", "scsi-hd,serial=\xff", false), ERR_USAGE, "UTF-8");
	refused(attach("more", "no-such-device", false), ERR_REFUSED, "no-such-device");
	refused(attach("more", "virtio-net-pci", false), ERR_REFUSED, "takes no disk");
	refused(attach("more", "scsi-hd,bootindex=first", false), ERR_USAGE, "not a number");
	refused(attach("more", "usb-storage,removable=maybe", false), ERR_USAGE, "on or off");
	refused(attach("more", "scsi-hd,drive=other", false), ERR_USAGE, "holdover's to give");
	refused(attach("more", "scsi-hd,share", false), ERR_USAGE, "KEY=VALUE");
	refused(attach("more", "scsi-hd,wheels=4", false), ERR_REFUSED, "wheels");
	nothing_left();
	/* Of the VM's own. */
	refused(attach("scsi", "usb-storage", false), ERR_REFUSED, "scsi");
	nothing_left();
}

/* A qcow2 image that cannot be told from a real one by its header alone. */
static void make_qcow2(uint64_t backing, const char *name, uint64_t incompatible)
{
	uint8_t head[4096] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
	uint64_t be = __builtin_bswap64(backing), bits = __builtin_bswap64(incompatible);
	uint32_t size = __builtin_bswap32((uint32_t)strlen(name));
	int fd = open(b.image, O_WRONLY | O_CLOEXEC);

	memcpy(head + 8, &be, 8);
	memcpy(head + 16, &size, 4);
	memcpy(head + 72, &bits, 8);
	memcpy(head + 1024, name, strlen(name));
	assert_int_equal(pwrite(fd, head, sizeof(head), 0), (ssize_t)sizeof(head));
	close(fd);
}

static int open_as(const char *path, const char *format, bool readonly)
{
	struct hotplug_image image _cleanup_(hotplug_image_close) = HOTPLUG_IMAGE_INIT;

	return hotplug_image_open(path, format, readonly, &image, &b.e);
}

static void images(void **state)
{
	char fifo[160];

	(void)state;
	assert_int_equal(open_as(b.image, "raw", false), 0);
	refused(open_as(b.image, "qcow2", false), ERR_REFUSED, "no qcow2 image");
	make_qcow2(0, "", 0);
	assert_int_equal(open_as(b.image, "qcow2", false), 0);
	assert_int_equal(open_as(b.image, "raw", false), 0);
	refused(open_as(b.image, NULL, false), ERR_REFUSED, "--format qcow2");
	make_qcow2(1024, "/srv/base.img", 0);
	refused(open_as(b.image, "qcow2", false), ERR_REFUSED, "overlay of /srv/base.img");
	make_qcow2(0, "", 4);
	refused(open_as(b.image, "qcow2", false), ERR_REFUSED, "data is in a file of its own");
	refused(open_as(b.vm.dir, NULL, true), ERR_REFUSED, "neither a file nor a block device");
	refused(open_as("/no/such/image", NULL, true), ERR_ABSENT, "/no/such/image");
	snprintf(fifo, sizeof(fifo), "%s.fifo", b.image);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	refused(open_as(fifo, NULL, true), ERR_REFUSED, "neither a file nor a block device");
	unlink(fifo);
}

/* What a jump is refused for says how to undo it. */
static void a_jump_names_the_remedy(void **state)
{
	struct inventory before _cleanup_inventory_ = { .item = NULL };
	struct inventory now _cleanup_inventory_ = { .item = NULL };
	struct manifest_vm was = { .vm = { .name = "db1" } };

	(void)state;
	assert_int_equal(inventory_read(&b.q, &before, &b.e), 0);
	was.devices = before.item;
	was.ndevices = before.n;
	attached("one", "virtio-blk-pci", false);
	assert_int_equal(inventory_read(&b.q, &now, &b.e), 0);
	refused(inventory_check(&was, &now, &b.e), ERR_REFUSED,
		"'holdover detach db1 ID' takes each out: one");
}

int main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_scsi_disk_comes_and_goes),
		CASE(usb),
		CASE(ports),
		CASE(only_one_may_write),
		CASE(only_reading),
		CASE(undone),
		CASE(images),
		CASE(a_jump_names_the_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
