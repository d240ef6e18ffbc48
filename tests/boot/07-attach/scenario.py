# SPDX-License-Identifier: GPL-2.0-only
"""`attach`: a file and a block device go into a running VM by descriptor; a jump is refused until `detach`, then it works."""
HOST = "mini"
TEMPLATE = None
TIMEOUT = 200
IMAGE = "/var/lib/vms/more.img"


def held(t, path):
    """Has the VM's QEMU this file open?"""
    links = t.machine.run(f"ls -l /proc/{t.host.pid('one')}/fd").out
    return f"-> {path}\n" in links


def attach(t):
    t.machine.run(f"truncate -s 1M {IMAGE}")
    t.says(f"attach one {IMAGE}", 1, "Bus 'pcie.0' does not support hotplugging", "pcie-root-port")
    t.true(not held(t, IMAGE), "and nothing of it is left in QEMU")
    t.says(f"attach one {IMAGE} --format qcow2 --device scsi-hd", 1, "no qcow2 image")
    t.says(f"attach one {IMAGE} --device scsi-hd,serial=more", 0, "is attached as attached1")
    t.true(held(t, IMAGE), "QEMU has the file open")
    t.says(f"attach one {IMAGE} --device scsi-hd", 1, "lock")
    t.says("attach one /dev/vda --device scsi-hd", 1, "this host uses it", "--readonly")
    got = t.host.json("attach one /dev/vda --readonly --device scsi-hd --id root")
    t.equal((got["id"], got["image"], got["format"], got["readonly"]), ("root", "/dev/vda", "raw", True),
            "a block device is attached, for reading")
    t.true(held(t, "/dev/vda"), "QEMU has it open")
    t.equal(t.host.vm("one")["attached"], f"attached1 ({IMAGE}), root (/dev/vda)", "status lists both")


def detach(t):
    t.says("detach one other", 1, "attached1, root")
    for disk, path in (("attached1", IMAGE), ("root", "/dev/vda")):
        t.says(f"detach one {disk}", 0, "is detached")
        t.true(not held(t, path), "QEMU has closed it")
    t.says("detach one root", 1, "no disk root was attached")


def run(t):
    t.start("one", args="args = -device virtio-scsi-pci,id=scsi\n")
    guest, pid = t.host.guests[0], t.host.pid("one")
    attach(t)
    for verb in ("check", "kexec --now"):
        t.says(verb, 1, "'holdover detach one ID' takes each out: attached1, root")
    t.undone(guest, pid, "after the jump that was refused")
    detach(t)
    moment = t.jump(1)
    t.check_evidence(moment)
    t.end()
