# SPDX-License-Identifier: GPL-2.0-only
"""Stale states, an attacker who holds the DAX device, and QEMUs that go wrong: one function a case."""

import json
import os
import random
import socket
import subprocess
import time

from bench import DEVICE, DEVICE1, DEVICE_SIZE, INITRD, LEDGER_SIZE, MEMMAP1, MEMMAP2, MS_BIND, MS_RDONLY, MS_REMOUNT, REGION, \
    REGION1, REGION2, TICKET, TICKET_COPY, Wrong, cpio, get, mount, put, remove, there, umount
from walk import ARMED, Life, MORE, PENDING, act_arm, act_attach, act_detach, fresh_host, jumped, jumped_snapshot, last_step, \
    numa_host, pids, repair, snapshot_host, whole_jump, with_manager

SCENARIOS = []


def scenario(f):
    SCENARIOS.append((f.__doc__.split("\n")[0], f))
    return f


def scenarios(make, *params):
    for p in params:
        f = make(*p)
        SCENARIOS.append((f.__doc__.split("\n")[0], f))


def expect(b, d, rc, *texts):
    if d.rc != rc:
        raise Wrong("status %d, not %d: %s" % (d.rc, rc, d))
    for t in texts:
        if t not in d.out + d.err:
            raise Wrong("does not say '%s': %s" % (t, d))


def ledger():
    with open(DEVICE, "rb") as f:
        f.seek(DEVICE_SIZE - LEDGER_SIZE)
        return f.read()


def write_ledger(data):
    with open(DEVICE, "r+b") as f:
        f.seek(DEVICE_SIZE - LEDGER_SIZE)
        f.write(data)


def whole_device():
    """Without the journal, which only takes times."""
    data = get(DEVICE)
    at = DEVICE_SIZE - LEDGER_SIZE + 0x88000
    return data[:at] + data[at + 0x10000:]


def loads(b):
    return [s for s in b.score() if s[2] == "load"]


def resumed(b):
    return [s for s in b.score() if s[2] == "cont" and s[4] == "paused"]


def nothing_resumed(b, before):
    """And nothing destroyed: RAM and ledger are what they were."""
    if loads(b) or any(b.qemus(n) for n in b.vms):
        raise Wrong("something was started: %s" % b.score())
    if before != whole_device():
        raise Wrong("the region was written to")


def sealed(b, state="sealed"):
    for name, v in b.status().items():
        if v["state"] != state or not v["detail"]:
            raise Wrong("%s: status says %s (%s)" % (name, v["state"], v["detail"]))


def resumes(b):
    """The right ticket is there: all VMs come back, once."""
    b.holdover("resume")
    found = Life(b).verdict()
    if set(found.values()) != {"running"}:
        raise Wrong("not resumed: %s" % found)


# ---- tickets ------------------------------------------------------------------------------------------

@scenario
def no_ticket(b):
    """without any ticket the agent leaves at once and changes nothing"""
    jumped(b)
    remove(TICKET)
    copy = get(TICKET_COPY)
    remove(TICKET_COPY)
    before = whole_device()
    expect(b, b.agent(), 0, "DONE vms=0 running=0 failed=0 kept=0")
    expect(b, b.late(), 3, "no ticket")
    nothing_resumed(b, before)
    sealed(b)
    put(TICKET_COPY, copy)
    resumes(b)


@scenario
def agent_of_before(b):
    """check tells of an agent in the initrd that is older than the ledger that it will find"""
    fresh_host(b)
    files = "--kernel", "/boot/vmlinuz-t", "--initrd", "/boot/initrd-t"
    agents = ((b"an agent", "up to format 1.1 "), (b"@(#)holdover ledger format 1.0\n", "up to format 1.0 "),
              (get("/bin/holdover-agent"), "initrd-t contains holdover-agent"))
    for content, text in agents:
        put("/boot/initrd-t", cpio("usr/lib/holdover/holdover-agent", content))
        expect(b, b.holdover("check", *files), 0, text, "Ready to jump")


@scenario
def timeline_of_the_jump(b):
    """what looks at a jump after its last VM runs is no part of its timeline"""
    jumped(b)
    b.agent()
    before = b.holdover("timeline").out
    if before.count("region-ready") != 1 or "agent-done" not in before.splitlines()[-2]:
        raise Wrong("the agent's part is not there: %s" % before)
    b.late()
    if b.holdover("timeline").out != before:
        raise Wrong("another timeline: %s" % b.holdover("timeline").out)


def two_passes(fault):
    def f(b):
        b.reset_world()
        for name in b.vms:
            path = "/etc/holdover/vms.d/%s.conf" % name
            put(path, get(path).decode() + "placement = initramfs\n")
        b.start_all()
        b.kexec()
        b.jump()
        d = b.early(fault=fault)
        if fault:
            expect(b, d, -9)
        else:
            expect(b, d, 0, "EARLY vms=2 running=0 failed=0 kept=2", "left to a later placement: the image holds no QEMU")
            if there(TICKET) or not there("/run/holdover/ticket"):
                raise Wrong("the ticket is not where the next pass looks for it")
        if loads(b):
            raise Wrong("something was started: %s" % b.score())
        expect(b, b.agent(), 0, "DONE vms=2 running=2 failed=0 kept=0")
        found = Life(b).verdict()
        if set(found.values()) != {"running"}:
            raise Wrong("not resumed: %s" % found)
        for v in b.status().values():
            if v["resumed_at"] != "sysroot" or (not fault and "initramfs: the image" not in v["moved_on"]):
                raise Wrong("status does not tell the way: %s" % v)
    f.__doc__ = "a first pass %s: the second takes its ticket up" % (
        "killed at %s" % fault if fault else "whose image has no QEMU")
    return f


scenarios(two_passes, (None,), ("ticket_taken",), ("ticket_moved",))


def bad_ticket(what, change, text, after_late):
    def f(b):
        jumped(b)
        change(b)
        before = whole_device()
        d = b.agent()
        expect(b, d, 1, "DONE vms=unknown running=0", text)
        nothing_resumed(b, before)
        sealed(b)
        b.late()
        resumes(b)
    f.__doc__ = "a ticket that %s: refused, nothing changed, the second copy resumes" % what
    return f


def cut(b):
    put(TICKET, get(TICKET)[:100], 0o400)


def flipped(b):
    t = bytearray(get(TICKET))
    t[100] ^= 1
    put(TICKET, bytes(t), 0o400)


def readable(b):
    os.chmod(TICKET, 0o444)


def other_key(b):
    b.run("attacker", "key", TICKET)


def newer_ticket(b):
    b.run("attacker", "version", TICKET, "2", "0")


def old_jumps_ticket(b):
    """jump 1 and back to running, then jump 2 with jump 1's ticket"""
    old = get(TICKET)
    b.agent()
    b.late()
    b.kexec()
    b.jump()
    remove("/bench/score")
    put(TICKET, old, 0o400)


scenarios(bad_ticket,
          ("is cut", cut, "192", None),
          ("has a bit flipped", flipped, "damaged", None),
          ("others may read", readable, "nobody else may use", None),
          ("has another key", other_key, "another ticket", None),
          ("has a newer major version", newer_ticket, "major version", None),
          ("is the last jump's", old_jumps_ticket, "", None))


def other_minor_ticket(what, minor):
    def f(b):
        jumped(b)
        b.run("attacker", "version", TICKET, "1", minor)
        expect(b, b.agent(), 0, "running=2")
        Life(b).verdict()
    f.__doc__ = "a ticket of %s minor version is accepted" % what
    return f


scenarios(other_minor_ticket, ("a newer", "9"), ("an older", "0"))


@scenario
def boot_after_running(b):
    """a boot after RUNNING resumes nothing, with the old ticket in initrd and second copy"""
    jumped(b)
    copy = get(TICKET_COPY)
    b.agent()
    b.late()
    if there(TICKET_COPY):
        raise Wrong("the second copy outlives its use")
    n = len(loads(b))
    life = Life(b)
    life.power_cut(ticket=b.old_ticket)
    put(TICKET_COPY, copy)
    before = get(DEVICE)[:-LEDGER_SIZE]
    b.agent()
    b.late()
    b.holdover("resume")
    if len(loads(b)) != n or before != get(DEVICE)[:-LEDGER_SIZE]:
        raise Wrong("resumed again")
    life.verdict()
    for name, v in b.status().items():
        if not v["detail"]:
            raise Wrong("%s: status does not tell: %s" % (name, v))
    repair(b)
    b.check_score()
    whole_jump(b)


