# SPDX-License-Identifier: GPL-2.0-only
"""The same server, dead on the way through kexec.target: systemd gives up unmounting, the last step jumps in its bound."""
from lib import fileserver

TEMPLATE = "host"
TIMEOUT = 500
LONG = True
BOUND = 4


def run(t):
    t.host.bare_vm("bare")
    t.machine.control.put("/etc/holdover/holdover.conf", f"[kexec]\nflush-timeout = {BOUND}\n")
    # Instead of a minute and a half.
    t.machine.control.put("/run/systemd/system/mnt-dead.mount.d/test.conf", "[Mount]\nTimeoutSec=10\n")
    with t.step("the server dies, and pages wait for it"):
        fileserver.serve(t)
        fileserver.die(t)
    t.machine.run("systemctl daemon-reload")
    since = t.machine.serial.mark()
    t.jump(1, "the jump through kexec.target", "kexec")
    for text in ("Starting .*holdover-kexec.service",
                 f"not everything was flushed within {BOUND} s: what is on .*{fileserver.MOUNT}.*; going on",
                 "pausing and saving 1 VM", "Linux version"):
        with t.step(f"in order: {text}"):
            since, _, _ = t.machine.serial.wait(text, 1, since)
    at = {m["phase"]: m["ms"] for m in t.host.json("timeline")["marks"] if m["vm"] in ("bare", "")}
    t.true(at["jump"] - at["paused"] < BOUND * 1000, f"the VM was paused {at['jump'] - at['paused']:.0f} ms before the jump",
           str(at))
    t.equal(t.host.vm("bare")["state"], "running", "it runs on")
