# SPDX-License-Identifier: GPL-2.0-only
"""A QEMU that does not run as root: resumed in the initramfs, and alive in the complete system."""

TEMPLATE = "host"
TIMEOUT = 400


def run(t):
    t.host.bare_vm("bare", "", "-run-with user=nobody", disk=True)
    t.machine.run("chown nobody /var/lib/vms/bare.img")     # opened again after each save
    uid = "stat -c %U /proc/%d"
    t.equal(t.machine.run(uid.replace("%d", str(t.host.pid("bare")))).out.strip(), "nobody", "QEMU runs as nobody")
    since = t.machine.serial.mark()
    _, done = t.host.jump("kexec --now")
    t.equal((done["vms"], done["running"]), (1, 1), "the agent resumes it")
    pid = int(t.machine.run("sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p' /run/holdover/bare/state.json").out)
    t.host.wait_multi_user(since)
    t.machine.run("systemctl start holdover-guests.service", 120)
    for word in ("", "daemon-reexec", "isolate multi-user.target"):
        t.machine.run(f"systemctl {word}" if word else "true", 120)
        vm = t.host.vm("bare")
        t.equal((vm["state"], vm["pid"]), ("running", pid), f"the same QEMU runs {'after ' + word if word else 'at multi-user'}")
    t.equal(t.machine.run(uid.replace("%d", str(pid))).out.strip(), "nobody", "as nobody")
    t.true("/machine.slice/holdover-bare.scope" in t.machine.run(f"cat /proc/{pid}/cgroup").out, "in its scope")
    with t.step("it can be ended"):
        t.host.holdover("stop --force bare", 60)