@scenario
def kexec_again_without_seal(b):
    """a second start of the same kernel, without a new seal, resumes nothing"""
    jumped(b)
    b.agent()
    n = len(loads(b))
    life = Life(b)
    life.power_cut(ticket=b.old_ticket)
    b.agent()
    b.late()
    if len(loads(b)) != n:
        raise Wrong("resumed again")
    life.verdict()
    repair(b)


# ---- region, ledger, versions -------------------------------------------------------------------------

def other_region(what, change):
    def f(b):
        jumped(b)
        region = get("/bench/region")
        change()
        before = whole_device()
        d = b.agent()
        expect(b, d, 1, "DONE vms=unknown running=0")
        b.late()
        nothing_resumed(b, before)
        put("/bench/region", region)
        sealed(b)
        b.late()
        resumes(b)
    f.__doc__ = "a region that %s: refused, nothing changed, resumed when it is back" % what
    return f


UUID = "11111111-2222-4333-8444-555555555555"
scenarios(other_region,
          ("is gone", lambda: remove("/bench/region")),
          ("was moved", lambda: put("/bench/region", "0x200000000 0x800000 %s\n" % UUID)),
          ("has another size", lambda: put("/bench/region", "0x100000000 0xc00000 %s\n" % UUID)),
          ("has another namespace",
           lambda: put("/bench/region", REGION % "99999999-2222-4333-8444-555555555555")))


def head_file():
    return get("/bench/head")


def damaged_block(what, head):
    def f(b):
        jumped(b)
        put("/bench/head", head)
        expect(b, b.agent(), 0, "written back from the ledger's copy", "DONE vms=2 running=2")
        if b"NVDIMM_DAX_INFO" not in head_file():
            raise Wrong("the block was not written back")
        Life(b).verdict()
    f.__doc__ = "an info block that %s: mended by the agent, all VMs resumed" % what
    return f


# Of the block the bench never sees more than this; the rest of it comes from the ledger.
SIGNED = b"\0" * 4096 + b"NVDIMM_DAX_INFO\0" + b"\0" * 4080
scenarios(damaged_block,
          ("is wiped", b"\0" * 8192),
          ("is noise", b"\0" * 4096 + random.Random(1).randbytes(4096)),
          ("is signed but has another sum", SIGNED))


def foreign_block(what, head, text):
    def f(b):
        jumped(b)
        put("/bench/head", head)
        before = whole_device()
        expect(b, b.agent(), 1, "cannot be mended", text, "DONE vms=unknown running=0")
        expect(b, b.late(), 1, text)
        if b.holdover("init").rc == 0:
            raise Wrong("and init formats it")
        nothing_resumed(b, before)
        if head_file() != head:
            raise Wrong("the head of the region was written to")
        put("/bench/head", b"\0" * 8192)
        resumes(b)
    f.__doc__ = "%s where the info block was: not overwritten, refused, resumed when it is gone" % what
    return f


scenarios(foreign_block,
          ("a file system", b"\0" * 0x438 + b"\x53\xef" + b"\0" * (8192 - 0x43a), "ext4"),
          ("an fsdax namespace's block", b"\0" * 4096 + b"NVDIMM_PFN_INFO\0" + b"\0" * 4080, "fsdax"),
          ("a boot sector", b"\0" * 510 + b"\x55\xaa" + b"\0" * 7680, "boot sector"))


@scenario
def kernel_refuses_the_block(b):
    """a kernel that does not accept the info block written back: kept, resumed by one that does"""
    jumped(b)
    put("/bench/head", b"\0" * 8192)
    put("/bench/refuse-block", "")
    before = whole_device()
    expect(b, b.agent(), 1, "after its info block was written back", "DONE vms=unknown running=0")
    expect(b, b.late(), 1, "came up raw")
    nothing_resumed(b, before)
    remove("/bench/refuse-block")
    resumes(b)


def no_copy(what, change):
    def f(b):
        jumped(b)
        put("/bench/head", b"\0" * 8192)
        whole = ledger()
        write_ledger(change(bytearray(whole)))
        before = whole_device()
        expect(b, b.agent(), 1, "DONE vms=unknown running=0", "cannot be mended")
        nothing_resumed(b, before)
        if head_file() != b"\0" * 8192:
            raise Wrong("the head of the region was written to")
        write_ledger(whole)
        resumes(b)
    f.__doc__ = "a wiped info block, and %s: refused, nothing written" % what
    return f


def flip_at(*places):
    def change(data):
        for at in places:
            data[at] ^= 1
        return data
    return change


scenarios(no_copy,
          ("the ledger's copy of it rotten", flip_at(0x1000 + 100)),
          ("the copy's head rotten", flip_at(0x20)),
          ("both superblocks rotten", flip_at(LEDGER_SIZE - 8192 + 100, LEDGER_SIZE - 4096 + 100)))


@scenario
def init_in_another_kernel(b):
    """init in a kernel with another memmap=: refused while VMs are sealed, also where it sees nothing"""
    jumped(b)
    region, device = get("/bench/region"), get(DEVICE)
    put("/bench/region", "0x200000000 0x800000 %s\n" % UUID)
    with open(DEVICE, "r+b") as f:
        f.write(b"\0" * DEVICE_SIZE)
    remove(TICKET)
    expect(b, b.holdover("init"), 1, "memmap=8M!4G", "--force gives them up")
    if any(get(DEVICE)):
        raise Wrong("and wrote something")
    d = b.holdover("resume")
    expect(b, d, 1, "memmap=")
    d = b.holdover("run", "a")
    expect(b, d, 1, "VMs are sealed on memmap=8M!4G")
    put("/bench/region", region)
    with open(DEVICE, "r+b") as f:
        f.write(device)
    resumes(b)
    b.kill_all()


@scenario
def init_gives_up(b):
    """init --force after the sealed RAM is lost: the old ticket goes with it"""
    jumped(b)
    remove(TICKET)
    with open(DEVICE, "r+b") as f:
        f.write(b"\0" * DEVICE_SIZE)
    expect(b, b.holdover("init"), 1, "--force gives them up")
    expect(b, b.holdover("init", "--force"), 0)
    if there(TICKET_COPY):
        raise Wrong("the ticket of the old ledger is still there")
    for name in b.vms:
        expect(b, b.holdover("run", name), 0)


@scenario
def other_hosts_ledger(b):
    """another host's ledger on this region: refused by name, nothing changed"""
    b.reset_world(region_uuid=UUID)
    b.start_all()
    b.kexec()
    theirs = b.loaded_ticket(), ledger()
    b.kill_all()
    jumped(b)
    mine = ledger()
    write_ledger(theirs[1])
    before = whole_device()
    expect(b, b.agent(), 1, "not the one that the ticket names")
    nothing_resumed(b, before)
    write_ledger(mine)
    b.reboot(ticket=theirs[0])
    before = whole_device()
    expect(b, b.agent(), 1, "not the one that the ticket names")
    nothing_resumed(b, before)
    b.reboot(ticket=b.old_ticket)
    expect(b, b.agent(), 0, "running=2")
    Life(b).verdict()


def version(what, major, minor, ok):
    def f(b):
        jumped(b)
        b.run("attacker", "version", what, str(major), str(minor))
        before = whole_device()
        d = b.agent()
        if ok:
            expect(b, d, 0, "running=2")
            Life(b).verdict()
            return
        expect(b, d, 1, "major version %d" % major, "DONE vms=unknown")
        nothing_resumed(b, before)
        d = b.holdover("resume", "a")
        if "major version" not in d.out + d.err:
            raise Wrong("resume does not say so: %s" % d)
        d = b.holdover("run", "a")
        if d.rc == 0:
            raise Wrong("and over it a VM is started: %s" % d)
        d = b.holdover("init")
        if whole_device() != before:
            raise Wrong("and init writes over it: %s" % d)
        b.run("attacker", "version", what, "1", "0")
        b.late()
        resumes(b)
    f.__doc__ = "a %s of version %d.%d: %s" % (what, major, minor, "accepted" if ok else
                                              "refused by name, nothing changed")
    return f


