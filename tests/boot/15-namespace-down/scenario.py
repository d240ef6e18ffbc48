# SPDX-License-Identifier: GPL-2.0-only
"""The namespace is disabled, or raw by an operator's hand, or raw because its block is damaged: `holdover` puts it right itself."""
import time

HOST = "mini"
TEMPLATE = None
TIMEOUT = 300
MACHINE = {"append": "holdover-test.late=0"}
BLOCK = (1 << 30) + 4096
NAMESPACE = "/sys/bus/nd/devices/namespace0.0"
DOWN = "ndctl disable-namespace namespace0.0"
RAW = f"{DOWN} && echo 1 >{NAMESPACE}/force_raw && ndctl enable-namespace namespace0.0 && test -b /dev/pmem0"


def run(t):
    t.start("one", more="placement = late\n")
    moment = time.monotonic()
    t.host.jump()
    ram = t.machine.ram
    block = ram.read(BLOCK, 4096)
    t.says("status one", 0, "sealed")
    t.machine.run(DOWN)
    t.equal(t.machine.run("ls /dev/dax* 2>/dev/null", ok=None).out, "", "the namespace is disabled")
    t.says("status one", 0, "sealed")
    t.machine.run(RAW)
    t.says("status one", 0, "had come up raw", "sealed")
    t.equal(ram.read(BLOCK, 4096), block, "the intact block was not touched")
    t.machine.run(DOWN)
    ram.flip(BLOCK + 60)
    t.says("status one", 0, "written back from the ledger's copy", "sealed")
    t.equal(ram.read(BLOCK, 4096), block, "the damaged block is what it was")
    t.machine.run(DOWN)
    ram.write(BLOCK, bytes(4096))
    t.says("resume", 0, "written back from the ledger's copy", "one: running")
    t.check_pause(moment)
    t.end()
