# SPDX-License-Identifier: GPL-2.0-only
"""Two guests share one DAX device, each in its own extent, and both go on."""

TEMPLATE = "two"
TIMEOUT = 360


def run(t):
    one, two = t.host.guests
    maps = [t.machine.run(f"cat /proc/{t.host.pid(g.name)}/maps").out for g in (one, two)]
    offsets = [{line.split()[2] for line in text.splitlines() if "/dev/dax" in line} for text in maps]
    t.true(all(offsets) and not offsets[0] & offsets[1], "each QEMU maps its own part of the device", str(offsets))
    for guest in (one, two):
        guest.wait_ticks(2)
    moment = t.jump(2)
    with t.step("both tick again"):
        for guest in (one, two):
            guest.wait_ticks(3)
    for guest in (one, two):
        t.equal(t.host.state(guest.name), "running", f"status says that {guest.name} runs")
    t.check_evidence(moment)
    t.end()
