# SPDX-License-Identifier: GPL-2.0-only
"""memmap= is left out: Holdover never jumps so; a kernel started so resumes nothing and says why; put back, the VM goes on."""
import time

HOST = "mini"
TEMPLATE = None
TIMEOUT = 300
MACHINE = {"append": "holdover-test.late=0"}
LATE = "placement = late\n"
# The memory is not handed out either, so that what is shown is Holdover's doing.
WITHOUT = ("256M$1G",)


def run(t):
    t.start("one", more=LATE)
    line = t.machine.run("cat /proc/cmdline").out.strip()
    bare = " ".join(word for word in line.split() if not word.startswith("memmap="))
    for words in ("check", "kexec --now"):
        t.says(f"{words} --cmdline '{bare}'", 1, "lacks memmap=256M!1G")
    t.equal(t.host.state("one"), "running", "the VM runs on")
    t.host.guests[0].wait_ticks(2)
    moment = time.monotonic()
    _, done = t.host.jump()
    t.equal((done["vms"], done["running"]), (1, 0), "the jump leaves the VM to the late placement")
    t.keeps("a kernel without memmap=", t.host.other_kernel(WITHOUT, ticket=True),
            "DONE vms=unknown", "no pmem region of 256M", "this kernel has none", "what was sealed is kept")
    t.says("status", 0, "VMs are sealed on memmap=256M!1G, which this kernel does not have")
    t.says("resume", 1, "no pmem region of 256M")
    t.says("run one", 1, "VMs are sealed on memmap=256M!1G")
    t.says("init", 1, "memmap=")
    t.keeps("a reset with the parameter put back", t.host.reset(), "DONE vms=0")
    t.says("status one", 0, "sealed", "holdover resume one")
    t.says("resume", 0, "one: running")
    t.check_pause(moment)
    t.end()
