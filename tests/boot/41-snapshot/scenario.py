# SPDX-License-Identifier: GPL-2.0-only
"""transport = snapshot: the state of a guest entered by PVH crosses in its qcow2 image, and nothing is written to its RAM."""
import os
import subprocess

HOST, TEMPLATE, TIMEOUT = "mini", None, 150
IMAGE = "/var/lib/vms/one.qcow2"


def snapshots(t):
    """How many the image has, as the running QEMU lists them."""
    return t.host.qmp("one", {"execute": "query-named-block-nodes"}).count('"vm-state-size"')


def run(t):
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
    roms = t.host.qmp("one", {"execute": "x-query-roms"})
    t.true("mem=ram" in roms, "its program is an image that a reset writes to RAM", roms)
    with t.step("holdover check saves it into a snapshot and says yes"):
        t.host.holdover("check", 180)
    t.equal(snapshots(t), 0, "the rehearsal's snapshot is gone")
    moment = t.jump(1)
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    t.equal(t.host.state("one"), "running", "status says running")
    t.equal(snapshots(t), 0, "the jump's snapshot is gone")
    t.check_evidence(moment)
    t.end()