scenarios(version, ("sb", 1, 7, True), ("manifest", 1, 7, True), ("extents", 1, 7, True),
          ("sb", 1, 0, True), ("manifest", 1, 0, True), ("extents", 1, 0, True), ("manifest", 2, 0, False))


@scenario
def newer_major_ledger(b):
    """a ledger of a newer major version: refused by name, nothing changed"""
    jumped(b)
    good = ledger()
    b.run("attacker", "version", "sb", "2", "0")
    before = whole_device()
    expect(b, b.agent(), 1, "major version is 2")
    nothing_resumed(b, before)
    for verb in (("status",), ("run", "a"), ("init",), ("abort",), ("resume",)):
        d = b.holdover(*verb)
        if "major version" not in d.out + d.err:
            raise Wrong("does not say so: %s" % d)
    nothing_resumed(b, before)
    write_ledger(good)
    b.late()
    resumes(b)


# ---- attacker ----------------------------------------------------------------------------------------

def manifest(b):
    return json.loads(b.run("attacker", "dump").out)


def forge(b, m):
    put("/bench/forged", json.dumps(m))
    expect(b, b.run("attacker", "manifest", "/bench/forged"), 0)


def no_forged_start(b):
    for s in b.score():
        if s[2] in ("start",) and "evil" in s[4]:
            raise Wrong("started as the attacker wants: %s" % (s,))
        if s[2] == "badstate":
            raise Wrong("QEMU was given what was not sealed: %s" % (s,))


def attack(what, change, text, sealed_vms=2):
    def f(b):
        jumped(b)
        good = ledger()
        change(b)
        before = whole_device()
        d = b.agent()
        if text and text not in d.err:
            raise Wrong("the reason is not given: %s" % d)
        no_forged_start(b)
        b.check_score()
        running = [n for n in b.vms if b.qemus(n)]
        if len(running) != 2 - sealed_vms:
            raise Wrong("%s came back: %s" % (running, d))
        if sealed_vms == 2:
            nothing_resumed(b, before)
        b.late()
        b.holdover("resume")
        no_forged_start(b)
        b.check_score()
        if not running:
            # without the attacker it would have been well: only what he did was refused
            b.reboot(ticket=b.old_ticket)
            put(TICKET_COPY, b.old_ticket)
            write_ledger(good)
            expect(b, b.agent(), 0, "running=2")
            Life(b).verdict()
    f.__doc__ = "attacker: %s" % what
    return f


def evil_argv(b):
    m = manifest(b)
    m["vms"][0]["args"] = ["-evil"]
    forge(b, m)


def evil_program(b):
    m = manifest(b)
    m["vms"][0]["qemu"] = "/bin/evil"
    forge(b, m)


def evil_extent(b):
    m = manifest(b)
    x, y = m["vms"]
    x["extent"], y["extent"] = y["extent"], x["extent"]
    forge(b, m)


def blobs(b):
    return [v["blob"] for v in manifest(b)["vms"]]


BLOBS = 0x98000


def evil_blob(b):
    one = blobs(b)[0]
    data = bytearray(ledger())
    at = BLOBS + one["offset"]
    data[at:at + 8] = b"walk evi"
    write_ledger(bytes(data))


def evil_blob_and_hash(b):
    evil_blob(b)
    m = manifest(b)
    one = m["vms"][0]["blob"]
    d = b.run("attacker", "hash", str(one["offset"]), str(one["length"]))
    one["xxh3"] = d.out.strip()
    forge(b, m)


def swapped_blobs(b):
    x, y = blobs(b)
    data = ledger()
    out = bytearray(data)
    out[BLOBS + x["offset"]:][:0] = b""
    xd = data[BLOBS + x["offset"]:BLOBS + x["offset"] + x["length"]]
    yd = data[BLOBS + y["offset"]:BLOBS + y["offset"] + y["length"]]
    out[BLOBS + x["offset"]:BLOBS + x["offset"] + len(yd)] = yd
    out[BLOBS + y["offset"]:BLOBS + y["offset"] + len(xd)] = xd
    write_ledger(bytes(out))


def swapped_refs(b):
    m = manifest(b)
    m["vms"][0]["blob"], m["vms"][1]["blob"] = m["vms"][1]["blob"], m["vms"][0]["blob"]
    forge(b, m)


scenarios(attack,
          ("other arguments for QEMU", evil_argv, "MAC"),
          ("another program for QEMU", evil_program, "MAC"),
          ("RAM extents of two VMs exchanged", evil_extent, "MAC"),
          ("another device state", evil_blob, "device state", 1),
          ("another device state with its checksum", evil_blob_and_hash, "MAC"),
          ("device states of two VMs exchanged", swapped_blobs, "device state"),
          ("references to device states exchanged", swapped_refs, "MAC"),
          ("the manifest before put back", lambda b: expect(b, b.run("attacker", "manifest-back"), 0),
           "manifest"))


def record_back(how, state):
    def f(b):
        jumped(b)
        b.agent()
        n = len(loads(b))
        if n != 2:
            raise Wrong("no start: %s" % b.score())
        for i in (0, 1):
            if how == "append":
                b.run("attacker", "record", str(i), state)
            else:
                b.run("attacker", "record-back", str(i))
        # the ticket is spent; the attacker has none, an operator may still have one
        put("/run/holdover/ticket", b.old_ticket)
        put(TICKET_COPY, b.old_ticket)
        b.late()
        b.holdover("resume")
        b.holdover("resume", "--never-ran", "b")
        if len(loads(b)) != n:
            raise Wrong("resumed again")
        b.check_score()
        for name in b.vms:
            if len(b.qemus(name)) != 1:
                raise Wrong("%s was ended" % name)
        # and in the next boot RAM and disk say that it ran
        b.reboot(ticket=b.old_ticket)
        put(TICKET_COPY, b.old_ticket)
        b.agent()
        b.late()
        b.holdover("resume")
        b.check_score()
    f.__doc__ = "attacker: state records set back (%s %s)" % (how, state)
    return f


scenarios(record_back, ("append", "SEALED"), ("append", "CLAIMED"), ("append", "FAILED"),
          ("append", "RELEASED"), ("append", "ABORTED"), ("roll", "back"))


@scenario
def old_generation(b):
    """attacker: the whole ledger of the jump before put back"""
    jumped(b)
    first, first_ticket = ledger(), get(TICKET)
    b.agent()
    b.late()
    b.kexec()
    b.jump()
    second = ledger()
    ticket = get(TICKET)
    write_ledger(first)
    before = whole_device()
    d = b.agent()
    expect(b, d, 1, "another ticket")
    n = len(resumed(b))
    if before != whole_device():
        raise Wrong("written to")
    b.late()
    b.holdover("resume")
    if len(resumed(b)) != n:
        raise Wrong("resumed from an old state")
    b.check_score()
    # even with the old ticket: RAM has moved on
    b.reboot(ticket=first_ticket)
    b.agent()
    b.check_score()
    if len(resumed(b)) != n:
        raise Wrong("resumed from an old state")
    write_ledger(second)
    b.reboot(ticket=ticket)
    b.agent()
    b.check_score()


def storm(b, seconds, ranges):
    return [subprocess.Popen(("/bin/attacker", "storm", str(seconds), hex(lo), hex(hi)),
                             stdin=subprocess.DEVNULL) for lo, hi in ranges]


def during(what, ranges):
    def f(b):
        for turn in range(6):
            jumped(b)
            good = ledger()
            procs = storm(b, 20, ranges)
            try:
                b.agent()
                b.late()
            finally:
                for p in procs:
                    p.kill()
                    p.wait()
            no_forged_start(b)
            b.check_score()
            b.holdover("resume")
            b.check_score()
            no_forged_start(b)
            names = [s[1] for s in resumed(b)]
            if len(names) > len(set(names)):
                raise Wrong("resumed twice: %s" % names)
    f.__doc__ = "attacker: %s rewritten while the agent verifies" % what
    return f


scenarios(during, ("manifests", ((0x6000, 0x86000),)), ("device states", ((0x98000, 0x9c000),)),
          ("state records", ((0x86000, 0x86080), (0x87000, 0x87080))))


