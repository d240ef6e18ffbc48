# SPDX-License-Identifier: GPL-2.0-only
"""Two regions with a VM each go through a jump; without the second region the first one's VM is resumed, and the other one's once it is back."""
from lib import evidence

HOST = "mini"
TEMPLATE = None
TIMEOUT = 400
FIRST, SECOND = "128M!1G", "128M!1280M"
MACHINE = {"regions": (FIRST, SECOND), "append": "holdover-test.late=0"}
CONFIG = f"[region]\nmemmap = {FIRST}\n[regions]\nnode1 = {SECOND}\n"


def start(t, name, more):
    guest = t.host.guest(name, more=more)
    guest.run()
    guest.wait_ticks(3, 120)
    return guest


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
    t.machine.control.put("/etc/holdover/holdover.conf", CONFIG)
    t.says(f"init --add --memmap {SECOND}", 1, "holdover init")
    t.host.holdover("init --ledger-size 8M")
    t.says(f"init --add --memmap {FIRST}", 1, "the ledger itself is in this region")
    t.says(f"init --add --memmap {SECOND}", 0, "region 1")
    t.says(f"init --add --memmap {SECOND}", 0, "kept")
    guests = [start(t, "one", ""), start(t, "two", "region = node1\n")]
    t.says(f"init --add --force --memmap {SECOND}", 1, "holds the RAM of VM two, which runs")
    show = t.host.json("show")
    t.equal({vm["name"]: vm["region"] for vm in show["vms"]}, {"one": 0, "two": 1}, "one VM in each region")
    t.equal([r["region_start"] for r in show["regions"]], [1280 << 20], "show tells the second region")
    moment = t.jump(2)
    for guest in guests:
        guest.wait_ticks(3)
    t.check_evidence(moment)
    for guest in guests:
        with t.step(f"{guest.name}: shuts down when asked"):
            t.host.holdover(f"stop --timeout 120 {guest.name}", 150)
    t.host.guests.clear()

    # Sealed, and left to the operator, who finds himself in a kernel without the second region.
    three, four = (start(t, name, "placement = late\n" + more) for name, more in (("three", ""), ("four", "region = node1\n")))
    with t.step("a jump that nobody resumes from"):
        t.host.jump()
    t.keeps("a kernel without the second region", t.host.other_kernel((FIRST, "128M$1280M")), "DONE vms=0")
    marks = [g.stream.mark() for g in (three, four)]
    t.says("resume", 4, "three: running", "four: kept", "128M!1280M", "no pmem region")
    with t.step("the first region's VM ticks, the other one's waits"):
        three.wait_ticks(3)
    t.silent(four, marks[1], "without its region")
    t.equal(t.host.vm("four")["record"], "SEALED", "its record is as it was")
    mark = four.stream.mark()
    t.keeps("a reset that brings the region back", t.host.reset(), "DONE vms=0")
    t.says("resume four", 0, "four: running")
    with t.step("four ticks, its memory and disk unbroken"):
        four.stream.wait(evidence.TICK.pattern, 120, mark)
        four.wait_ticks(2)
        four.check()
