# SPDX-License-Identifier: GPL-2.0-only
"""memmap= moved, shrunk, grown, split: nothing is resumed, nothing is written, and the right one brings the VM back."""
import hashlib
import time

HOST = "mini"
TEMPLATE = None
TIMEOUT = 400
MACHINE = {"append": "holdover-test.late=0"}
REGION, SIZE, DATA = 1 << 30, 256 << 20, 8 << 20
# "$" keeps the rest of the region from being handed out, so that what is shown is Holdover's doing.
CHANGED = (
    ("moved", ("256M!1088M", "64M$1G"), "this kernel has 256M at 0x44000000"),
    ("shrunk", ("192M!1G", "64M$1216M"), "this kernel has 192M at 0x40000000"),
    ("grown", ("320M!1G",), "this kernel has 320M at 0x40000000"),
    ("split", ("128M!1G", "128M!1152M"), "this kernel has 128M at 0x"),
)


def digest(t):
    """Of the region's data: before it are the info block and what each kernel keeps of struct pages."""
    return hashlib.sha256(t.machine.ram.read(REGION + DATA, SIZE - DATA)).hexdigest()


def run(t):
    t.start("one", more="placement = late\n")
    moment = time.monotonic()
    t.host.jump()
    block = t.machine.ram.read(REGION + 4096, 4096)
    before = digest(t)
    for what, regions, text in CHANGED:
        t.keeps(f"memmap= {what}", t.host.other_kernel(regions, ticket=True), "DONE vms=unknown", text)
        t.says("status", 0, "VMs are sealed on memmap=256M!1G")
        t.says("resume", 1, "no pmem region of 256M at 0x40000000")
        t.says("init --memmap " + regions[0], 1)
        t.equal((digest(t), t.machine.ram.read(REGION + 4096, 4096) == block), (before, True),
                f"{what}: not a byte of data or info block has changed")
    t.keeps("a reset with the parameter put back", t.host.reset(), "DONE vms=0")
    t.says("resume", 0, "one: running")
    t.check_pause(moment)
    t.end()
