# SPDX-License-Identifier: GPL-2.0-only
"""RAM in files of a DAX file system, and jumps that are called off: a step fails after the seal, the stage dies with all file systems frozen."""
from lib import faults, fsdax

HOST, TEMPLATE, TIMEOUT = "mini", None, 240
MACHINE = fsdax.MACHINE


def at_rest(t, when):
    """The file system is mounted for DAX where it was, and takes what is written to it."""
    mounts = t.machine.run("cat /proc/self/mounts").out
    lines = [words for words in mounts.splitlines() if f" {fsdax.DIR} " in words]
    t.true(lines and all("dax=always" in words for words in lines), f"the file system is still mounted for DAX {when}", mounts)
    # One that is frozen lets nobody write until it is thawed.
    answer = t.machine.run(f"timeout 20 sh -c 'echo x >{fsdax.DIR}/probe && sync {fsdax.DIR}/probe && rm {fsdax.DIR}/probe'", 60,
                           ok=None)
    t.equal(answer.code, 0, f"it is not frozen {when}")


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
    t.host.holdover("init --fsdax --ledger-size 8M")
    guest = t.host.guest("one")
    fsdax.start(t, guest)
    guest.wait_ticks(3, 120)
    pid, boot = t.host.pid("one"), t.machine.control.boot_id

    answer = t.machine.run(faults.command("kexec --now", "sealed_and_checked:fail"), 180, ok=(1,))
    t.true("every VM runs on" in answer.err, "a failure after the seal calls the jump off", answer.err)
    t.undone(guest, pid, "after a failure behind the seal")
    at_rest(t, "after a failure behind the seal")

    faults.killed(t, "kexec --now", "frozen")
    quiet = guest.stream.mark()
    at_rest(t, "when the stage has died with it frozen")
    t.silent(guest, quiet, "with its state sealed")
    t.host.holdover("abort", 120)
    t.undone(guest, pid, "after abort")
    at_rest(t, "after abort")
    t.equal(t.machine.control.boot_id, boot, "the kernel is still the same")

    moment = t.jump(1, "then a jump")
    guest.wait_ticks(3)
    t.check_evidence(moment)
    at_rest(t, "after the jump")
    t.end()
