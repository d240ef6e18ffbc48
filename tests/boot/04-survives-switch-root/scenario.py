# SPDX-License-Identifier: GPL-2.0-only
"""The QEMU that the initramfs started is an ordinary one in the full system: its root, its unit, its monitor."""

TEMPLATE = "one"
TIMEOUT = 300
UNIT = "holdover-one.scope"


def still_there(t, pid, after):
    t.equal(t.machine.run(f"systemctl is-active {UNIT}", ok=None).out.strip(), "active", f"{UNIT} is active {after}")
    t.true(f"/machine.slice/{UNIT}" in t.machine.run(f"cat /proc/{pid}/cgroup", ok=None).out,
           f"QEMU is in machine.slice {after}")


def run(t):
    guest, = t.host.guests
    since = t.machine.serial.mark()
    moment = t.jump(1)
    t.host.wait_multi_user(since)
    pid = t.host.pid("one")
    inode = "stat -Lc %d:%i"
    t.equal(t.machine.run(f"{inode} /proc/{pid}/root/.").out, t.machine.run(f"{inode} /").out,
            "QEMU's root directory is the real root")
    t.true("deleted" not in t.machine.run(f"readlink /proc/{pid}/exe").out, "its program is the file on the real root")
    for word in ("isolate multi-user.target", "daemon-reexec"):
        t.machine.run(f"systemctl {word}")
        still_there(t, pid, f"after systemctl {word}")
    t.true('"running": true' in t.host.qmp("one", {"execute": "query-status"}), "its monitor answers, the VM runs")
    t.machine.run("truncate -s 1M /var/lib/vms/added-later.img")
    disk = {"driver": "raw", "node-name": "later", "file": {"driver": "file", "filename": "/var/lib/vms/added-later.img"}}
    nodes = t.host.qmp("one", {"execute": "blockdev-add", "arguments": disk}, {"execute": "query-named-block-nodes"})
    t.true("/var/lib/vms/added-later.img" in nodes, "blockdev-add opens a file by its path")
    with t.step("the guest ticks on"):
        guest.wait_ticks(3)
    t.check_evidence(moment)
    t.end()
    # t.end() stopped the VM through that same QEMU: it obeyed and went.
