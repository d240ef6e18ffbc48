# SPDX-License-Identifier: GPL-2.0-only
"""QEMU is killed between seal and jump, while it loads, and when it runs again: never twice, and no other is held up."""
from lib import faults
from lib.host import DONE

TEMPLATE = None
HOST = "mini"
TIMEOUT = 240


def run(t):
    t.start("one", "two")
    one, two = t.host.guests
    run_in_host = t.machine.run
    pids = {g.name: t.host.pid(g.name) for g in (one, two)}

    job = faults.held(t, "kexec --now", "sealed_and_checked", lambda: run_in_host(f"kill -KILL {pids['one']}"))
    answer = t.machine.control.finish(job, 120)
    t.true(answer.code == 1 and "QEMU has ended" in answer.err and "holdover resume --never-ran one" in answer.err,
           "no jump without a VM that was saved, and what to do about it is said", str(answer))
    with t.step("the other runs on in place"):
        t.equal((t.host.state("two"), t.host.pid("two")), ("running", pids["two"]), "status says so")
        two.wait_ticks(3)
    vm = t.host.vm("one")
    t.equal((vm["state"], vm["record"]), ("kept", "RELEASED"), "the state of the dead one is kept")
    t.host.holdover("resume --never-ran one", 180)
    with t.step("its state continues it where it was"):
        one.wait_ticks(3)

    since = faults.jump_into(t, "qemu_started@1:children") + 1
    with t.step("the agent has a QEMU that dies under it"):
        _, _, done = t.machine.serial.wait(DONE, 200, since)
    t.equal(done.group(1, 2, 3), ("2", "1", "0"), "the other is resumed in time, nothing is given up")
    t.host.wait_multi_user(since)
    t.equal([t.host.state(g.name) for g in (one, two)], ["running", "running"], "the late unit has resumed the first")
    with t.step("both tick again"):
        for guest in (one, two):
            guest.wait_ticks(3)
            guest.check()

    run_in_host(f"kill -KILL {t.host.pid('one')}")
    quiet = one.stream.mark()
    t.equal(t.host.holdover("resume", 60, ok=(3,)).code, 3, "of a VM that was running nothing can be resumed")
    vm = t.host.vm("one")
    t.equal((vm["state"], vm["record"]), ("stopped", "RUNNING"), "status says that it has stopped")
    with t.step("the other ticks on"):
        two.wait_ticks(3)
    t.silent(one, quiet, "again")
    one.check()
    t.host.guests = [two]
    t.end()
    t.host.guests = [one]
    with t.step("every record of every tick of the other is on its disk, too"):
        t.host.check_disks(t.logs)
