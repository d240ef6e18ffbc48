# SPDX-License-Identifier: GPL-2.0-only
"""The new kernel panics when the VM is CLAIMED: the next boot resumes it, with the second copy of the ticket."""
from lib import faults
from lib.host import DONE

TEMPLATE = None
HOST = "mini"
TIMEOUT = 240


def run(t):
    t.start("one")
    guest, = t.host.guests
    # A panic restarts the machine as a warm reboot does: RAM is kept.
    t.machine.qmp.command("set-action", reboot="reset")
    since = faults.jump_into(t, "claimed:panic") + 1
    with t.step("the new kernel panics in the agent's hands"):
        at, _, _ = t.machine.serial.wait(r"Kernel panic - not syncing: sysrq", 200, since)
    t.equal(len(t.machine.serial.matching(DONE, since)), 0, "before the agent was done")
    quiet = guest.stream.mark()
    with t.step("the machine starts again, and its agent has no ticket"):
        _, _, done = t.machine.serial.wait(DONE, 200, at)
    t.equal(done.group(1, 2), ("0", "0"), "so it resumes nothing")
    t.silent(guest, quiet, "before that")
    with t.step("the late unit runs"):
        t.host.wait_multi_user(at)
    vm = t.host.vm("one")
    t.equal((vm["state"], vm["record"]), ("running", "RUNNING"), "it has resumed the VM from its CLAIMED record")
    with t.step("the guest ticks again, where it was"):
        guest.wait_ticks(3)
    guest.check()
    t.equal(t.machine.run("ls /var/lib/holdover/ticket", ok=None).out, "", "the second copy is spent")
    t.end()
