# SPDX-License-Identifier: GPL-2.0-only
"""`holdover kexec` through kexec.target: services end in order while the VM runs on, and it jumps last of all."""

TEMPLATE = "host"
TIMEOUT = 400
SERVICE = """[Unit]
Description=An ordinary service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'kill -0 $(cat /run/vm.pid) && echo "<4>holdover-test: ordinary service ended, VM alive" >/dev/kmsg'
"""
ORDER = ("holdover-test: ordinary service ended, VM alive", "Starting .*holdover-kexec.service", "pausing and saving 1 VM",
         "kexec_core: Starting new kernel", "Linux version")


def run(t):
    t.host.bare_vm("bare", disk=True)
    t.machine.run(f"echo {t.host.pid('bare')} >/run/vm.pid")
    t.machine.control.put("/run/systemd/system/ordinary.service", SERVICE)
    t.machine.run("systemctl daemon-reload && systemctl start ordinary.service")
    t.equal(t.machine.run("systemctl is-active holdover-guests.service", ok=None).out.strip(), "active",
            "the VM's scope has pulled in holdover-guests.service")
    since = t.machine.serial.mark()
    _, done = t.host.jump("kexec")
    t.equal((done["vms"], done["running"]), (1, 1), "the agent resumes the VM")
    at = since
    for text in ORDER:
        with t.step(f"in order: {text}"):
            at, _, _ = t.machine.serial.wait(text, 1, at)
    t.host.wait_multi_user(since)
    t.machine.run("systemctl start holdover-guests.service", 120)
    vm = t.host.vm("bare")
    t.equal((vm["state"], vm["record"]), ("running", "RUNNING"), "it runs in the complete system")
    t.equal(t.machine.run("ls /run/holdover/armed /run/holdover/ticket /var/lib/holdover/ticket 2>/dev/null", ok=None).out, "",
            "nothing is left armed, and no ticket")
