# SPDX-License-Identifier: GPL-2.0-only
"""The host's tools know a VM: limits on its scope, its words in the journal with the initramfs's time, its unit's status."""

TEMPLATE = "host"
TIMEOUT = 400
LIMITS = "cpu-weight = 55\ncpu-quota = 150%\nmemory-max = 700M\ntasks-max = 99\n"
WANT = "CPUWeight=55\nMemoryMax=734003200\nTasksMax=99\nCPUQuotaPerSecUSec=1.500000s"
WORDS = "global holdover-test.words has invalid class name"


def limits(t, when):
    got = t.machine.run("systemctl show -p CPUWeight -p MemoryMax -p TasksMax -p CPUQuotaPerSecUSec holdover-bare.scope").out
    t.equal(sorted(got.split()), sorted(WANT.split()), f"the limits are on its scope {when}")


def run(t):
    t.host.bare_vm("bare", LIMITS, "-global holdover-test.words=1")
    limits(t, "after run")
    t.true(WORDS in t.machine.run("journalctl -b -t holdover-bare -o cat").out, "the journal has QEMU's words")
    since = t.machine.serial.mark()
    t.host.jump("kexec --now")
    t.host.wait_multi_user(since)
    t.machine.run("systemctl start holdover-guests.service", 120)
    limits(t, "after the jump")
    found = t.machine.run("journalctl -b -t holdover-bare -o short-monotonic").out
    t.true(WORDS in found, "the journal has the words of the QEMU that the initramfs started", found)
    at = float(found[found.index("[") + 1:found.index("]")])
    root = t.machine.run("journalctl -b -o short-monotonic -u initrd-switch-root.service -u initrd-switch-root.target").out
    switch = float(root[root.index("[") + 1:root.index("]")])
    t.true(at < switch, "with the time of the initramfs", f"{at} and {switch}")
    t.true(WORDS in t.machine.run("systemctl status -n 50 holdover-bare.scope", ok=None).out,
           "`systemctl status` of its scope shows them")
    t.true("bare: resumed" in t.machine.run("journalctl -b -t holdover -o cat", ok=None).out or
           "bare: resumed" in t.machine.run("journalctl -b -k -o cat").out, "the agent's own lines are in the journal")
    for word in ("daemon-reload", "daemon-reexec", "isolate multi-user.target"):
        t.machine.run(f"systemctl {word}", 120)
        limits(t, f"after systemctl {word}")
        t.equal(t.machine.run("systemctl is-active holdover-bare.scope holdover-guests.service", ok=None).out.split(),
                ["active", "active"], f"its scope and holdover-guests.service are active after systemctl {word}")
