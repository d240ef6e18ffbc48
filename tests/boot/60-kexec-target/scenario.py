# SPDX-License-Identifier: GPL-2.0-only
"""`holdover kexec` through kexec.target: services end in order while the VM runs on, and it jumps last of all."""
from lib import evidence

TEMPLATE = "one"
TIMEOUT = 400
SERVICE = """[Unit]
Description=An ordinary service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'sleep 2; echo "<4>holdover-test: ordinary service ended" >/dev/kmsg'
"""
ORDER = ("Stopping ordinary.service", "holdover-test: ordinary service ended", "Unmounted srv-extra.mount",
         "Reached target final.target", "pausing and saving 1 VM", "Linux version")


def run(t):
    guest, = t.host.guests
    t.machine.control.put("/run/systemd/system/ordinary.service", SERVICE)
    t.machine.run("systemctl daemon-reload && systemctl start ordinary.service && mkdir -p /srv/extra && "
                  "mount -t tmpfs extra /srv/extra")
    t.equal(t.machine.run("systemctl is-active holdover-guests.service", ok=None).out.strip(), "active",
            "the VM's scope has pulled in holdover-guests.service")
    since = t.machine.serial.mark()
    moment, done = t.host.jump("kexec")
    t.equal((done["vms"], done["running"]), (1, 1), "the agent resumes the VM")
    at, times = since, {}
    for text in ORDER:
        with t.step(f"in order: {text}"):
            at, times[text], _ = t.machine.serial.wait(text, 1, at)
    late = [x for x in evidence.ticks(guest.stream) if times[ORDER[1]] < x.arrived < times[ORDER[4]]]
    t.true(late, "the guest ticks on after the service has ended")
    t.check_evidence(moment)
    t.host.wait_multi_user(since)
    t.equal(t.machine.run("ls /run/holdover/armed /run/holdover/ticket", ok=None).out, "", "nothing is left armed")
    t.end()
