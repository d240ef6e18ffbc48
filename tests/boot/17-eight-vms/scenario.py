# SPDX-License-Identifier: GPL-2.0-only
"""Eight VMs saved and resumed at once, in order of priority; one whose QEMU is gone or whose state is rotten holds up none."""
import json

from lib import evidence

HOST = "mini"
TEMPLATE = None
TIMEOUT = 500
MACHINE = {"append": "holdover-test.late=0"}
END, LEDGER = (1 << 30) + (256 << 20), 32 << 20
# Before QEMU is executed for a resume it may hang or end, as its VM's file says; what `check` asks it is answered.
WRAPPER = """#!/bin/sh
case "$*" in
*"-name NAME "*-incoming*)
	case "$(cat /var/lib/vms/NAME.mode 2>/dev/null)" in
	hang) exec sleep 1000 ;;
	exit) echo "it does not want to" >&2; exit 1 ;;
	esac ;;
esac
exec /usr/bin/qemu-system-x86_64 "$@"
"""
# The higher the number, the later; names and priorities are in no order of each other.
PRIORITY = {"one": 50, "two": 10, "three": 70, "four": 30, "five": 80, "six": 20, "seven": 60, "eight": 40}
ORDER = sorted(PRIORITY, key=PRIORITY.get)


def phase(marks, name):
    """VM names in the order in which they came to a phase."""
    return [m["vm"] for m in marks if m["phase"] == name and m.get("vm")]


def check_order(t):
    marks = t.host.json("timeline")["marks"]
    for name in ("claimed", "spawned"):
        t.equal(phase(marks, name), ORDER, f"{name} in order of priority")
    t.equal(sorted(phase(marks, "running")), sorted(ORDER), "all of them came to run")


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
    t.host.holdover("init")
    for name, number in PRIORITY.items():
        with t.step(f"guest {name} ticks"):
            qemu = f"/usr/bin/qemu-{name}"
            t.machine.control.put(qemu, WRAPPER.replace("NAME", name), "755")
            t.host.guest(name, more=f"priority = {number}\nqemu = {qemu}\n", tick_ms=1000, words=512,
                         timeout=45 if name == "two" else 120).run()
            t.host.guests[-1].wait_ticks(2, 120)
    moment = t.jump(8)
    for guest in t.host.guests:
        guest.wait_ticks(2)
    check_order(t)
    t.check_evidence(moment)

    bad_jump(t)
    for guest in t.host.guests:
        guest.wait_ticks(3)
        guest.check()
    t.end()


def manifest_blob(t, name):
    """Physical address of a VM's device state, as the sealed manifest in the machine's memory has it."""
    ram, ledger = t.machine.ram, END - LEDGER
    texts = [ram.read(ledger + slot, 0x40000) for slot in (0x6000, 0x46000)]
    newest = max(texts, key=lambda text: int.from_bytes(text[16:24], "little"))
    length = int.from_bytes(newest[24:32], "little")
    manifest = json.loads(newest[4096 + 64:4096 + length])
    blob = next(vm["blob"] for vm in manifest["vms"] if vm["name"] == name)
    return ledger + 0x98000 + blob["offset"]


def bad_jump(t):
    """Three VMs that cannot be resumed, and five that are not held up by them."""
    bad = {"two": "hang", "five": "exit", "seven": "rot"}
    rotten = []

    def rot():
        rotten.append(manifest_blob(t, "seven"))
        t.machine.ram.flip(rotten[0] + 100)

    t.machine.run("echo hang >/var/lib/vms/two.mode; echo exit >/var/lib/vms/five.mode; sync")
    since = {g.name: g.stream.mark() for g in t.host.guests}
    with t.step("a jump with a QEMU that hangs, one that exits and a device state that is rotten"):
        moment, done = t.host.jump(at_kernel=rot)
    arrived = {g.name: g.stream.matching(evidence.TICK.pattern, since[g.name]) for g in t.host.guests}
    done_at = t.machine.serial.matching("holdover: DONE")[-1][0]
    t.equal((done["vms"], done["running"], done["failed"]), (8, 5, 1), "the agent resumes the other five")
    for name in ORDER:
        after = [at for at, _ in arrived[name] if at > moment]
        if name in bad:
            t.equal(len(after), 0, f"{name} ({bad[name]}) does not tick")
        else:
            t.true(after and done_at - after[0] > 5, f"{name} ticks seconds before the agent gives up the one that hangs",
                   f"{after[:1]}, DONE at {done_at}")
    marks = t.host.json("timeline")["marks"]
    t.equal([n for n in phase(marks, "spawned") if n not in bad], [n for n in ORDER if n not in bad],
            "the five are started in order of priority")
    for name in bad:
        t.true(t.host.vm(name)["state"] in ("sealed", "kept"), f"{name} is kept")
        t.says(f"status {name}", 0, f"holdover resume {name}")
    t.machine.run("rm /var/lib/vms/*.mode")
    t.says("resume", 4, "seven: failed", "two: running", "five: running")
    t.machine.ram.flip(rotten[0] + 100)
    t.says("resume seven", 0, "seven: running")
