# SPDX-License-Identifier: GPL-2.0-only
"""A device of 1G pages: namespace, extent and ledger keep to them, and a VM goes through a jump on it."""

HOST = "mini"
TEMPLATE = None
TIMEOUT = 300
MACHINE = {"regions": ("3G!4G",), "memory": "6G"}
GIB = 1 << 30


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
    t.says("init --align 3M", 2, "--align")
    t.says("init --align 1G", 0, "/dev/dax")
    show = t.host.json("show")
    t.equal((show["align"], show["device_size"], show["ledger_size"]), (GIB, 2 * GIB, GIB),
            "device and ledger are multiples of 1G")
    t.equal(t.machine.run("cat /sys/bus/dax/devices/dax*/align").out.strip(), str(GIB), "the kernel says so, too")
    guest = t.host.guest("one", memory="1G")
    guest.run()
    guest.wait_ticks(3, 120)
    moment = t.jump(1)
    guest.wait_ticks(3)
    t.equal(t.host.json("show")["align"], GIB, "it is the same device after the jump")
    t.check_evidence(moment)
    t.end()
