# SPDX-License-Identifier: GPL-2.0-only
"""A QEMU that hangs holds up neither the other VM nor the boot: multi-user comes as soon as without it, and before its time is up."""
TEMPLATE = "host"
TIMEOUT = 600
LONG = True
QEMU = "/usr/bin/qemu-system-x86_64"
# Answers what `holdover check` asks; as VM one it is started and never says a word.
HANGS = """#!/bin/sh
case "$*" in *help*) exec /usr/bin/qemu-real "$@" ;; *"-name one "*) exec sleep 1000 ;; esac
exec /usr/bin/qemu-real "$@"
"""


def times(t, since):
    """Seconds from the kernel's first word to the mounted root, and to multi-user."""
    t.host.wait_multi_user(since)
    start, root, multi = (t.machine.serial.wait(pattern, 1, since)[1] for pattern in (
        "Linux version", r"EXT4-fs \(vd.\): mounted", "holdover-test: multi-user"))
    return root - start, multi - start


def run(t):
    one, two = (t.host.guest(name, bare=True) for name in ("one", "two"))
    for guest in (one, two):
        guest.run()
        guest.wait_ticks(2)
    since = t.machine.serial.mark()
    moment = t.jump(2, "a jump as ever", "kexec --now --append rd.holdover.wait=0")
    plain = times(t, since)
    t.check_evidence(moment)
    t.machine.control.put("/usr/bin/qemu-hangs", HANGS)
    t.machine.run(f"chmod 755 /usr/bin/qemu-hangs; cp -p {QEMU} /usr/bin/qemu-real; mv /usr/bin/qemu-hangs {QEMU}; sync")
    since = t.machine.serial.mark()
    t.machine.control.start("holdover kexec --now --append rd.holdover.timeout=150", 300)
    with t.step("the next kernel starts"):
        t.machine.serial.wait("Linux version", 120, since)
    quiet = one.stream.mark()
    with t.step("the other guest ticks again"):
        two.wait_ticks(3)
    hung = times(t, since)
    t.ok(f"from the kernel's start, root mounted after {plain[0]:.1f} s, with a VM that hangs {hung[0]:.1f} s; multi-user "
         f"{plain[1]:.1f} s and {hung[1]:.1f} s, ratio {hung[1] / plain[1]:.2f}")
    t.true(not t.machine.serial.matching("holdover: DONE", since), "multi-user is there while VM one still has its time")
    t.true(hung[1] < 1.5 * plain[1], "in about the same time")
    t.silent(one, quiet, "so far")
    t.machine.run(f"mv /usr/bin/qemu-real {QEMU}")
    with t.step("its time at this placement ends, and it moves on to the late one"):
        t.machine.serial.wait("holdover: DONE vms=2 running=1 failed=0 kept=1", 200, since)
        one.wait_ticks(3)
    vm = t.host.vm("one")
    t.equal((vm["state"], vm["resumed_at"]), ("running", "late"), "status says that it was resumed late")
    t.true(vm["moved_on"].startswith("sysroot: "), "and why not before", str(vm))
    for guest in (one, two):
        guest.check()
    t.end()
