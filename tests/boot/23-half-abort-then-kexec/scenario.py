# SPDX-License-Identifier: GPL-2.0-only
"""An abort is killed half done and somebody runs kexec -e: what was unsealed is gone, the other VM is resumed once."""
from lib import faults
from lib.host import DONE

TEMPLATE = None
HOST = "mini"
TIMEOUT = 240


def run(t):
    t.start("one", "two")
    one, two = t.host.guests
    faults.killed(t, "kexec --now", "sealed_and_checked")
    faults.killed(t, "abort", "vm_unsealed")
    records = {g.name: t.host.vm(g.name)["record"] for g in (one, two)}
    t.equal(records, {"one": "ABORTED", "two": "SEALED"}, "one seal is undone, the other not yet")
    t.equal(t.machine.run("cat /sys/kernel/kexec_loaded").out.strip(), "1", "the kernel is still loaded")
    since, quiet = t.machine.serial.mark(), one.stream.mark()
    t.machine.control.start("/usr/lib/holdover-test/kexec exec", 30)
    with t.step("kexec -e starts it, with the ticket that it was loaded with"):
        _, _, done = t.machine.serial.wait(DONE, 200, since)
    t.equal(done.group(2, 3, 4), ("1", "0", "0"), "the agent resumes the one that is sealed")
    with t.step("it ticks again, where it was"):
        two.wait_ticks(3)
    t.host.wait_multi_user(since)
    t.equal([t.host.vm(g.name)["record"] for g in (one, two)], ["ABORTED", "RUNNING"], "the late unit resumes no other")
    t.equal([t.host.state(g.name) for g in (one, two)], ["stopped", "running"], "status says so")
    t.silent(one, quiet, "again: its host has ended under it, as any crash")
    one.check()
    t.host.guests = [two]
    t.end()
    t.host.guests = [one]
    with t.step("every record of every tick of the other is on its disk, too"):
        t.host.check_disks(t.logs)
