# SPDX-License-Identifier: GPL-2.0-only
"""A reset that keeps the RAM strikes between RELEASED and cont: kept, until an operator says that it never ran."""
from lib import faults
from lib.host import DONE

TEMPLATE = None
HOST = "mini"
TIMEOUT = 240


def run(t):
    t.start("one")
    guest, = t.host.guests
    t.machine.qmp.command("set-action", reboot="reset")
    since = faults.jump_into(t, "released:reset") + 1
    with t.step("the machine restarts in the agent's hands"):
        at, _, _ = t.machine.serial.wait(r"Linux version", 200, since)
    t.equal(len(t.machine.serial.matching(DONE, since)), 0, "before the agent was done")
    quiet = guest.stream.mark()
    with t.step("the host is up, the late unit has run"):
        t.host.wait_multi_user(at)
    vm = t.host.vm("one")
    t.equal((vm["state"], vm["record"]), ("kept", "RELEASED"), "the VM is kept as RELEASED")
    t.true("--never-ran" in vm["detail"], "status says what an operator may do", vm["detail"])
    answer = t.host.holdover("resume one", 60, ok=(1,))
    t.true("may have run" in answer.out + answer.err, "`holdover resume` alone refuses", str(answer))
    t.host.holdover("run one", 60, ok=(1,))
    t.ok("`holdover run` does not start it afresh over its state")
    t.silent(guest, quiet, "meanwhile")
    t.host.holdover("resume --never-ran one", 180)
    with t.step("the guest ticks again, where it was"):
        guest.wait_ticks(3)
    guest.check()
    t.equal(t.host.state("one"), "running", "status says running")
    t.end()