@scenario
def during_kexec(b):
    """attacker: the ledger rewritten while the stage seals"""
    for turn in range(5):
        fresh_host(b)
        before = pids(b)
        procs = storm(b, 20, ((0x6000, 0x86000), (0x98000, 0x9c000), (0x86000, 0x86080)))
        try:
            b.kexec()
        finally:
            for p in procs:
                p.kill()
                p.wait()
        if there("/bench/kexec/jumped"):
            b.jump()
            b.agent()
            no_forged_start(b)
            b.check_score()
            continue
        # DoS at most; without the attacker an operator gets all of them back
        b.holdover("abort")
        b.check_score()
        if pids(b) != before:
            raise Wrong("a VM was ended: %s, now %s" % (before, pids(b)))


def any_byte(part, of):
    def f(b):
        rnd = random.Random(4711)
        jumped(b)
        good = ledger()
        used = [i for i in range(0, len(good), 64) if any(good[i:i + 64])]
        spots = [i + rnd.randrange(64) for i in used]
        rnd.shuffle(spots)
        for at in sorted(spots[:160])[part::of]:
            jumped(b)
            data = bytearray(good)
            data[at] ^= 1 << rnd.randrange(8)
            write_ledger(bytes(data))
            d = b.agent()
            if "DONE vms=" not in d.err:
                raise Wrong("byte %#x: %s" % (at, d))
            no_forged_start(b)
            b.check_score()
            st = b.status() if b.holdover("--json", "status").rc == 0 else {}
            for name, v in st.items():
                if v["state"] not in ("running", "sealed", "kept") or \
                        (v["state"] != "running" and not v["detail"]):
                    raise Wrong("byte %#x: %s: %s" % (at, name, v))
    f.__doc__ = "attacker: one byte of the ledger changed anywhere, part %d of %d" % (part + 1, of)
    return f


scenarios(any_byte, *[(i, 4) for i in range(4)])


# ---- QEMUs that go wrong -------------------------------------------------------------------------------

def bad_save(command, what, skip=0, host=fresh_host):
    def f(b):
        host(b)
        before = pids(b)
        put("/bench/a.mode", "%s %s %d\n" % (command, what, skip))
        d = b.kexec()
        b.check_score()
        if not any(s[2] == "mode" for s in b.score()):
            raise Wrong("the mode was not reached: %s" % d)
        remove("/bench/a.mode")
        if there("/bench/kexec/jumped"):
            if what not in ("events", "stderr", "slow", "cut"):
                raise Wrong("jumped all the same: %s" % d)
            b.jump()
            d = b.agent()
            b.check_score()
            if not b.qemus("b") or b.status()["b"]["state"] != "running":
                raise Wrong("b is held up: %s" % d)
            if what != "cut":
                found = Life(b).verdict()
                if set(found.values()) != {"running"}:
                    raise Wrong(str(found))
            else:
                expect(b, d, 1 if "failed=1" in d.err else 0,
                       "Invalid argument" if host is fresh_host else "QEMU says: Error -22")
                Life(b).verdict(kept=PENDING)
            return
        if d.rc != 1:
            raise Wrong("a refused jump says: %s" % d)
        b.holdover("abort")
        b.reap()
        b.check_score()
        if b.qemus("b") != before["b"] or b.status()["b"]["state"] != "running":
            raise Wrong("b does not run on: %s" % b.status())
        if what not in ("exit", "hang", "half") and b.status()["a"]["state"] != "running":
            raise Wrong("a does not run on: %s" % b.status())
        if there("/bench/kexec/initrd") or there(TICKET_COPY):
            raise Wrong("a kernel or a ticket is left")
    f.__doc__ = "QEMU during the save%s: %s at %s%s" % ("" if host is fresh_host else " into a snapshot", what, command,
                                                        " (not the rehearsal)" if skip else "")
    f.slow = what in ("hang", "half", "late") or (host is snapshot_host and what == "slow")
    return f


scenarios(bad_save,
          ("query-migrate", "exit"), ("migrate", "exit"), ("migrate", "exit", 1), ("stop", "exit", 1),
          ("remove-fd", "exit", 1), ("migrate", "refuse"), ("migrate", "refuse", 1),
          ("migrate", "failed", 1), ("stop", "refuse", 1), ("add-fd", "refuse", 1),
          ("migrate", "garbage", 1), ("query-status", "garbage"), ("qmp_capabilities", "garbage", 2),
          ("qmp_capabilities", "events"), ("migrate", "events", 1), ("stop", "stderr"),
          ("migrate", "stderr", 1), ("migrate", "slow"), ("migrate", "slow", 1),
          ("remove-fd", "selfcont", 1), ("migrate", "cut", 1),
          ("migrate", "late", 1), ("migrate", "hang", 1), ("qmp_capabilities", "hang", 1), ("migrate", "half", 1),
          *[(*case, snapshot_host) for case in
            (("query-named-block-nodes", "exit", 3), ("query-named-block-nodes", "refuse", 3), ("snapshot-save", "exit", 1),
             ("snapshot-save", "refuse", 1), ("snapshot-save", "failed", 1), ("snapshot-save", "garbage", 1),
             ("snapshot-save", "selfcont", 1), ("query-jobs", "selfcont", 1), ("query-jobs", "exit", 1), ("query-jobs", "refuse", 1),
             ("job-dismiss", "events", 1), ("stop", "exit", 3), ("snapshot-save", "cut", 1), ("snapshot-save", "slow", 1),
             ("snapshot-save", "hang", 1), ("snapshot-save", "half", 1))])


def bad_load(command, what, released=False, begin=jumped):
    def f(b):
        begin(b)
        put("/bench/a.mode", "%s %s\n" % (command, what))
        d = b.agent()
        b.reap()
        b.check_score()
        if not any(s[2] == "mode" for s in b.score()):
            raise Wrong("the mode was not reached: %s" % d)
        if "DONE vms=2" not in d.err:
            raise Wrong("no end: %s" % d)
        if len(b.qemus("b")) != 1 or b.status()["b"]["state"] != "running":
            raise Wrong("b is held up: %s" % d)
        remove("/bench/a.mode")
        life = Life(b)
        if what in ("events", "stderr", "slow"):
            if b.status()["a"]["state"] != "running":
                raise Wrong("a did not stand it: %s" % d)
            return
        b.late()
        b.holdover("resume")
        if command == "announce-self":
            life.may_be_lost.add("a")  # it had been resumed, and then it crashed
        found = life.verdict(kept=("RELEASED",) if released else ())
        if not released and found["a"] != "running":
            raise Wrong("a does not come back: %s" % found)
        repair(b)
    f.__doc__ = "QEMU during the resume%s: %s at %s" % ("" if begin is jumped else " from a snapshot", what, command)
    f.slow = what in ("hang", "half", "late")
    return f


scenarios(bad_load,
          ("start", "exit"), ("qmp_capabilities", "exit"), ("query-status", "exit"),
          ("migrate-incoming", "exit"), ("cont", "exit", True), ("announce-self", "exit", True),
          ("migrate-incoming", "refuse"), ("cont", "refuse"), ("add-fd", "refuse"),
          ("migrate-incoming", "garbage"), ("cont", "garbage", True),
          ("qmp_capabilities", "events"), ("migrate-incoming", "events"), ("cont", "events"),
          ("start", "stderr"), ("migrate-incoming", "stderr"), ("migrate-incoming", "slow"),
          ("cont", "slow"),
          ("migrate-incoming", "late"), ("start", "hang"), ("qmp_capabilities", "hang"), ("migrate-incoming", "hang"),
          ("migrate-incoming", "half"), ("cont", "hang", True), ("cont", "half", True),
          *[(*case, jumped_snapshot) for case in
            (("query-named-block-nodes", "exit", False), ("query-named-block-nodes", "refuse", False),
             ("blockdev-set-active", "refuse", False), ("blockdev-set-active", "exit", False),
             ("snapshot-load", "refuse", False), ("snapshot-load", "failed", False), ("snapshot-load", "exit", False),
             ("snapshot-load", "events", False), ("snapshot-load", "slow", False), ("query-jobs", "exit", False),
             ("query-jobs", "garbage", False), ("qom-get", "exit", False), ("migrate-incoming", "exit", False),
             ("migrate-incoming", "refuse", False), ("cont", "exit", True), ("announce-self", "exit", True),
             ("snapshot-load", "hang", False), ("snapshot-load", "half", False), ("migrate-incoming", "hang", False))])


# ---- a device state in a snapshot ----------------------------------------------------------------------

