# SPDX-License-Identifier: GPL-2.0-only
"""Is the QEMU that an initramfs started an ordinary process of the full system?"""
INODE = "stat -Lc %d:%i"
LATER = "/var/lib/vms/added-later.img"


def still_there(t, name, pid, after):
    unit = f"holdover-{name}.scope"
    t.equal(t.machine.run(f"systemctl is-active {unit}", ok=None).out.strip(), "active", f"{unit} is active {after}")
    t.true(f"/machine.slice/{unit}" in t.machine.run(f"cat /proc/{pid}/cgroup", ok=None).out,
           f"QEMU is in machine.slice {after}")


def check(t, name):
    """Its root, its program, its unit through what systemd does to units, its monitor, and a disk by its path."""
    pid = t.host.pid(name)
    t.equal(t.machine.run(f"{INODE} /proc/{pid}/root/.").out, t.machine.run(f"{INODE} /").out,
            "QEMU's root directory is the real root")
    t.true("deleted" not in t.machine.run(f"readlink /proc/{pid}/exe").out, "its program is the file on the real root")
    for word in ("isolate multi-user.target", "daemon-reload", "daemon-reexec"):
        t.machine.run(f"systemctl {word}", 120)
        still_there(t, name, pid, f"after systemctl {word}")
    t.true('"running": true' in t.host.qmp(name, {"execute": "query-status"}), "its monitor answers, the VM runs")
    t.machine.run(f"truncate -s 1M {LATER}")
    disk = {"driver": "raw", "node-name": "later", "file": {"driver": "file", "filename": LATER}}
    nodes = t.host.qmp(name, {"execute": "blockdev-add", "arguments": disk}, {"execute": "query-named-block-nodes"})
    t.true(LATER in nodes, "blockdev-add opens a file by its path")
    t.equal(t.host.pid(name), pid, "it is the same QEMU all the time")


def release(t, suite_says):
    """A VM without a guest goes through a jump of a whole host of another Debian release.

    suite_says: {shell command: text that its output must have}, to be sure of what is tested
    """
    for command, text in suite_says.items():
        t.true(text in t.machine.run(command).out, f"`{command}` says {text}")
    t.host.bare_vm("bare", disk=True)
    since = t.machine.serial.mark()
    _, done = t.host.jump("kexec --now")
    t.equal((done["vms"], done["running"]), (1, 1), "the agent resumes it in the initramfs")
    t.host.wait_multi_user(since)
    t.machine.run("systemctl start holdover-guests.service", 120)
    check(t, "bare")
    with t.step("it can be ended"):
        t.host.holdover("stop --force bare", 60)
