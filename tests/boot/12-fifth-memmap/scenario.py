# SPDX-License-Identifier: GPL-2.0-only
"""A fifth memmap=, which the kernel's random placement does not keep clear of: refused unless nokaslr is there."""
HOST = "mini"
TEMPLATE = None
TIMEOUT = 300
MACHINE = {"append": "nokaslr", "regions": ("128M!1G", "16M!1152M", "16M!1168M", "16M!1184M", "16M!1200M")}


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
    t.machine.control.put("/etc/holdover/holdover.conf", "[region]\nmemmap = 128M!1G\n")
    with t.step("holdover init and a guest"):
        t.host.holdover("init")
        t.host.guest("one").run()
        t.host.guests[0].wait_ticks(2)
    pid = t.host.pid("one")
    line = t.machine.run("cat /proc/cmdline").out.strip()
    loose = " ".join(word for word in line.split() if word != "nokaslr")
    for words in ("check", "kexec --now"):
        t.says(f"{words} --cmdline '{loose}'", 1, "5 memmap= ranges and KASLR avoids only 4; add nokaslr")
    fewer = loose.replace(" memmap=16M!1200M", "")
    t.says(f"check --cmdline '{fewer}'", 1, "lacks memmap=16M!1200M")
    t.equal((t.host.state("one"), t.host.pid("one")), ("running", pid), "the same QEMU runs on")
    t.says("check", 0, "Ready to jump")
    moment = t.jump(1, "with nokaslr")
    t.host.guests[0].wait_ticks(3)
    t.check_evidence(moment)
    t.end()
