# SPDX-License-Identifier: GPL-2.0-only
"""an NFS server that has died with pages unwritten: `kexec --now` names the mount, goes on in its bound, and no VM is paused longer."""
import time

from lib import fileserver

HOST = "mini"
TEMPLATE = None
TIMEOUT = 260
BOUND = 4


def run(t):
    t.start("one")
    t.machine.control.put("/etc/holdover/holdover.conf", f"[kexec]\nflush-timeout = {BOUND}\n")
    with t.step("the server dies, and pages wait for it"):
        fileserver.die(t)
    begin = time.monotonic()
    t.host.holdover("status", 20)
    t.true(time.monotonic() - begin < 10, "`holdover status` does not wait for it")
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
