# SPDX-License-Identifier: GPL-2.0-only
"""`systemctl poweroff`: the guest hears the power button, and has ended before the file systems go."""
import subprocess

TEMPLATE = "one"
TIMEOUT = 400


def run(t):
    guest, = t.host.guests
    guest.wait_ticks(2)
    since = t.machine.serial.mark()
    t.machine.control.start("systemctl poweroff", 60)
    with t.step("the guest shuts down by itself"):
        _, bye, _ = guest.stream.wait(r"^BYE ", 120)
    with t.step("the host powers off"):
        _, end, _ = t.machine.serial.wait("reboot: Power down", 120, since)
        try:
            t.machine.process.wait(120)
        except subprocess.TimeoutExpired:
            raise RuntimeError("it did not") from None
    t.true(bye < end, "the guest had ended before")
    guest.check()
    t.machine.close()
    with t.step("every record of every tick is on the guest's disk"):
        t.host.check_disks(t.logs)
