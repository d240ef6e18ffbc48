# SPDX-License-Identifier: GPL-2.0-only
"""The agent dies in the middle of its work: the boot goes on, the state is kept, and the late unit resumes the VM."""
from lib import faults
from lib.host import DONE

TEMPLATE = "host"
TIMEOUT = 400


def run(t):
    t.host.bare_vm("bare")
    since = faults.jump_into(t, "qemu_connected") + 1
    t.host.wait_multi_user(since)
    t.machine.run("systemctl start holdover-guests.service", 120)
    t.equal(t.machine.serial.matching(DONE, since), [], "the agent never came to its end")
    t.true(t.machine.serial.matching("Failed to start .*holdover-agent",
                                     since), "systemd saw its unit fail")
    with t.step("the late unit is done"):
        t.machine.run("timeout 100 sh -c 'until systemctl show -P ActiveState holdover-resume.service | "
                      "grep -q ^inactive; do sleep 0.5; done'", 110)
    vm = t.host.vm("bare")
    t.equal((vm["state"], vm["record"]), ("running", "RUNNING"), "the VM runs")
    t.equal(t.machine.run("pgrep -cx qemu-system-x86", ok=None).out.strip(), "1", "in one QEMU")
