# SPDX-License-Identifier: GPL-2.0-only
"""placement = initramfs: QEMU out of the image resumes the guest before the root is mounted, and lives on after it."""
TEMPLATE = "host"
TIMEOUT = 420
LONG = True
FILES = True
DISK = "/dev/disk/by-id/virtio-extra"


def first(t, pattern, since):
    at, _, _ = t.machine.serial.wait(pattern, 1, since)
    return at


def slow_root(t, iops):
    """The root's disk does so many operations a second, 0: as many as it can."""
    said = t.machine.qmp.command("human-monitor-command", command_line=f"block_set_io_throttle root 0 0 0 {iops} 0 0")
    if said:
        raise RuntimeError(said)


def jump(t):
    """Into a kernel whose root comes late, as from a slow store. Returns the outer time of the old kernel's end."""
    since, boot = t.machine.serial.mark(), t.machine.control.boot_id
    t.machine.control.start("holdover kexec --now --initrd /mnt/initrd-early.img "
                            "--append rd.holdover.timeout.initramfs=120", 300)
    _, moment, _ = t.machine.serial.wait("Linux version", 300, since)
    slow_root(t, 2)
    try:
        with t.step("the first pass resumes it"):
            t.machine.serial.wait("holdover: vm one: resumed", 180, since)
    finally:
        slow_root(t, 0)
    with t.step("the second one counts it"):
        t.machine.serial.wait("holdover: DONE vms=1 running=1 failed=0 kept=0", 180, since)
    t.machine.control.wait_boot(180, boot)
    return since, moment


def attach(t, pid):
    """Its QEMU cannot see the host's files any more, and is given one."""
    path = "/var/lib/vms/more.img"
    t.machine.run(f"truncate -s 1M {path}")
    add = {"execute": "blockdev-add", "arguments": {"driver": "file", "filename": path, "node-name": "by-path"}}
    t.true("No such file" in t.host.qmp("one", add, ok=None), "it cannot open a file of the host by its path")
    t.says(f"attach one {path} --device scsi-hd --id more", 0, "is attached as more")
    t.true(f"-> {path}\n" in t.machine.run(f"ls -l /proc/{pid}/fd").out, "`attach` gives it to it")
    t.says("detach one more", 0, "is detached")


def run(t):
    t.machine.run("mount /dev/disk/by-id/virtio-files /mnt")
    guest = t.host.guest("one", bare=True, disk=DISK, more="placement = initramfs\n",
                         args="args = -device virtio-scsi-pci,id=scsi\n")
    guest.run()
    guest.wait_ticks(3)
    t.equal(t.host.vm("one")["expected"], "initramfs", "status foresees the placement")
    since, moment = jump(t)
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    t.host.wait_multi_user(since)
    marks = [first(t, pattern, since) for pattern in (
        r"holdover: vm one: resumed", r"holdover: EARLY vms=1 running=1", r"EXT4-fs \(vd.\): mounted",
        r"holdover: DONE vms=1 running=1")]
    t.equal(marks, sorted(marks), "in kmsg: resumed, then the root is mounted, then the second pass counts it")
    vm = t.host.vm("one")
    t.equal((vm["state"], vm["resumed_at"], vm["moved_on"], vm["own_root"]), ("running", "initramfs", "", True),
            "status says where it was resumed, and that its root is its own")
    t.true("'holdover attach one IMAGE'" in t.host.holdover("status").out, "and how it is given files")
    attach(t, vm["pid"])
    root = f"/proc/{vm['pid']}/root"
    t.equal((t.machine.run(f"stat -fc %T {root}/").out.strip(), t.machine.run(f"test -x {root}/usr/bin/qemu-system-x86_64").code),
            ("tmpfs", 0), "its root is that file system, with its program")
    t.true("deleted" not in t.machine.run(f"readlink /proc/{vm['pid']}/exe").out, "which is the one that runs")
    t.true("/machine.slice/holdover-one.scope" in t.machine.run(f"cat /proc/{vm['pid']}/cgroup").out,
           "it is in its scope")
    t.true('"running": true' in t.host.qmp("one", {"execute": "query-status"}), "its monitor answers")
    t.machine.run("systemctl isolate multi-user.target && systemctl daemon-reexec")
    with t.step("after isolate and daemon-reexec it ticks on"):
        guest.wait_ticks(3)
    t.check_evidence(moment)
    t.end()
