# SPDX-License-Identifier: GPL-2.0-only
"""Debian testing's kernel and QEMU 11: `file:`, cpr-reboot, two VMs by offset=, with aux-ram-share=on and a VGA."""
HOST, SUITE, TEMPLATE, TIMEOUT = "mini", "testing", None, 150


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
        t.host.holdover("init")
    guests = []
    for name in ("one", "two"):
        guest = t.host.guest(name, args="args = -device VGA\n" if name == "one" else "")
        guest.config = guest.config.replace("machine = q35", "machine = q35,aux-ram-share=on")
        guest.define()
        guests.append(guest)
        with t.step(f"guest {name} ticks"):
            guest.run()
            guest.wait_ticks(3)
    with t.step("guest one keeps words in the VGA's memory, which is not on the region"):
        guests[0].stream.wait(r"^VIDEO .* bytes=65536$", 1)
    version = t.host.qmp("one", {"execute": "query-version"})
    t.true('"major": 11' in version, "QEMU 11 runs it", version)
    moment = t.jump(2)
    with t.step("the guests tick again"):
        for guest in guests:
            guest.wait_ticks(3)
    t.check_evidence(moment)
    t.end()
