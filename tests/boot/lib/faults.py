# SPDX-License-Identifier: GPL-2.0-only
"""Holdover with fault points (lib/fault.h) in the nested host: the programs die, or the host does, at a named step."""
import time

from .stream import Timeout

PROGRAM = "/usr/lib/holdover-test/faulty/holdover"
ARCHIVE = "/usr/lib/holdover-test/faulty/agent.cpio"
INITRD = "/var/lib/vms/faulty-initrd"


def command(words, fault):
    return f"HOLDOVER_FAULT={fault} {PROGRAM} {words}"


def killed(t, words, fault):
    """Runs holdover, which is killed at the fault point; anything else is a failure."""
    result = t.machine.run(command(words, fault), 180, ok=None)
    # 128 + SIGKILL, as the shell says it
    t.equal(result.code, 137, f"`holdover {words}` is killed at {fault}")


def held(t, words, fault, meanwhile):
    """Runs holdover, which stops at the fault point while meanwhile() is called, and goes on; its result."""
    job = t.machine.control.start(command(words, fault + ":hold"), 300)
    t.machine.run("timeout 120 sh -c 'until grep -qs \"^State:.T\" $(printf /proc/%d/status\" \" $(ps -C holdover -o pid=)); "
                  "do sleep 0.1; done'", 130)
    t.ok(f"`holdover {words}` is held at {fault}")
    meanwhile()
    t.machine.control.start("kill -CONT $(ps -C holdover -o pid=)", 30)
    return job


def initrd(t):
    """The nested host's initrd with the faulty agent in place of its own."""
    t.machine.run(f"cp /boot/initrd.img-$(uname -r) {INITRD} && truncate -s %4 {INITRD} && cat {ARCHIVE} >>{INITRD}")
    return INITRD


def jump_into(t, fault):
    """holdover kexec into a kernel whose agent has the fault; returns the console's line number of its start."""
    # One word for a host with systemd, and one that the kernel itself gives to an init without it.
    append = f"systemd.setenv=HOLDOVER_FAULT={fault} HOLDOVER_FAULT={fault}"
    words = f"kexec --now --initrd {initrd(t)} --append '{append}'"
    since = t.machine.serial.mark()
    job = t.machine.control.start(f"holdover {words}", 300)
    deadline = time.monotonic() + 300
    while True:
        try:
            return t.machine.serial.wait("Linux version", 1, since)[0]
        except Timeout:
            code = t.machine.control.code(job)
            if code is not None or time.monotonic() > deadline:
                raise Timeout(f"no jump: {t.machine.control.finish(job, 1) if code is not None else 'hangs'}") from None
