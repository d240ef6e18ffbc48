# SPDX-License-Identifier: GPL-2.0-only
"""A root that is mounted read-only leaves the VM to the late placement; rd.holdover.remount-rw, if asked for, does not."""
TEMPLATE = "host"
TIMEOUT = 480
LONG = True


def jump(t, more, running):
    line = t.machine.run("cat /proc/cmdline").out.split()
    line = [w for w in line if w != "rw" and not w.startswith("rd.holdover")] + ["ro", *more]
    since = t.machine.serial.mark()
    moment = t.jump(running, f"a jump with {' '.join(['ro', *more])}", f"kexec --now --cmdline '{' '.join(line)}'", 1)
    guest, = t.host.guests
    guest.wait_ticks(3)
    t.host.wait_multi_user(since)
    t.check_evidence(moment)
    return since, t.host.vm("one")


def run(t):
    guest = t.host.guest("one", bare=True)
    guest.run()
    guest.wait_ticks(2)
    since, vm = jump(t, [], 0)
    t.equal(vm["resumed_at"], "late", "it is resumed in the real root")
    t.true("read-only file system" in vm["moved_on"], "since the root was read-only before", vm["moved_on"])
    since, vm = jump(t, ["rd.holdover.remount-rw"], 1)
    t.equal((vm["resumed_at"], vm["moved_on"]), ("sysroot", ""), "it is resumed in the initramfs")
    t.machine.serial.wait("is mounted read-write now", 1, since)
    t.ok("the log says that the root was remounted")
    t.end()