@scenario
def discards_a_snapshot(b):
    """discard of a state in a snapshot: the snapshot goes from the image, or it is named with its image"""
    jumped_snapshot(b)
    left, = b.snapshots("a")
    size = os.stat("/disk/a.img").st_size
    expect(b, b.holdover("discard", "a", "b"), 0, "a: state given up", "b: state given up")
    if b.snapshots("a") or os.stat("/disk/a.img").st_size != size:
        raise Wrong("the image has %s" % b.snapshots("a"))
    jumped_snapshot(b)
    remove(TICKET)
    remove(TICKET_COPY)
    expect(b, b.holdover("discard", "a"), 0, "a: state given up", "no ticket", "qemu-img snapshot -d %s /disk/a.img" % left)
    if b.snapshots("a") != [left]:
        raise Wrong("the image has %s" % b.snapshots("a"))
    jumped_snapshot(b)
    os.rename("/disk/a.img", "/disk/a.away")
    expect(b, b.holdover("discard", "a"), 0, "a: state given up", "No such file", "qemu-img snapshot -d %s /disk/a.img" % left)
    os.rename("/disk/a.away", "/disk/a.img")


@scenario
def paused_in_a_snapshot(b):
    """a paused VM whose state is a snapshot comes back paused"""
    snapshot_host(b)
    paused_across(b, "paused")


@scenario
def paused_before_10(b):
    """a paused VM whose state is a snapshot comes back paused with a QEMU before 10, which says prelaunch"""
    b.reset_world(disks=("a", "b"), snapshots=("a",))
    put("/bench/version", "9.2.4\n")
    b.start_all()
    paused_across(b, "prelaunch")


def paused_across(b, status):
    """Two jumps of paused VM a, which then runs."""
    qmp(b, "a", "stop")
    for _ in range(2):
        d = b.kexec()
        if not there("/bench/kexec/jumped"):
            raise Wrong("no jump: %s" % d)
        b.jump()
        expect(b, b.agent(), 0, "running=2")
        if (b.status()["a"]["state"], b.status()["b"]["state"]) != (status, "running") or b.snapshots("a"):
            raise Wrong("states: %s, snapshots: %s" % (b.status(), b.snapshots("a")))
        if any(s[1] == "a" and s[2] == "cont" for s in b.score()[2:]):
            raise Wrong("continued: %s" % b.score())
    qmp(b, "a", "cont")
    b.check_score()
    found = Life(b).verdict()
    if set(found.values()) != {"running"}:
        raise Wrong(str(found))
    whole_jump(b)


@scenario
def many_jumps_before_10(b):
    """three jumps in a row with a snapshot and a QEMU before 10, which is not told to wait"""
    b.reset_world(disks=("a", "b"), snapshots=("a",))
    put("/bench/version", "9.2.4\n")
    b.start_all()
    for _ in range(3):
        whole_jump(b)
    if len(loads(b)) != 6:
        raise Wrong("loads: %s" % loads(b))


@scenario
def dies_sealed(b):
    """a QEMU that dies between seal and abort: its state is kept and resumed once, the others run on"""
    fresh_host(b)
    before = pids(b)
    b.kexec(fault="sealed_and_checked")
    for pid in before["a"]:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    b.holdover("abort")
    if pids(b)["b"] != before["b"] or b.status()["b"]["state"] != "running":
        raise Wrong("b does not run on: %s" % b.status())
    if there("/bench/kexec/initrd"):
        raise Wrong("the kernel is still loaded")
    v = b.status()["a"]
    if v["state"] != "kept" or not v["detail"]:
        raise Wrong("a is not kept: %s" % v)
    # somebody may have continued it before it died: only an operator can know
    expect(b, b.holdover("resume", "a"), 1, "may have run")
    expect(b, b.holdover("resume", "--never-ran", "a"), 0)
    found = Life(b).verdict()
    if set(found.values()) != {"running"} or pids(b)["b"] != before["b"] or there(TICKET_COPY):
        raise Wrong("%s %s" % (found, pids(b)))
    whole_jump(b)


@scenario
def dies_under_the_stage(b):
    """a QEMU that dies between seal and jump: the stage itself leaves what abort would leave"""
    fresh_host(b)
    before = pids(b)

    def held():
        for pid in before["a"]:
            os.kill(pid, 9)
            os.waitpid(pid, 0)

    expect(b, b.kexec(fault="sealed_and_checked:hold", held=held), 1, "QEMU has ended", "not jumped",
           "holdover resume --never-ran a")
    if pids(b)["b"] != before["b"] or b.status()["b"]["state"] != "running" or there("/bench/kexec/initrd"):
        raise Wrong("b does not run on: %s" % b.status())
    v = b.status()["a"]
    if (v["state"], v["record"]) != ("kept", "RELEASED") or not there(TICKET_COPY):
        raise Wrong("a is not kept: %s" % v)
    expect(b, b.holdover("resume", "--never-ran", "a"), 0)
    found = Life(b).verdict()
    if set(found.values()) != {"running"} or pids(b)["b"] != before["b"] or there(TICKET_COPY):
        raise Wrong("%s %s" % (found, pids(b)))
    whole_jump(b)


# ---- a ledger that cannot be opened while VMs are paused -------------------------------------------------

def told_to_abort(b, text):
    """What an operator looks at first shows both VMs, and what to do."""
    d = b.holdover("status")
    expect(b, d, 0, text, "postmigrate")
    if d.out.count("'holdover abort' continues it") != 2:
        raise Wrong("status does not say what to do: %s" % d)


def sealed_without_ledger(b):
    fresh_host(b)
    before = pids(b)
    b.kexec(fault="sealed_and_checked")
    good = ledger()
    b.run("attacker", "version", "sb", "2", "0")
    told_to_abort(b, "major version")
    return before, good


def in_place_and_never_again(b, before, good):
    """The VMs run on, and when the ledger is back nobody can use the seals that are still in it."""
    if pids(b) != before or there("/bench/kexec/initrd") or there(TICKET_COPY):
        raise Wrong("not in place, or something is left: %s, now %s" % (before, pids(b)))
    b.check_score()
    if [s[1] for s in b.score() if s[2] == "cont" and s[4] == "postmigrate"][-2:] not in (["a", "b"], ["b", "a"]):
        raise Wrong("not continued: %s" % b.score())
    write_ledger(good)
    n = len(loads(b))
    snapshot = get(DEVICE)
    b.reboot()
    b.agent()
    b.late()
    b.holdover("resume")
    if len(loads(b)) != n or snapshot != get(DEVICE):
        raise Wrong("resumed from a seal whose VM ran on")


@scenario
def abort_without_ledger(b):
    """abort when the ledger cannot be opened: VMs run on once kernel and tickets are gone, nothing can be resumed"""
    before, good = sealed_without_ledger(b)
    expect(b, b.holdover("abort"), 4, "major version", "2 VMs continued")
    in_place_and_never_again(b, before, good)


@scenario
def abort_without_ledger_and_then_with(b):
    """abort when the ledger cannot be opened, and again when it can: the seals are undone"""
    before, good = sealed_without_ledger(b)
    expect(b, b.holdover("abort"), 4, "major version")
    write_ledger(good)
    expect(b, b.holdover("abort"), 0, "2 seals undone")
    found = Life(b).verdict()
    if set(found.values()) != {"running"} or pids(b) != before:
        raise Wrong("%s %s" % (found, pids(b)))
    whole_jump(b)


@scenario
def abort_without_ledger_ticket_stays(b):
    """abort when neither ledger nor ticket can be touched: VMs stay paused, and it says exactly what to do"""
    before, good = sealed_without_ledger(b)
    mount("/var/lib/holdover", "/var/lib/holdover", None, MS_BIND)
    try:
        mount(None, "/var/lib/holdover", None, MS_BIND | MS_REMOUNT | MS_RDONLY)
        n = len([s for s in b.score() if s[2] == "cont"])
        expect(b, b.holdover("abort"), 4, "stays paused", "kexec -u", TICKET_COPY, "'holdover abort' continues it",
               "vm a", "vm b")
        if len([s for s in b.score() if s[2] == "cont"]) != n:
            raise Wrong("continued, and could be resumed a second time: %s" % b.score())
    finally:
        umount("/var/lib/holdover")
    expect(b, b.holdover("abort"), 4, "2 VMs continued")
    in_place_and_never_again(b, before, good)


