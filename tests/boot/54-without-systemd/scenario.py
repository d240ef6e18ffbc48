# SPDX-License-Identifier: GPL-2.0-only
"""An initramfs without systemd: the hook resumes the guest, QEMU outlives switch_root, and the host takes it into its scope."""
TEMPLATE = "host"
TIMEOUT = 420
LONG = True
FILES = True
SCOPE = "holdover-one.scope"


def run(t):
    guest = t.host.guest("one", bare=True)
    guest.run()
    guest.wait_ticks(2)
    t.machine.run("mount /dev/disk/by-id/virtio-files /mnt")
    since = t.machine.serial.mark()
    moment = t.jump(1, command="kexec --now --initrd /mnt/initrd-shell.img")
    t.host.wait_multi_user(since)
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    with t.step("the late unit adopts its QEMU"):
        t.machine.serial.wait(f"holdover: vm one: adopted into {SCOPE}", 60, since)
    done, adopted = (t.machine.serial.wait(p, 1, since)[0] for p in ("holdover: DONE", "adopted into"))
    t.true(done < adopted, "it ran before there was a systemd")
    pid = t.host.pid("one")
    t.true(f"/machine.slice/{SCOPE}" in t.machine.run(f"cat /proc/{pid}/cgroup").out, "it is in its scope")
    t.equal(t.machine.run(f"systemctl is-active {SCOPE}", ok=None).out.strip(), "active", "which is active")
    t.equal(t.machine.run(f"stat -Lc %d:%i /proc/{pid}/root/.").out, t.machine.run("stat -Lc %d:%i /").out,
            "its root is the real root")
    t.machine.run("truncate -s 1M /var/lib/vms/later.img")
    disk = {"driver": "raw", "node-name": "later", "file": {"driver": "file", "filename": "/var/lib/vms/later.img"}}
    t.true("later" in t.host.qmp("one", {"execute": "blockdev-add", "arguments": disk},
                                 {"execute": "query-named-block-nodes"}), "a file is added by its path")
    t.machine.run("systemctl isolate multi-user.target && systemctl daemon-reexec")
    with t.step("after isolate and daemon-reexec it ticks on"):
        guest.wait_ticks(3)
    t.equal(t.machine.run("ls /run/holdover/adopt", ok=None).code, 2, "nothing is left to adopt")
    t.check_evidence(moment)
    t.end()
