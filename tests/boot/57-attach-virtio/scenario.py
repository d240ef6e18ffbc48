# SPDX-License-Identifier: GPL-2.0-only
"""A virtio disk, attached to the free port of a q35 machine: the guest's Linux sees it, lets go of it when asked, and jumps."""
TEMPLATE = "host"
TIMEOUT = 700
LONG = True
IMAGE = "/var/lib/vms/more.img"


def run(t):
    guest = t.host.guest("one", bare=False, args="args = -device pcie-root-port,id=port1,chassis=1\n")
    with t.step("a guest with Linux boots and ticks"):
        guest.run()
        guest.wait_ticks(3, 400)
    t.machine.run(f"truncate -s 1M {IMAGE}")
    t.says(f"attach one {IMAGE}", 0, "is attached as attached1, virtio-blk-pci behind port1")
    t.says("attach one /dev/disk/by-label/holdover-root --readonly", 1, "Bus 'pcie.0' does not support hotplugging", "one free port a disk")
    t.says("detach one attached1 --timeout 150", 0, "is detached")
    t.says(f"attach one {IMAGE} --id again", 0, "is attached as again, virtio-blk-pci behind port1")
    t.says("kexec --now", 1, "'holdover detach one ID' takes each out: again")
    t.says("detach one again --timeout 150", 0, "is detached")
    with t.step("it ticks on"):
        guest.wait_ticks(3)
    moment = t.jump(1)
    with t.step("and after a jump"):
        guest.wait_ticks(3)
    t.check_evidence(moment)
    t.end()
