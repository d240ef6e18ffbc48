# SPDX-License-Identifier: GPL-2.0-only
"""transport = snapshot with Debian 12's QEMU 7.2, which is not told to wait: a guest that its firmware boots crosses, also paused; a -kernel is refused."""
from lib import bootdisk

HOST, SUITE, TEMPLATE, TIMEOUT = "mini", "bookworm", None, 240
IMAGE = "/var/lib/vms/one.qcow2"
STATE = f"args = -drive file={IMAGE},format=qcow2,if=none,id=state -device ide-hd,drive=state"


def snapshots(t):
    """How many the image has, as the running QEMU lists them."""
    return t.host.qmp("one", {"execute": "query-named-block-nodes"}).count('"vm-state-size"')


def refused(t):
    """A program that QEMU itself would write to RAM again."""
    kernel = t.host.guest("two", args=f"{STATE}\n", more="transport = snapshot\n")
    with t.step("a guest that -kernel loads ticks"):
        kernel.run()
        kernel.wait_ticks(3)
    pid = t.host.pid("two")
    for words in ("check", "kexec --now"):
        t.says(words, 1, "(7.2) would write /var/lib/vms/bare", "over the guest's RAM", "install QEMU 10.0 or newer")
    kernel.wait_ticks(3)
    t.equal((t.host.state("two"), t.host.pid("two")), ("running", pid), "it runs on")
    for before, after in zip(kernel.check(), kernel.check()[1:]):
        if after.mono_ms - before.mono_ms > 3000:
            t.true(False, "it was never paused", f"tick {after.n} comes {after.mono_ms - before.mono_ms} ms after the one before")
    # It had the beginning of the device, without which QEMU 7.2 cannot do.
    t.host.holdover("stop --force two")
    t.host.guests.remove(kernel)


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
        t.host.holdover("init")
    guest = t.host.guest("one", boots=True, args=f"{STATE},bootindex=0\n", more="transport = snapshot\n")
    t.machine.control.put(IMAGE, bootdisk.qcow2(t.logs, guest.line, 16 << 20), "600")
    refused(t)
    with t.step("a guest that boots from its image ticks"):
        guest.run()
        guest.wait_ticks(3)
    t.true("mem=ram" not in t.host.qmp("one", {"execute": "x-query-roms"}), "QEMU has no program of it")
    with t.step("holdover check saves it into a snapshot and says yes"):
        t.host.holdover("check", 180)
    t.equal(snapshots(t), 0, "the rehearsal's snapshot is gone")
    moment = t.jump(1)
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    t.equal((t.host.state("one"), snapshots(t)), ("running", 0), "status says running, and the jump's snapshot is gone")
    t.check_evidence(moment)

    t.host.qmp("one", {"execute": "stop"})
    quiet = guest.stream.mark()
    for what in ("a jump of a VM that its owner has paused", "and another"):
        t.jump(1, what)
        t.equal((t.host.state("one"), snapshots(t)), ("prelaunch", 0), "it is paused, as QEMU 7.2 says it")
    t.silent(guest, quiet, "until its owner continues it")
    t.host.qmp("one", {"execute": "cont"})
    with t.step("then it goes on where it was paused"):
        guest.wait_ticks(3)
    guest.check()
    t.end()
