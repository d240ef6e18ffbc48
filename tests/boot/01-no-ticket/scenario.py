# SPDX-License-Identifier: GPL-2.0-only
"""A boot that no jump led to: the agent says so at once and leaves the persistent memory as it is."""
import hashlib
import os
import re

from lib.host import DONE

TEMPLATE = "one"
TIMEOUT = 300
REGION = 4 << 30


def data_of_region(t):
    """SHA-256 of the DAX device as it lies in the machine's memory, taken from outside. What is before it in the
    region are the kernel's own struct pages, which each boot writes anew."""
    listing = t.machine.run("modprobe -a nd_e820 dax_pmem device_dax; udevadm settle; cat /proc/iomem").out
    found = re.search(r"^ *([0-9a-f]+)-([0-9a-f]+) : dax0\.0$", listing, re.M)
    t.true(found and int(found[1], 16) > REGION, "the DAX device is there", listing)
    start, end = int(found[1], 16), int(found[2], 16) + 1
    path = os.path.join(t.logs, "region")
    t.machine.qmp.command("stop")
    t.machine.qmp.command("pmemsave", val=start, size=end - start, filename=path)
    t.machine.qmp.command("cont")
    with open(path, "rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    os.unlink(path)
    return digest


def run(t):
    first = t.machine.serial.matching(DONE)
    t.equal([m.group(1, 2, 3, 4) for _, m in first], [("0", "0", "0", "0")], "the first boot says DONE vms=0, once")
    guest, = t.host.guests
    with t.step("the guest is stopped, its RAM and the ledger stay in the region"):
        t.host.holdover("stop --timeout 120 one", 150)
    before = data_of_region(t)
    since, boot = t.machine.serial.mark(), t.machine.control.boot_id
    t.machine.run("sync")
    # A reset that keeps the memory, as a warm reboot does.
    t.machine.qmp.command("set-action", reboot="reset")
    t.machine.qmp.command("system_reset")
    with t.step("the host boots again"):
        t.machine.control.wait_boot(200, boot)
        t.host.wait_multi_user(since)
    _, _, done = t.machine.serial.wait(DONE, 10, since)
    t.equal(done.group(1, 2, 3, 4), ("0", "0", "0", "0"), "the agent says DONE vms=0")
    raw = t.machine.run("dmesg -r | grep 'holdover: DONE'").out
    t.equal(int(re.match(r"<(\d+)>", raw)[1]) & 7, 6, "at info level")
    t.equal(len(raw.splitlines()), 1, "once")
    t.true(int(done[5]) < 1000, f"after {done[5]} ms")
    t.equal(data_of_region(t), before, "not a byte of the DAX device has changed")
    t.equal(t.host.state("one"), "stopped", "the VM is stopped, nothing of it is sealed or kept")
    t.equal(t.machine.run("systemctl is-active holdover-resume.service", ok=None).out.strip(), "inactive",
            "the late unit was skipped")
