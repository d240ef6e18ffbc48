# SPDX-License-Identifier: GPL-2.0-only
"""A disk is missing at the resume, and a byte of the device state is turned over: kept, and resumed when it is mended."""
import re

from lib import faults
from lib.host import DONE

TEMPLATE = None
HOST = "mini"
TIMEOUT = 240
DISK, AWAY = "/var/lib/vms/one.img", "/var/lib/vms/away"
BLOBS = 0x98000      # lib/ledger_format.h


def run(t):
    t.start("one")
    guest, = t.host.guests
    run_in_host = t.machine.run
    since = t.machine.serial.mark()
    faults.held(t, "kexec --now", "sealed_and_checked", lambda: run_in_host(f"mv {DISK} {AWAY}; sync -f {AWAY}"))
    quiet = guest.stream.mark()
    with t.step("the agent does without the VM"):
        _, _, done = t.machine.serial.wait(DONE, 300, since)
    t.equal(done.group(1, 2, 3), ("1", "0", "0"), "it has resumed nothing")
    t.host.wait_multi_user(since)
    vm = t.host.vm("one")
    t.true(vm["state"] in ("sealed", "kept") and DISK in t.machine.run("dmesg").out, "kept, and the log names the disk",
           str(vm))
    answer = t.host.holdover("resume one", 60, ok=(1,))
    t.true(DISK in answer.out + answer.err, "`holdover resume` names the disk", str(answer))

    run_in_host(f"mv {AWAY} {DISK}")
    offset = int(re.search(r"ledger .*? at 0x([0-9a-f]+)", t.host.holdover("show").out.replace("\n", " "))[1], 16)
    poke = f"/usr/lib/holdover-test/poke $(ls -d /dev/dax*.*) {offset + BLOBS + 4096}"
    run_in_host(poke)
    answer = t.host.holdover("resume one", 60, ok=(1,))
    t.true("device state" in answer.out + answer.err, "a device state in which one bit was turned over is not loaded",
           str(answer))
    t.silent(guest, quiet, "meanwhile")
    run_in_host(poke)
    t.host.holdover("resume one", 180)
    with t.step("disk and state are back: the guest ticks again, where it was"):
        guest.wait_ticks(3)
    guest.check()
    t.end()
