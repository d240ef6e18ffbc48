# SPDX-License-Identifier: GPL-2.0-only
"""Clocks: the host's goes on by the time stamp counter, the guest's lag is told by status.

An emulated counter is not invariant, so the programs here are those with fault points, told to take it for one
(HOLDOVER_TSC_INVARIANT): all but that word of the processor is as on a real host. That the programs for use refuse such a
counter is shown afterwards.
"""
import time

from lib import faults
from lib.host import blackout_ms

HOST, TEMPLATE, TIMEOUT = "mini", None, 200
CONF = "/etc/holdover/holdover.conf"


def ahead(t):
    """How far the host's clock is ahead of the outer machine's, in seconds, and how uncertain that is."""
    begin = time.monotonic()
    said = float(t.machine.run("touch /run/now && stat -c %.6Y /run/now").out)
    end = time.monotonic()
    return said - (begin + end) / 2, (end - begin) / 2


def run(t):
    t.start("one")
    guest, = t.host.guests
    t.machine.run(f"printf '[kexec]\\nhost-clock = tsc\\n' >{CONF}")
    before, error = ahead(t)
    since = t.machine.serial.mark()
    with t.step("the jump with programs that take the counter for invariant"):
        _, done = t.host.jump(f"--version; HOLDOVER_TSC_INVARIANT=1 {faults.PROGRAM} kexec --now "
                              f"--initrd {faults.initrd(t)} --append HOLDOVER_TSC_INVARIANT=1")
        t.equal(done["running"], 1, "the VM runs")
    moved = t.machine.serial.matching("host's clock was moved by", since)
    t.equal(len(moved), 1, "the agent has moved the host's clock by the counter")
    t.host.wait_multi_user(since)
    after, more = ahead(t)
    off = abs(after - before)
    t.true(off < 0.2 + error + more, "the host's clock is where it would be without the jump", f"{off:.3f} s off")
    blackout = blackout_ms(t.host.json("timeline"), "one")
    vm = t.host.vm("one")
    t.true(not vm["clock_set"] and abs(vm["clock_lag_ms"] - blackout) < 250, "status knows how far the guest's clock is behind",
           f"{vm} and a blackout of {blackout:.0f} ms")
    t.true("behind" in t.host.holdover("status one").out, "and says so")
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    guest.check()
    since = t.machine.serial.mark()
    t.jump(1, "a jump with the programs for use")
    refused = t.machine.serial.matching("clock stays as the RTC has it: .*invariant", since)
    t.equal(len(refused), 1, "they refuse a counter that is not invariant")
    t.host.wait_multi_user(since)
    t.end()
