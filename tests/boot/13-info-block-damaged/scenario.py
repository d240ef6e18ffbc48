# SPDX-License-Identifier: GPL-2.0-only
"""The namespace's info block is damaged: the agent writes the ledger's copy back, and the VM goes on in the same boot."""
HOST = "mini"
TEMPLATE = None
TIMEOUT = 400
REGION, BLOCK = 1 << 30, (1 << 30) + 4096


def run(t):
    t.start("one")
    ram, uuid = t.machine.ram, t.host.json("show")["ledger"]
    block = ram.read(BLOCK, 4096)
    t.true(block.startswith(b"NVDIMM_DAX_INFO"), "there is an info block where it is looked for")
    for what, damage in (("one bit of it", lambda: ram.flip(BLOCK + 100)),
                         ("all of it", lambda: ram.write(BLOCK, bytes(4096)))):
        # The running kernel has read it long ago, so only the next one finds it damaged.
        damage()
        since = t.machine.serial.mark()
        moment = t.jump(1, f"{what} is damaged")
        t.true(t.machine.serial.matching("info block was written back from the ledger's copy", since),
               "the agent says what it did")
        t.equal(ram.read(BLOCK, 4096), block, "the info block is what it was")
        t.equal(t.host.json("show")["ledger"], uuid, "the ledger is the same")
        t.host.guests[0].wait_ticks(3)
        t.check_evidence(moment)
    since = t.machine.serial.mark()
    t.jump(1, "another jump")
    t.equal(t.machine.serial.matching("written back", since), [], "which finds nothing to mend")
    t.host.guests[0].wait_ticks(3)
    t.end()
