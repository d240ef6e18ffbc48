# SPDX-License-Identifier: GPL-2.0-only
"""A step fails after the VMs were saved: they run on in place, and nothing is left that could resume them again."""
from lib import evidence
from lib.host import DONE

TEMPLATE = "one"
TIMEOUT = 360
# kexec_file_load is allowed, the reboot system call that starts the loaded kernel is not.
REFUSED = """[Service]
Type=oneshot
SystemCallFilter=~reboot:EPERM
ExecStart=/usr/sbin/holdover kexec --now
StandardOutput=file:/run/refused.log
StandardError=file:/run/refused.log
"""


def run(t):
    guest, = t.host.guests
    run_in_host = t.machine.run
    pid, boot = t.host.pid("one"), t.machine.control.boot_id
    guest.wait_ticks(1)

    # The copy of the ticket is written after the save and before the seal.
    run_in_host("mkdir -p /var/lib/holdover && mount --bind /var/lib/holdover /var/lib/holdover && "
                "mount -o remount,ro,bind /var/lib/holdover")
    result = t.host.holdover("kexec --now", 180, ok=(1,))
    t.true("pausing and saving" in result.err and "runs on" in result.err, "a read-only /var calls the jump off after "
           "the save", result.err)
    run_in_host("umount /var/lib/holdover")
    t.undone(guest, pid, "after a failure before the seal")

    # The last step of all: the kernel refuses the jump itself, with everything sealed.
    t.machine.control.put("/run/systemd/system/refused.service", REFUSED)
    run_in_host("systemctl daemon-reload; systemctl start refused.service", 180, ok=(1,))
    said = run_in_host("cat /run/refused.log").out
    t.true("pausing and saving" in said and "runs on" in said and "Operation not permitted" in said,
           "a jump that the kernel refuses is called off after the seal", said)
    t.undone(guest, pid, "after a failure behind the seal")
    t.equal(t.machine.control.boot_id, boot, "the kernel is still the same")

    answer = run_in_host("/usr/lib/holdover-test/kexec exec", ok=(1,)).err
    t.true("Invalid argument" in answer, "kexec -e has nothing to start", answer)

    # Even with a kernel loaded by somebody else: no ticket goes along, so nothing is resumed.
    run_in_host("/usr/lib/holdover-test/kexec load /boot/vmlinuz-$(uname -r) /boot/initrd.img-$(uname -r)")
    run_in_host("sync")
    since, ticks = t.machine.serial.mark(), guest.stream.mark()
    t.machine.control.start("/usr/lib/holdover-test/kexec exec", 30)
    with t.step("another kexec starts the kernel"):
        _, started, _ = t.machine.serial.wait("Linux version", 60, since)
    with t.step("the agent finds no ticket"):
        _, _, done = t.machine.serial.wait(DONE, 200, since)
    t.equal(done.group(1, 2), ("0", "0"), "and resumes nothing")
    t.host.wait_multi_user(since)
    late = [tick.n for tick in evidence.ticks(guest.stream) if tick.arrived > started]
    t.equal(late, [], "the guest did not tick again")
    t.equal(t.host.state("one"), "stopped", "status says that it is stopped")
    guest.check()