@scenario
def abort_without_ledger_keeps(b):
    """abort when the ledger cannot be opened and nothing is paused: tickets and state stay for the resume"""
    jumped(b)
    remove(TICKET)
    good = ledger()
    b.run("attacker", "version", "sb", "2", "0")
    expect(b, b.holdover("abort"), 1, "major version")
    if not there(TICKET_COPY):
        raise Wrong("the ticket of a jump that waits is gone")
    write_ledger(good)
    resumes(b)


@scenario
def abort_without_config(b):
    """abort with a configuration that cannot be read: all undone, every VM runs on"""
    fresh_host(b)
    before = pids(b)
    b.kexec(fault="sealed_and_checked")
    config = get("/etc/holdover/holdover.conf")
    put("/etc/holdover/holdover.conf", "[nonsense\n")
    told_to_abort(b, "holdover.conf")
    expect(b, b.holdover("abort"), 0, "holdover.conf", "2 seals undone", "2 VMs continued")
    put("/etc/holdover/holdover.conf", config)
    found = Life(b).verdict()
    if set(found.values()) != {"running"} or pids(b) != before:
        raise Wrong("%s %s" % (found, pids(b)))
    whole_jump(b)


# ---- what the saved command line does not know ------------------------------------------------------------

def changed_since_start(what, mark, text):
    def f(b):
        fresh_host(b)
        for _ in range(2):  # after a jump it is known as well
            before = pids(b)
            put("/bench/a." + mark, "")
            n = len([s for s in b.score() if s[2] == "stop"])
            expect(b, b.holdover("check", "--kernel", "/boot/vmlinuz-t", "--initrd", "/boot/initrd-t"), 1, text)
            expect(b, b.kexec(), 1, "a: its QEMU was changed", text, "every VM runs on")
            if len([s for s in b.score() if s[2] == "stop"]) != n or pids(b) != before:
                raise Wrong("paused first: %s" % b.score())
            remove("/bench/a." + mark)
            whole_jump(b)
    f.__doc__ = "%s: refused by name before anything is paused" % what
    return f


scenarios(changed_since_start,
          ("a device that was hot-plugged", "plugged", "device net1 (e1000)"),
          ("a live snapshot, which changed the image", "snapshot", "drive d0: /bench/a.snapshot"))


def continued_by_somebody(point, name):
    def f(b):
        b.reset_world(canaries="none")  # which would notice, too
        b.start_all()
        before = pids(b)
        called = []

        def held():
            called.append(1)
            qmp(b, name, "cont")

        d = b.kexec(fault=point + ":hold", held=held)
        if not called:
            raise Wrong("never held: %s" % d)
        if there("/bench/kexec/jumped"):
            raise Wrong("jumped with a VM that runs: %s" % d)
        expect(b, d, 1, "every VM runs on")
        found = Life(b).verdict()
        if set(found.values()) != {"running"} or pids(b) != before or there(TICKET_COPY):
            raise Wrong("%s %s" % (found, pids(b)))
        whole_jump(b)
    f.__doc__ = "somebody continues %s at %s: not jumped, every VM runs on" % (name, point)
    return f


scenarios(continued_by_somebody, ("state_written", "a"), ("ticket_copy_saved", "b"),
          ("manifest_written", "a"), ("vm_sealed", "b"), ("seal_read_back", "a"),
          ("seal_read_back", "b"), ("sealed_and_checked", "b"), ("frozen", "b"))


@scenario
def dies_before_the_jump(b):
    """a QEMU that dies while it is saved holds the jump up, not the others"""
    fresh_host(b)
    before = pids(b)
    put("/bench/a.mode", "query-status exit 4\n")
    expect(b, b.kexec(), 1)
    b.reap()
    remove("/bench/a.mode")
    if pids(b)["b"] != before["b"] or b.status()["b"]["state"] != "running":
        raise Wrong("b does not run on: %s" % b.status())
    b.check_score()


