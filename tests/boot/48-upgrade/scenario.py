# SPDX-License-Identifier: GPL-2.0-only
"""The upgrade jump: sealed under Debian 13's kernel and QEMU, resumed by Debian testing's, which a package upgrade has put in their place."""
import json
import re

from lib import paths

HOST, TEMPLATE, TIMEOUT = "mini", None, 200
BUILD = ("mini testing",)
# The root of a testing host is what packages would bring. Behind the host's own root, which is the first disk.
MACHINE = {"more": ("-drive", f"file={paths.boot('mini-testing', 'root.ext4')},format=raw,if=none,id=next,readonly=on",
                    "-device", "virtio-blk-pci,drive=next,serial=next,addr=1e")}
QEMU = "/usr/bin/qemu-system-x86_64"
# QEMU 10.0.13 of Debian 13 makes every queue of virtio 1024 long, whatever was asked for, and 11.1 refuses a state with
# queues longer than its own.
QUEUE = "virtio-blk-pci,queue-size=1024,"
# As a package manager does it: what is replaced stays with whoever has it open.
UPGRADE = """set -e
for d in /sys/block/vd*; do [ "$(cat $d/serial)" != next ] || disk=/dev/${d##*/}; done
mkdir -p /mnt
mount -o ro $disk /mnt
cp -a --remove-destination /mnt/usr/. /usr/
cp -a --remove-destination /mnt/boot/. /boot/
umount /mnt
sync
"""


def answer(t, name, command, **arguments):
    said = t.host.qmp(name, {"execute": command, "arguments": arguments} if arguments else {"execute": command})
    return json.loads([line for line in said.splitlines() if '"return"' in line][-1])["return"]


def runs(t, name):
    """Version of its QEMU, and its machine type."""
    version = answer(t, name, "query-version")["qemu"]
    return version["major"], answer(t, name, "qom-get", path="/machine", property="type")


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
        t.host.holdover("init")
    guest = t.host.guest("one")
    guest.config = guest.config.replace("virtio-blk-pci,", QUEUE)
    guest.define()
    with t.step("the guest ticks"):
        guest.run()
        guest.wait_ticks(2, 120)
    t.equal(runs(t, "one"), (10, "pc-q35-10.0-machine"), "QEMU 10 runs it as the newest machine that it knows")
    old, pid = t.machine.run("uname -r").out.strip(), t.host.pid("one")
    with t.step("kernel, QEMU and libraries are upgraded"):
        t.machine.run(UPGRADE, 120)
    t.true("(deleted)" in t.machine.run(f"readlink /proc/{pid}/exe").out, "the VM's QEMU has lost its file and runs on")
    guest.wait_ticks(3)
    new, = [k for k in t.machine.run("ls /boot").out.split() if k.startswith("vmlinuz-") and k != f"vmlinuz-{old}"]
    words = f"--kernel /boot/{new} --initrd /boot/{new.replace('vmlinuz', 'initrd.img')}"
    said = t.says(f"check {words}", 0, f"{QEMU} on disk (", "can load pc-q35-10.0, as 10.0 runs it", "Ready to jump")
    major = int(re.search(r"on disk \((\d+)\.", said.out)[1])
    t.true(major > 10, "the one that it asked is newer", f"version {major}")
    moment = t.jump(1, "the jump to the next kernel", f"kexec --now {words}")
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    t.equal(t.machine.run("uname -r").out.strip(), new.partition("-")[2], "the kernel is the next one")
    t.equal(runs(t, "one"), (major, "pc-q35-10.0-machine"), "the next QEMU runs it, as the machine that it was")
    t.check_evidence(moment)

    t.host.bare_vm("fresh")
    t.equal(runs(t, "fresh")[1] == "pc-q35-10.0-machine", False, "a VM that starts now gets a newer machine from the same file")
    t.jump(2, "a jump of both under the new kernel")
    t.equal(runs(t, "one"), (major, "pc-q35-10.0-machine"), "the first one is still what it was")
    guest.wait_ticks(3)
    guest.check()
    t.host.holdover("stop --force fresh")
    t.end()
