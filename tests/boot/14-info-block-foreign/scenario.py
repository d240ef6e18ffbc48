# SPDX-License-Identifier: GPL-2.0-only
"""An info block that cannot be mended: refused with the reason, state kept, nothing written; mended by hand, the VM goes on."""
import time

HOST = "mini"
TEMPLATE = None
TIMEOUT = 400
MACHINE = {"append": "holdover-test.late=0"}
REGION, BLOCK, SIZE = 1 << 30, (1 << 30) + 4096, 256 << 20
COPY = 32 << 20                       # the ledger's own size; its first payload is the copy of the block


def refused(t, what, text, head):
    """A boot with the agent's ticket, then an operator's verbs; the first 8 KiB stay as they are."""
    t.keeps(what, t.host.other_kernel(("256M!1G",), ticket=True), "DONE vms=unknown", "cannot be mended", text)
    t.says("status", 0, "cannot be mended", text)
    t.says("resume", 1, text)
    t.says("init", 1)
    t.equal(t.machine.ram.read(REGION, 8192), head, "the first 8 KiB are untouched")


def run(t):
    t.start("one", more="placement = late\n")
    moment = time.monotonic()
    t.host.jump()
    ram = t.machine.ram
    block = ram.read(BLOCK, 4096)
    ram.flip(BLOCK + 100)
    ram.write(REGION + 0x438, b"\x53\xef")
    refused(t, "a file system begins where the info block was", "ext4", ram.read(REGION, 8192))
    ram.write(REGION + 0x438, bytes(2))
    copy = REGION + SIZE - COPY + 4096
    t.equal(ram.read(copy, 4096), block, "the ledger holds the block, byte for byte")
    ram.flip(copy + 200)
    refused(t, "the ledger's copy is rotten as well", "copy of the namespace's info block is damaged",
            ram.read(REGION, 8192))
    ram.flip(copy + 200)
    t.says("resume", 0, "written back from the ledger's copy", "one: running")
    t.equal(ram.read(BLOCK, 4096), block, "the info block is what it was")
    t.check_pause(moment)
    t.end()