@scenario
def abort_beside_a_hanging_one(b):
    """abort continues the others at once while one QEMU hangs"""
    fresh_host(b)
    b.kexec(fault="sealed_and_checked")
    put("/bench/a.mode", "qmp_capabilities hang\n")
    p = subprocess.Popen(("/bin/holdover", "abort"), stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 3
    while not any(s[1] == "b" and s[2] == "cont" and s[4] == "postmigrate"
                  for s in b.score()[-2:]):
        if time.monotonic() > deadline:
            p.kill()
            raise Wrong("b is still paused: %s" % b.score())
        time.sleep(0.01)
    p.kill()
    p.wait()
    b.check_score()


@scenario
def last_words(b):
    """QEMU's own words are in the error text of agent, resume and kexec"""
    jumped(b)
    put("/bench/a.mode", "qmp_capabilities exit\n")
    expect(b, b.agent(), 0, "QEMU said: walk QEMU: asked to exit")
    expect(b, b.holdover("resume", "a"), 1, "QEMU said: walk QEMU: asked to exit")


@scenario
def silent_from_the_start(b):
    """a new QEMU that says nothing has as long as its VM's timeout, and is gone then, its RAM free for others"""
    b.reset_world(vms=("a", "b", "c"))
    expect(b, b.holdover("run", "a"), 0)
    put("/bench/c.mode", "qmp_capabilities hang\n")
    put("/etc/holdover/vms.d/c.conf", get("/etc/holdover/vms.d/c.conf").decode().replace("timeout = 2", "timeout = 1"))
    begin = time.monotonic()
    expect(b, b.holdover("run", "c"), 1, "vm c", "1000 ms")
    if time.monotonic() - begin > 8:
        raise Wrong("it took %.1f s" % (time.monotonic() - begin))
    remove("/bench/c.mode")
    expect(b, b.holdover("run", "b"), 0)
    expect(b, b.holdover("stop", "--force", "b"), 0)
    expect(b, b.holdover("run", "c"), 0)


@scenario
def tried_too_often(b):
    """an agent that dies each time stops trying, also after boots; an operator may go on"""
    jumped(b)
    for _ in range(3):
        b.agent(fault="qemu_connected")
        b.reboot(ticket=b.old_ticket)
    expect(b, b.agent(), 0, "tried too often")
    if resumed(b):
        raise Wrong("resumed all the same")
    b.check_score()
    resumes(b)


def policy(b, name, word, more=""):
    path = "/etc/holdover/vms.d/%s.conf" % name
    put(path, get(path).decode() + "on-failure = %s\n%s" % (word, more))


@scenario
def gives_up_as_told(b):
    """a disk that was written to: kept, started afresh or given up, as on-failure says, by the late unit"""
    b.reset_world(vms=("a", "b"), disks=("a", "b"))
    policy(b, "a", "cold-boot")
    policy(b, "b", "ignore")
    b.start_all()
    b.kexec()
    b.jump()
    for name in ("a", "b"):
        put("/disk/%s.img" % name, b"1" * 8192)
    expect(b, b.agent(), 0, "running=0", "kept=2")
    expect(b, b.late(), 0, "vm a: not resumed, started afresh", "vm b: not resumed, state given up")
    st = b.status()
    if [(st[n]["state"], st[n]["record"]) for n in "ab"] != \
            [("running", "CONSUMED"), ("stopped", "CONSUMED")]:
        raise Wrong("states: %s" % st)
    if there(TICKET_COPY):
        raise Wrong("the ticket is still there")
    b.check_score()
    expect(b, b.late(), 3)


@scenario
def keeps_what_cannot_start(b):
    """cold-boot without a configuration, or with a disk that is absent: the state is kept"""
    b.reset_world(vms=("a", "b"), disks=("a", "b"))
    for name in b.vms:
        policy(b, name, "cold-boot")
    b.start_all()
    b.kexec()
    b.jump()
    put("/disk/a.img", b"1" * 8192)
    os.rename("/disk/b.img", "/disk/b.away")
    remove("/etc/holdover/vms.d/a.conf")
    b.agent()
    expect(b, b.late(), 1, "vm a: cannot be started afresh, state kept", "vm b: ")
    st = b.status()
    if any(st[n]["state"] == "running" or st[n]["record"] == "CONSUMED" for n in b.vms):
        raise Wrong("states: %s" % st)
    os.rename("/disk/b.away", "/disk/b.img")
    expect(b, b.holdover("resume", "b"), 0, "b: running")
    b.check_score()


@scenario
def attempts_as_configured(b):
    """attempts = 1: the second boot does not try again, and cold-boot starts it afresh"""
    b.reset_world(vms=("a",), disks=())
    policy(b, "a", "cold-boot", "attempts = 1\n")
    b.start_all()
    b.kexec()
    b.jump()
    ticket = get(TICKET)
    b.agent(fault="qemu_connected")
    b.reboot(ticket=ticket)
    expect(b, b.agent(), 0, "tried too often")
    expect(b, b.late(), 0, "vm a: not resumed, started afresh")
    b.check_score()


@scenario
def paused_vm(b):
    """a VM that its owner has paused comes back paused, and is continued by nobody"""
    b.reset_world(vms=("a", "b"), disks=())
    b.start_all()
    qmp(b, "b", "stop")
    b.kexec()
    b.jump()
    expect(b, b.agent(), 0, "running=2")
    st = b.status()
    if st["a"]["state"] != "running" or st["b"]["state"] != "paused":
        raise Wrong("states: %s" % st)
    b.check_score()
    if any(s[1] == "b" and s[2] == "cont" and s[4] == "paused" for s in b.score()):
        raise Wrong("continued")


def qmp(b, name, command):
    s = socket.socket(socket.AF_UNIX)
    s.connect("/run/holdover/%s/qmp.sock" % name)
    f = s.makefile("rwb")
    f.readline()
    for c in ("qmp_capabilities", command):
        f.write(json.dumps({"execute": c, "id": 1}).encode() + b"\n")
        f.flush()
        while b'"id"' not in f.readline():
            pass
    s.close()


@scenario
def kexec_refused(b):
    """a kernel that cannot be loaded: every VM runs on, nothing is left"""
    fresh_host(b)
    before = pids(b)
    put("/bench/kexec/refuse", "")
    expect(b, b.kexec(), 1, "every VM runs on", "kexec_file_load")
    found = Life(b).verdict()
    if set(found.values()) != {"running"} or pids(b) != before or there(TICKET_COPY):
        raise Wrong(str(found))
    remove("/bench/kexec/refuse")
    whole_jump(b)


@scenario
def many_jumps(b):
    """six jumps in a row: nothing lost, nothing twice"""
    fresh_host(b)
    for _ in range(6):
        whole_jump(b)
    b.check_score()
    if len(loads(b)) != 12:
        raise Wrong("loads: %s" % loads(b))


# ---- what others may see --------------------------------------------------------------------------------

def private(b, when):
    """Everything that Holdover has written: files and sockets 0600, folders 0700, all of root."""
    seen = 0
    for top in ("/run/holdover", "/var/lib/holdover"):
        for folder, _, names in os.walk(top):
            for path in [folder] + [folder + "/" + n for n in names]:
                st = os.lstat(path)
                want = 0o700 if path == folder else 0o600
                seen += 1
                if st.st_mode & 0o7777 != want or st.st_uid != 0:
                    raise Wrong("%s: %s has mode %o of user %d" % (when, path, st.st_mode & 0o7777, st.st_uid))
    if seen < 8:
        raise Wrong("%s: only %d files" % (when, seen))


@scenario
def nobody_else_reads(b):
    """files and sockets are 0600 in 0700 folders, also under a careless umask"""
    old = os.umask(0)
    try:
        fresh_host(b)
        private(b, "running")
        b.kexec(fault="sealed_and_checked")
        private(b, "sealed")
        b.holdover("abort")
        whole_jump(b)
        private(b, "resumed")
    finally:
        os.umask(old)


@scenario
def another_tenant(b):
    """a fresh start never shows a guest another tenant's RAM: its extent is zeroed"""
    b.reset_world(vms=("a", "b", "c"))
    for name in ("a", "b"):
        expect(b, b.holdover("run", name), 0)
    b.status()
    offset = json.loads(b.holdover("--json", "show").out)["vms"][0]["offset"]
    b.holdover("stop", "--force", "a")
    with open(DEVICE, "rb") as f:
        f.seek(offset)
        if not any(f.read(4096)):
            raise Wrong("there was nothing to see")
    # There is room for two: it gets what was a's. The walk's guest says CORRUPT if it sees anything.
    expect(b, b.holdover("run", "c"), 0)
    shown = {v["name"]: v["offset"] for v in json.loads(b.holdover("--json", "show").out)["vms"]}
    if shown["c"] != offset:
        raise Wrong("not in the same place: %s" % shown)
    b.check_score()
    # The same tenant starts afresh, too.
    b.holdover("stop", "--force", "c")
    expect(b, b.holdover("run", "c"), 0)
    b.check_score()


@scenario
def guest_that_takes_its_time(b):
    """a guest that is asked to shut down, or to let a disk go, keeps nobody from work on other VMs"""
    fresh_host(b)
    old = pids(b)["a"]

    def held():
        expect(b, b.holdover("stop", "--force", "b"), 0)
        while b.qemus("a"):
            b.reap()
        expect(b, b.holdover("run", "a"), 0)

    expect(b, b.holdover("stop", "a", fault="lock_given_up:hold", held=held), 0, "a: stopped")
    if pids(b)["a"] == old or b.status()["a"]["state"] != "running":
        raise Wrong("the new one is not known: %s" % b.status())
    put(MORE, bytes(1 << 20))
    expect(b, act_attach(b), 0)
    called = []

    def held2():
        called.append(1)
        expect(b, b.holdover("run", "b"), 0)

    expect(b, act_detach(b, fault="lock_given_up:hold", held=held2), 0, "is detached")
    if not called:
        raise Wrong("not held")
    whole_jump(b)


@scenario
def guest_that_fills_the_log(b):
    """a serial port that goes to QEMU's log in /run is warned of, by run and by check"""
    b.reset_world(vms=("a",))
    conf = "/etc/holdover/vms.d/a.conf"
    put(conf, get(conf).decode().replace("args =", "args = -serial stdio"))
    d = b.holdover("run", "a")
    expect(b, d, 0, "a: running")
    for d in (d, b.holdover("check", "--kernel", "/boot/vmlinuz-t", "--initrd", "/boot/initrd-t")):
        if "/run/holdover/a/qemu.log, in the host's memory" not in d.out + d.err:
            raise Wrong("no word of it: %s" % d)
    whole_jump(b)


# ---- RAM of two parts in two regions --------------------------------------------------------------------

def shown(b):
    """{VM: [(region, offset, size)]}"""
    vms = json.loads(b.holdover("--json", "show").out)["vms"]
    return {v["name"]: [(r["region"], r["offset"], r["memory"]) for r in v["ram"]] for v in vms}


@scenario
def part_that_is_missing(b):
    """a VM of two parts whose second region is gone: kept, the other one is resumed; resumed when it is back"""
    numa_host(b)
    if shown(b)["b"] != [(0, 2 << 20, 2 << 20), (1, 0, 2 << 20)]:
        raise Wrong("not in two regions: %s" % shown(b))
    b.kexec()
    b.jump()
    remove("/bench/region1")
    expect(b, b.agent(), 0, "running=1", "region 6M!8G")
    if [s[1] for s in loads(b)] != ["a"]:
        raise Wrong("started: %s" % loads(b))
    b.late()
    expect(b, b.holdover("run", "b"), 1)
    v = b.status()["b"]
    if v["state"] != "sealed" or v["record"] != "SEALED" or v["memory"] != 4 << 20:
        raise Wrong("%s" % v)
    # In that kernel the other VM cannot take the place of either part.
    b.holdover("stop", "--force", "a")
    put("/etc/holdover/vms.d/a.conf", get("/etc/holdover/vms.d/a.conf").decode().replace("memory = 2M", "memory = 4M"))
    expect(b, b.holdover("run", "a"), 1, "no room")
    put("/etc/holdover/vms.d/a.conf", get("/etc/holdover/vms.d/a.conf").decode().replace("memory = 4M", "memory = 2M"))
    expect(b, b.holdover("run", "a"), 0)
    put("/bench/region1", REGION1)
    resumes(b)
    whole_jump(b)


def bad_part(what, rc, text, change):
    def f(b):
        b.reset_world(numa=("b",), canaries="full")
        b.start_all()
        whole_jump(b)
        before = get(DEVICE1)
        b.kexec()
        b.jump()
        good, n = get(DEVICE1), len(loads(b))
        put(DEVICE1, change(before, good))
        expect(b, b.agent(), rc, "running=1", text)
        if [s[1] for s in loads(b)[n:]] != ["a"]:
            raise Wrong("started: %s" % loads(b))
        v = b.status()["b"]
        if v["state"] not in ("sealed", "kept"):
            raise Wrong("%s" % v)
        put(DEVICE1, good)
        # Not by resumes(): the last line of defence was needed.
        expect(b, b.holdover("resume"), 0, "b: running")
        b.status()
        b.check_score()
    f.__doc__ = "a VM of two parts whose second %s: kept, never started; resumed when it is mended" % what
    return f


scenarios(bad_part,
          ("was changed", 1, "RAM was changed", lambda _, good: good[:1000 << 10] + b"x" + good[(1000 << 10) + 1:]),
          ("region is of the jump before", 0, "stamp of", lambda before, _: before),
          ("region lost its stamp", 0, "region 6M!8G", lambda _, good: good[:2 << 20] + bytes(2 << 20)))


@scenario
def stamp_that_does_not_last(b):
    """a stamp of a second region that does not read back as it was written: the jump is called off"""
    numa_host(b)
    before = pids(b)

    def held():
        good = get(DEVICE1)
        with open(DEVICE1, "r+b") as f:
            for at in range(2 << 20, len(good) - (8 << 10), 64):
                if good[at:at + 8] == b"HOLDmani":
                    f.seek(at + 16)
                    f.write(b"\xff")

    expect(b, b.kexec(fault="manifest_written:hold", held=held), 1, "stamp of", "every VM runs on")
    found = Life(b).verdict()
    if set(found.values()) != {"running"} or pids(b) != before:
        raise Wrong("%s %s" % (found, pids(b)))
    whole_jump(b)


@scenario
def parts_of_another_tenant(b):
    """a fresh start of two parts shows none of another tenant's RAM, in neither"""
    b.reset_world(vms=("b", "c"), numa=("b", "c"))
    expect(b, b.holdover("run", "b"), 0)
    b.status()
    place = shown(b)["b"]
    b.holdover("stop", "--force", "b")
    if not any(get(DEVICE1)[:4096]):
        raise Wrong("there was nothing to see")
    expect(b, b.holdover("run", "c"), 0)
    if place[1] != shown(b)["c"][1] or "b" in shown(b):
        raise Wrong("not in the same place: %s, %s" % (place, shown(b)))
    b.check_score()


@scenario
def part_without_room(b):
    """a VM of two parts gets both or none: without room for the second nothing is taken"""
    b.reset_world(vms=("b", "c"), numa=("b", "c"))
    expect(b, b.holdover("run", "b"), 0)
    before = shown(b)
    expect(b, b.holdover("run", "c"), 1, "no room for 2M")
    if shown(b) != before or b.qemus("c"):
        raise Wrong("%s became %s" % (before, shown(b)))
    expect(b, b.holdover("stop", "--force", "b"), 0)
    expect(b, b.holdover("run", "c"), 0)
    expect(b, b.holdover("init", "--add", "--force", "--memmap", MEMMAP1), 1, "holds the RAM of VM c, which runs")
    whole = Life(b)
    whole.may_be_lost = {"b"}
    whole.verdict()


@scenario
def region_in_place_of_a_missing_one(b):
    """a region is missing with a part of a VM: nothing that may be it is formatted, no other one gets its number"""
    numa_host(b)
    b.kexec()
    b.jump()
    good = get(DEVICE1)
    # It comes up, but its stamp cannot be read: it may be the one.
    put(DEVICE1, good[:2 << 20] + bytes(2 << 20))
    d = b.holdover("init", "--add", "--force", "--memmap", MEMMAP1)
    expect(b, d, 1, "holds RAM of VM b", "discard b")
    if get(DEVICE1)[:2 << 20] != good[:2 << 20]:
        raise Wrong("the RAM was overwritten")
    put(DEVICE1, good)
    resumes(b)
    # Idle now: one more region takes another number, so that the old one can come back.
    b.holdover("stop", "--force", "b")
    good = get(DEVICE1)
    put("/bench/region1", REGION2)
    put(DEVICE1, bytes(len(good)))
    expect(b, b.holdover("init", "--add", "--memmap", MEMMAP2), 0, "region 2")
    put("/bench/region1", REGION1)
    put(DEVICE1, good)
    expect(b, b.holdover("run", "b"), 0)
    b.status()
    b.check_score()


@scenario
def only_the_beginning(b):
    """a QEMU before 8.1 gets the beginning of the device as soon as the VM that has it neither runs nor waits"""
    b.reset_world()
    put("/bench/version", "7.2.22\n")
    expect(b, b.holdover("run", "a"), 0, "/dev/dax0.0+0,")
    for _ in range(2):
        expect(b, b.holdover("run", "b"), 1, "vm b: /bin/qemu is version 7.2", "stop the other VM first")
    b.holdover("stop", "--force", "a")
    expect(b, b.holdover("run", "b"), 0, "/dev/dax0.0+0,")
    b.vms = ["b"]
    whole_jump(b)
    b.kexec()
    b.jump()
    expect(b, b.holdover("run", "a"), 1, "vm a: /bin/qemu is version 7.2", "belongs to another VM")
    b.vms = ["a", "b"]
    expect(b, b.holdover("discard", "b"), 0)
    expect(b, b.holdover("run", "a"), 0, "/dev/dax0.0+0,")
    b.check_score()


# ---- steps that fail instead of dying -----------------------------------------------------------------

def fails_stage(point):
    def f(b):
        fresh_host(b)
        before = pids(b)
        expect(b, b.kexec(fault=point + ":fail"), 1, "every VM runs on", "fault point")
        found = Life(b).verdict()
        if set(found.values()) != {"running"} or pids(b) != before or there(TICKET_COPY) or \
                there("/bench/kexec/initrd"):
            raise Wrong("%s %s" % (found, pids(b)))
        whole_jump(b)
    f.__doc__ = "the stage fails at %s: all undone, every VM runs on" % point
    return f


scenarios(fails_stage, *[(p,) for p in
                         ("pause_noted@3", "pause_noted@4", "kernel_loaded", "ticket_copy_saved",
                          "manifest_written", "vm_sealed@1", "vm_sealed@2", "seal_read_back",
                          "sealed_and_checked")])


def fails_arming(point, last):
    def f(b):
        with_manager(b)
        before = pids(b)
        if last:
            expect(b, act_arm(b), 0)
        d = (last_step if last else act_arm)(b, fault=point + ":fail")
        expect(b, d, 1, "every VM runs on")
        if pids(b) != before or there(ARMED) or there(INITRD) or there(TICKET_COPY):
            raise Wrong("not undone: %s" % d)
        Life(b).verdict()
        whole_jump(b)
    f.__doc__ = "%s fails at %s: all undone, every VM runs on" % ("the last step of an armed jump" if last else "arming",
                                                                  point)
    return f


scenarios(fails_arming, ("kernel_loaded", False), ("arm_copy_saved", False), ("armed", False), ("arm_taken", True),
          ("sealed_and_checked", True))


@scenario
def armed_once(b):
    """the last step killed with everything sealed: another one has no ticket to seal a second time, abort undoes it"""
    with_manager(b)
    before = pids(b)
    expect(b, act_arm(b), 0)
    expect(b, last_step(b, fault="sealed_and_checked"), -9)
    if there(ARMED):
        raise Wrong("the ticket is still armed")
    expect(b, last_step(b), 1, "not jumped")
    if there("/bench/kexec/jumped"):
        raise Wrong("jumped with a ticket that had been sealed")
    b.holdover("abort")
    if pids(b) != before or there(ARMED) or there(INITRD) or there(TICKET_COPY):
        raise Wrong("not undone: %s" % b.status())
    Life(b).verdict()
    whole_jump(b)


def fails_agent(point, kept):
    def f(b):
        jumped(b)
        d = b.agent(fault=point + ":fail")
        b.check_score()
        if "running=1" not in d.err:
            raise Wrong("the other one is held up: %s" % d)
        b.late()
        b.holdover("resume")
        Life(b).verdict(kept=kept)
        repair(b)
    f.__doc__ = "the agent fails at %s: the other VM is not held up" % point
    return f


scenarios(fails_agent, ("claimed", ()), ("qemu_started", ()), ("released", ("RELEASED",)),
          ("claimed@2", ()), ("qemu_started@2", ()), ("released@2", ("RELEASED",)))
