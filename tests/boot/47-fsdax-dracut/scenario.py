# SPDX-License-Identifier: GPL-2.0-only
"""RAM in files on xfs, in a host with systemd and dracut: kexec.target leaves the file system to the VM, the image mounts it before the root is entered; called off first."""

TEMPLATE, TIMEOUT = "host", 400
DIR = "/run/holdover/dax/0x100000000"
REFUSED = "[Service]\nSystemCallFilter=~reboot:EPERM\n"
DROP_IN = "/run/systemd/system/holdover-kexec.service.d/refused.conf"


def mounted(t, when):
    """The file system is where it was, for DAX, and takes what is written to it; systemd knows it."""
    mount = t.machine.run(f"grep ' {DIR} ' /proc/self/mounts", ok=None).out
    t.true(" xfs " in mount and "dax" in mount, f"the file system is mounted for DAX {when}", mount or "it is not mounted")
    answer = t.machine.run(f"timeout 20 sh -c 'echo x >{DIR}/probe && sync {DIR}/probe && rm {DIR}/probe'", 60, ok=None)
    t.equal(answer.code, 0, f"it is not frozen {when}")


def called_off(t, guest):
    """The last step of kexec.target is refused by the kernel."""
    pid, boot = t.host.pid("one"), t.machine.control.boot_id
    t.machine.control.put(DROP_IN, REFUSED)
    t.machine.run("systemctl daemon-reload", 60)
    since = t.machine.serial.mark()
    t.host.holdover("kexec", 180)
    at = since
    for text in ("pausing and saving 1 VM", "not jumped, every VM runs on: .*Operation not permitted"):
        with t.step(f"in order: {text}"):
            at, _, _ = t.machine.serial.wait(text, 200, at)
    with t.step("systemd has nothing left to do"):
        t.machine.run("timeout 150 sh -c 'until [ -z \"$(systemctl list-jobs --no-legend)\" ]; do sleep 1; done'", 160)
    t.equal(t.machine.control.boot_id, boot, "the kernel is still the same")
    t.undone(guest, pid, "after kexec.target was called off")
    mounted(t, "then")
    t.machine.run(f"rm {DROP_IN} && systemctl daemon-reload", 60)


def run(t):
    t.says("init --fsdax=xfs --force", 0, "xfs", DIR)
    guest = t.host.guest("one", bare=True)
    with t.step("a guest whose RAM is a file ticks"):
        said = t.host.json("run one")
        guest.wait_ticks(3, 120)
    t.equal(said["path"], f"{DIR}/one.ram", "the file is on it")
    called_off(t, guest)
    since = t.machine.serial.mark()
    moment = t.jump(1, "a jump through kexec.target", "kexec")
    t.equal(t.host.vm("one")["resumed_at"], "sysroot", "it was resumed in the initramfs, which has mounted the file system")
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    t.host.wait_multi_user(since)
    mounted(t, "in the complete system")
    t.check_evidence(moment)
    t.end()
