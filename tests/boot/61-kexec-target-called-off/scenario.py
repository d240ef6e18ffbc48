# SPDX-License-Identifier: GPL-2.0-only
"""The last step of kexec.target fails: the same QEMU runs on and the host comes back; then it powers off in order."""

TEMPLATE = "host"
TIMEOUT = 400
SERVICE = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo "<4>holdover-test: ordinary service started" >/dev/kmsg'
ExecStop=/bin/sh -c 'echo "<4>holdover-test: ordinary service ended" >/dev/kmsg'

[Install]
WantedBy=multi-user.target
"""
REFUSED = "[Service]\nSystemCallFilter=~reboot:EPERM\n"
# A guest that is firmware alone does not hear the power button.
IMPATIENT = """[Service]
ExecStop=
ExecStop=/usr/sbin/holdover stop --shutdown --timeout 3
StandardOutput=journal+console
StandardError=journal+console
"""


def run(t):
    control = t.machine.control
    t.host.bare_vm("bare")
    pid, boot = t.host.pid("bare"), control.boot_id
    control.put("/etc/systemd/system/ordinary.service", SERVICE)
    control.put("/run/systemd/system/holdover-kexec.service.d/refused.conf", REFUSED)
    control.put("/run/systemd/system/holdover-guests.service.d/impatient.conf", IMPATIENT)
    t.machine.run("systemctl daemon-reload && systemctl enable --now ordinary.service", 120)
    since = t.machine.serial.mark()
    with t.step("holdover kexec starts kexec.target"):
        t.host.holdover("kexec", 180)
    at = since
    for text in ("ordinary service ended", "pausing and saving 1 VM", "not jumped, every VM runs on: .*Operation not permitted",
                 "ordinary service started"):
        with t.step(f"in order: {text}"):
            at, _, _ = t.machine.serial.wait(text, 200, at)
    with t.step("systemd has nothing left to do"):
        t.machine.run("timeout 150 sh -c 'until [ -z \"$(systemctl list-jobs --no-legend)\" ]; do sleep 1; done'", 160)
    t.equal(control.boot_id, boot, "the kernel is still the same")
    vm = t.host.vm("bare")
    t.equal((vm["state"], vm["pid"], vm["record"]), ("running", pid, "ABORTED"), "the same QEMU runs on")
    t.equal(t.machine.run("cat /sys/kernel/kexec_loaded").out.strip(), "0", "no kernel is loaded")
    t.equal(t.machine.run("ls /run/holdover/armed /var/lib/holdover/ticket 2>/dev/null", ok=None).out, "", "no ticket is left")
    t.equal(t.machine.run("systemctl is-active holdover-guests.service multi-user.target").out.split(), ["active", "active"],
            "the host is back")
    t.equal(t.machine.run("mount | grep -c ' on / .*rw'").out.strip(), "1", "its root is writable")

    since = t.machine.serial.mark()
    control.start("systemctl poweroff", 60)
    at = since
    for text in ("holdover: vm bare: its guest did not shut down within 3 s.*; ending its QEMU", "bare: stopped",
                 "reboot: Power down"):
        with t.step(f"poweroff, in order: {text}"):
            at, _, _ = t.machine.serial.wait(text, 120, at)
