# SPDX-License-Identifier: GPL-2.0-only
"""The QEMU that the initramfs started is an ordinary one in the full system: its root, its unit, its monitor."""
from lib import adopted

TEMPLATE = "one"
TIMEOUT = 300


def run(t):
    guest, = t.host.guests
    since = t.machine.serial.mark()
    moment = t.jump(1)
    t.host.wait_multi_user(since)
    adopted.check(t, "one")
    with t.step("the guest ticks on"):
        guest.wait_ticks(3)
    t.check_evidence(moment)
    t.end()
    # t.end() stopped the VM through that same QEMU: it obeyed and went.
