# SPDX-License-Identifier: GPL-2.0-only
"""A disk that is written to behind its VM's back: kept, started afresh, or given up, and a unit is told."""

TEMPLATE = "host"
TIMEOUT = 400
SPOIL = """[Unit]
DefaultDependencies=no
After=local-fs.target
Before=holdover-resume.service

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for vm in kept fresh gone; do printf x >>/var/lib/vms/$vm.img; done'

[Install]
WantedBy=multi-user.target
"""
PAGE = """[Unit]
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo "<4>holdover-test: paged about %i" >/dev/kmsg'
"""
POLICY = {"kept": "keep", "fresh": "cold-boot", "gone": "ignore"}


def run(t):
    for name, word in POLICY.items():
        t.host.bare_vm(name, f"placement = late\non-failure = {word}\non-failure-unit = page@.service\n", disk=True)
    t.host.bare_vm("well", disk=True)
    t.machine.control.put("/etc/systemd/system/spoil.service", SPOIL)
    t.machine.control.put("/etc/systemd/system/page@.service", PAGE)
    t.machine.run("systemctl daemon-reload && systemctl enable spoil.service", 120)
    since = t.machine.serial.mark()
    _, done = t.host.jump("kexec --now")
    t.equal((done["vms"], done["running"]), (4, 1), "the agent resumes the one whose disk is whole, and leaves the rest")
    t.host.wait_multi_user(since)
    t.machine.run("systemctl start holdover-guests.service", 120)
    seen = {vm["name"]: (vm["state"] == "running", vm["record"]) for vm in t.host.json("status")["vms"]}
    t.equal(seen, {"kept": (False, seen["kept"][1]), "fresh": (True, "CONSUMED"), "gone": (False, "CONSUMED"),
                   "well": (True, "RUNNING")}, "what on-failure says has been done")
    t.true(seen["kept"][1] in ("SEALED", "CLAIMED", "FAILED"), "the one that is kept can still be resumed", seen["kept"][1])
    paged = sorted(m.group(1) for _, m in t.machine.serial.matching("holdover-test: paged about (.*)", since))
    t.equal(paged, ["fresh", "gone", "kept"], "on-failure-unit was started once for each that failed")
    t.true("started afresh" in t.machine.run("dmesg").out, "the log says so")
