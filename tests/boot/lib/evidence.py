# SPDX-License-Identifier: GPL-2.0-only
"""What a guest has said, held against what an undisturbed guest would say."""
import os
import re
import struct
import subprocess

TICK = re.compile(r"^TICK nonce=(\w+) n=(\d+) mono_ms=(\d+) real_ms=(\d+) sum=(\w+) disk=(\w+) late_ms=(\d+) work_ms=(\d+)$")
STEP = 0x9e3779b97f4a7c15
MASK = (1 << 64) - 1
RECORD = 512


def _seed(nonce, tick):
    z = (nonce + (tick + 1) * STEP) & MASK
    z = ((z ^ z >> 30) * 0xbf58476d1ce4e5b9) & MASK
    z = ((z ^ z >> 27) * 0x94d049bb133111eb) & MASK
    return z ^ z >> 31


CHUNKS, WORDS, INITIAL = 64, 1 << 17, 1 << 63        # WORDS: of the Linux guest


def area_sum(nonce, tick, words=WORDS):
    """What guest/area.c finds in its area after a tick when every word is right, computed without them."""
    total = 0
    for chunk in range(CHUNKS):
        back = (tick - chunk) % CHUNKS
        first = _seed(nonce, tick - back if tick > back else INITIAL | chunk)
        one = words * first + words * (words - 1) // 2 * STEP
        two = words * (words + 1) // 2 * first + (words - 1) * words * (words + 1) // 6 * STEP
        total = ((total + one) * STEP + two) & MASK
    return total


class Broken(Exception):
    """The evidence does not hold."""


class Tick:
    def __init__(self, arrived, found):
        nonce, n, mono, real, self.sum, self.disk, late, work = found.groups()
        self.arrived = arrived
        self.nonce, self.n = int(nonce, 16), int(n)
        self.mono_ms, self.real_ms, self.late_ms, self.work_ms = int(mono), int(real), int(late), int(work)


def ticks(stream):
    """All ticks of a guest's console so far."""
    with stream.changed:
        lines = list(stream.lines)
    return [Tick(at, found) for at, text in lines for found in [TICK.match(text)] if found]


def check(stream, nonce, words=WORDS):
    """The counter goes up by one, the clock never goes back, memory and disk are right. Returns the ticks."""
    with stream.changed:
        bad = [text for _, text in stream.lines if text.startswith(("CORRUPT", "Kernel panic", "BUG:", "Oops"))]
    if bad:
        raise Broken(f"{stream.name} says: {bad[0]}; log: {stream.log_path}")
    seen = ticks(stream)
    if not seen:
        raise Broken(f"{stream.name} never ticked; log: {stream.log_path}")
    if seen[0].n != 1:
        raise Broken(f"{stream.name}: the first tick is {seen[0].n}; log: {stream.log_path}")
    for tick in seen:
        if tick.nonce != nonce:
            raise Broken(f"{stream.name}: tick {tick.n} carries nonce {tick.nonce:x}, not {nonce:x}")
        if int(tick.sum, 16) != area_sum(nonce, tick.n - 1, words):
            raise Broken(f"{stream.name}: tick {tick.n}: the area's sum is {tick.sum}, not "
                         f"{area_sum(nonce, tick.n - 1, words):016x}")
        if tick.disk != "ok":
            raise Broken(f"{stream.name}: tick {tick.n}: its disk is {tick.disk}")
    for one, two in zip(seen, seen[1:]):
        if two.n != one.n + 1:
            raise Broken(f"{stream.name}: tick {one.n} is followed by {two.n}; log: {stream.log_path}")
        if two.mono_ms < one.mono_ms:
            raise Broken(f"{stream.name}: the clock goes back from {one.mono_ms} to {two.mono_ms} ms at tick {two.n}")
    return seen


def around(seen, moment):
    """The last tick that arrived before a moment of the outer clock, and the first after it."""
    before = [t for t in seen if t.arrived <= moment]
    after = [t for t in seen if t.arrived > moment]
    if not before or not after:
        raise Broken("no tick before the jump" if not before else "no tick after the jump")
    return before[-1], after[0]


def check_jump(seen, moment, blackout_ms):
    """Holds the ledger's blackout against the gap that the outer clock saw.

    Between the two ticks lie the blackout, what was left of the tick period, and the guest's own work for the second
    tick. Returns the outer gap in ms.
    """
    before, after = around(seen, moment)
    gap = (after.arrived - before.arrived) * 1000
    slack = 2 * max(t.work_ms + t.late_ms for t in seen[max(0, before.n - 20):]) + 2000
    if not blackout_ms - 100 <= gap <= blackout_ms + slack:
        raise Broken(f"the ledger says {blackout_ms:.0f} ms of blackout, the outer clock saw a gap of {gap:.0f} ms "
                     f"(at most {blackout_ms + slack:.0f} would fit)")
    # To the guest the jump is a pause: its clock must not have seen the blackout, or not twice.
    if after.mono_ms - before.mono_ms > gap + 1000:
        raise Broken(f"the guest's clock went on by {after.mono_ms - before.mono_ms} ms in a gap of {gap:.0f} ms")
    return gap


def check_record(data, tick):
    """One sector of the guest's disk must be what the guest must have written at this tick."""
    words = struct.unpack("<64Q", data)
    if data[:8] != b"HOLDTICK" or words[1] != tick.nonce or words[2] != tick.n:
        return "it is not this tick's record"
    if words[3] != tick.mono_ms or words[5] != int(tick.sum, 16):
        return "it differs from what the guest printed"
    value = _seed(tick.nonce, tick.n)
    for word in words[6:63]:
        if word != value:
            return "its content is wrong"
        value = (value + STEP) & MASK
    return None if sum(words[:63]) * STEP & MASK == words[63] else "its check sum is wrong"


def check_disk(image, seen):
    """image: the guest's raw disk, read outside after shutdown."""
    with open(image, "rb") as f:
        for tick in seen:
            f.seek(tick.n * RECORD)
            data = f.read(RECORD)
            why = "it is missing" if len(data) != RECORD else check_record(data, tick)
            if why:
                raise Broken(f"{image}: record {tick.n}: {why}")
    return len(seen)


def whole_disk(machine, name, out):
    """A disk of the outer machine as a raw file, after the machine has ended."""
    subprocess.run(["qemu-img", "convert", "-O", "raw", f"{machine.logs}/{name}.qcow2", out], check=True)
    return out


def extract(machine, path, out):
    """Copies a file out of the host's root file system, after the outer machine has ended."""
    raw = out + ".root"
    subprocess.run(["qemu-img", "convert", "-O", "raw", machine.disk, raw], check=True)
    try:
        # A host that was not shut down has a journal to replay; debugfs reads only what is replayed.
        subprocess.run(["e2fsck", "-p", "-E", "journal_only", raw], stdout=subprocess.DEVNULL, check=False)
        subprocess.run(["debugfs", "-R", f"dump {path} {out}", raw], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    finally:
        os.unlink(raw)
    if not os.path.exists(out):
        raise Broken(f"{path} is not in the host's file system")
    return out
