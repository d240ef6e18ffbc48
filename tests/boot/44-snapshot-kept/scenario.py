# SPDX-License-Identifier: GPL-2.0-only
"""A state in a snapshot that is loaded and then not used: loaded again by the late unit; and one that is kept and given up: its snapshot goes."""
import os
import subprocess

from lib import faults
from lib.host import DONE

HOST, TEMPLATE, TIMEOUT = "mini", None, 200
IMAGE = "/var/lib/vms/one.qcow2"
DISK, AWAY = "/var/lib/vms/one.img", "/var/lib/vms/away"


def snapshots(t, name):
    """How many the image has, as a running QEMU lists them."""
    return t.host.qmp(name, {"execute": "query-named-block-nodes"}).count('"vm-state-size"')


def looked_at(t):
    """The same with the image of a VM that does not run, through another VM."""
    t.host.bare_vm("look", args=f"-drive file={IMAGE},format=qcow2,if=none,id=state,readonly=on "
                   "-device virtio-blk-pci,drive=state")
    count = snapshots(t, "look")
    t.host.holdover("stop --force look")
    return count


def start(t):
    with t.step("the host boots"):
        t.machine.wait_up()
        t.host.holdover("init")
    empty = os.path.join(t.logs, "empty.img")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=4096", empty, "64M"], check=True)
    with open(empty, "rb") as f:
        t.machine.control.put(IMAGE, f.read(), "600")
    guest = t.host.guest("one", more="transport = snapshot\n",
                         args=f"args = -drive file={IMAGE},format=qcow2,if=none,id=state "
                              "-device virtio-blk-pci,drive=state,serial=state\n")
    with t.step("the guest ticks"):
        guest.run()
        guest.wait_ticks(3)
    return guest


def run(t):
    guest = start(t)
    since = faults.jump_into(t, "released:fail") + 1
    with t.step("the agent fails when QEMU has loaded the snapshot"):
        _, _, done = t.machine.serial.wait(DONE, 200, since)
    t.equal(done.group(1, 2), ("1", "0"), "it has resumed nothing")
    t.host.wait_multi_user(since)
    vm = t.host.vm("one")
    t.equal((vm["state"], vm["resumed_at"]), ("running", "late"), "the late unit has loaded it again")
    with t.step("the guest ticks where it was"):
        guest.wait_ticks(3)
    t.equal(snapshots(t, "one"), 0, "no snapshot is left in its image")
    guest.check()

    since = t.machine.serial.mark()
    faults.held(t, "kexec --now", "sealed_and_checked", lambda: t.machine.run(f"mv {DISK} {AWAY}; sync -f {AWAY}"))
    quiet = guest.stream.mark()
    with t.step("a jump without its other disk"):
        t.machine.serial.wait(DONE, 300, since)
    t.host.wait_multi_user(since)
    t.true(t.host.state("one") in ("sealed", "kept"), "it is kept")
    t.equal(looked_at(t), 1, "its image holds the snapshot")
    t.says("discard one", 0, "one: state given up")
    t.equal(looked_at(t), 0, "which is gone when its state is given up")
    t.silent(guest, quiet, "meanwhile")
    t.machine.run(f"mv {AWAY} {DISK}; sync")
    t.machine.close()
    with t.step("every record of every tick is on the guest's disk"):
        t.host.check_disks(t.logs)
