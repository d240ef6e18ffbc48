# SPDX-License-Identifier: GPL-2.0-only
"""A Linux guest with Debian's qemu-guest-agent: after the jump the agent has set its clock, and its monotonic clock has seen nothing.

Under two layers of emulation an agent takes far longer to answer than it is given, so the programs here are those with
fault points, told to wait for it (HOLDOVER_GUEST_AGENT_MS).
"""
import json

from lib import evidence, faults, paths
from lib.host import blackout_ms

HOST, TEMPLATE, TIMEOUT = "mini", None, 600
LONG = True
BUILD = ("guest-agent",)
# Kernel and initrd of the guest. Behind the host's own root, which is the first disk.
MACHINE = {"regions": ("512M!1G",), "memory": "2G",
           "more": ("-drive", f"file={paths.boot('agent', 'linux.ext4')},format=raw,if=none,id=linux,readonly=on",
                    "-device", "virtio-blk-pci,drive=linux,serial=linux,addr=1e")}
COPY = """set -e
for d in /sys/block/vd*; do [ "$(cat $d/serial)" != linux ] || disk=/dev/${d##*/}; done
mkdir -p /mnt
mount -o ro $disk /mnt
cp /mnt/vmlinux /mnt/initrd /var/lib/vms/
umount /mnt
sync
"""
PERIOD = 8000
CHANNEL = ("args = -device virtio-serial-pci -chardev socket,id=ga,path=/run/holdover/one/agent.sock,server=on,wait=off\n"
           "args = -device virtserialport,chardev=ga,name=org.qemu.guest_agent.0\n")


def offset(tick):
    """How far its wall clock is ahead of its monotonic one."""
    return tick.real_ms - tick.mono_ms


def listens(t):
    """Has the guest's agent opened its end?"""
    said = t.host.qmp("one", {"execute": "query-chardev"})
    devices = json.loads([line for line in said.splitlines() if '"return"' in line][-1])["return"]
    return next(d["frontend-open"] for d in devices if d["label"] == "ga")


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
        t.host.holdover("init")
        t.machine.run(COPY, 120)
    # Each tick keeps a machine that is emulated twice busy for a second: between them the agent has its turn.
    guest = t.host.guest("one", bare=False, args=CHANNEL, tick_ms=PERIOD)
    with t.step("the guest boots and ticks"):
        guest.run()
        guest.wait_ticks(1, 500)
    with t.step("its agent opens its channel"):
        while not listens(t):
            guest.wait_ticks(1, 120)
    moment = t.jump(1, command=f"kexec --now --initrd {faults.initrd(t)} --append HOLDOVER_GUEST_AGENT_MS=120000")
    with t.step("the guest ticks again"):
        guest.wait_ticks(2)
    blackout = blackout_ms(t.host.json("timeline"), "one")
    vm = t.host.vm("one")
    t.true(vm["clock_set"] and abs(vm["clock_lag_ms"] - blackout) < 250, "status says how far its clock was behind, and that it was set",
           f"{vm}, blackout {blackout:.0f} ms")
    t.true("behind" not in t.host.holdover("status one").out, "and has nothing that an operator should do")
    seen = guest.check()
    before, after = evidence.around(seen, moment)
    t.true(after.mono_ms - before.mono_ms < PERIOD + after.late_ms + before.work_ms + 1000,
           "its monotonic clock has seen nothing of the blackout", f"{after.mono_ms - before.mono_ms} ms from tick to tick")
    moved = offset(seen[-1]) - offset(before)
    # Two clocks that were read from an RTC, each to the second.
    t.true(abs(moved - blackout) < 2500, f"its wall clock was moved by {moved} ms, the blackout was {blackout:.0f} ms")
    steps = [offset(two) - offset(one) for one, two in zip(seen, seen[1:])]
    t.equal(len([s for s in steps if abs(s) > 500]), 1, "once, and at no other time")
    t.end()
