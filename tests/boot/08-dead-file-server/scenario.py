# SPDX-License-Identifier: GPL-2.0-only
"""an NFS server has died with pages unwritten: a VM with an image there is refused in a bound, without it the jump names the mount."""
from lib import fileserver

HOST = "mini"
TEMPLATE = None
TIMEOUT = 400
BOUND = 4


def run(t):
    t.start("one")
    t.machine.control.put("/etc/holdover/holdover.conf", f"[kexec]\nflush-timeout = {BOUND}\n")
    fileserver.serve(t)
    with t.step("a VM with a disc on the server starts and ticks"):
        two = t.host.guest("two", args=f"args = -drive file={fileserver.MOUNT}/disc,if=none,id=iso,readonly=on,format=raw\n")
        two.run()
        two.wait_ticks(2)
    with t.step("the server dies, and pages wait for it"):
        fileserver.die(t)
    one, pid = t.host.guests[0], t.host.pid("one")
    t.says("kexec --now", 1, "two: ", "every VM runs on")
    t.undone(one, pid, "after the jump that was refused")
    t.host.holdover("stop --timeout 5 --force two", 60)
    t.host.guests.remove(two)
    said = []
    with t.step("the jump: the agent resumes 1 of 1"):
        moment, done = t.host.jump(on_output=lambda _, data: said.append(data.decode(errors="replace")))
    t.equal((done["vms"], done["running"]), (1, 1), "the VM runs on")
    text = "".join(said)
    t.true(f"not everything was flushed within {BOUND} s: what is on {fileserver.MOUNT}; going on" in text,
           "what was not flushed is told", text)
    at = {m["phase"]: m["ms"] for m in t.host.json("timeline")["marks"] if m["vm"] in ("one", "")}
    t.true(at["jump"] - at["paused"] < BOUND * 1000, f"the VM was paused {at['jump'] - at['paused']:.0f} ms before the jump",
           str(at))
    t.check_evidence(moment)
    t.end()
