# SPDX-License-Identifier: GPL-2.0-only
"""Debian 12's kernel 6.1 and QEMU 7.2 (`fd:`, no cpr-reboot, no offset=): a VM comes back; what 7.2 cannot do is refused."""
HOST, SUITE, TEMPLATE, TIMEOUT = "mini", "bookworm", None, 150


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
        t.host.holdover("init")
    guest = t.host.guest("one", args="args = -device VGA\n")
    with t.step("the guest ticks"):
        guest.run()
        guest.wait_ticks(3)
    with t.step("it keeps words in the VGA's memory, which is not on the region"):
        guest.stream.wait(r"^VIDEO .* bytes=65536$", 1)
    version = t.host.qmp("one", {"execute": "query-version"})
    t.true('"major": 7' in version, "QEMU 7.2 runs it", version)
    two = t.host.guest("two")
    answer = t.host.holdover("run two", ok=None)
    t.true(answer.code == 1 and "offset=" in answer.err, "a second VM, which would need offset=, is refused", str(answer))
    t.host.guests.remove(two)
    moment = t.jump(1)
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    t.check_evidence(moment)
    t.end()
