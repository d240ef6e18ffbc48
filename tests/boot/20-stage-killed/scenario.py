# SPDX-License-Identifier: GPL-2.0-only
"""The stage is killed after the save, after the seal, and with the file systems frozen: abort sets things right."""
from lib import faults

TEMPLATE = None
HOST = "mini"
TIMEOUT = 300
# The first save is the rehearsal's.
POINTS = {"saved@2": "after the save", "seal_read_back": "after the seal", "frozen": "with the file systems frozen"}


def run(t):
    t.start("one")
    guest, = t.host.guests
    pid, boot = t.host.pid("one"), t.machine.control.boot_id
    for point, when in POINTS.items():
        faults.killed(t, "kexec --now", point)
        since = guest.stream.mark()
        # Written by whoever comes next: a root that stayed frozen would hold it up for ever.
        t.machine.run("touch /var/lib/vms/written && sync -f /var/lib/vms/written", 60)
        vm = t.host.vm("one")
        t.true(vm["pid"] == pid and "holdover abort" in vm["detail"], f"status says what to do, killed {when}", str(vm))
        t.silent(guest, since, "while it is saved")
        t.host.holdover("abort", 60)
        t.undone(guest, pid, f"when the stage was killed {when}")
    # The kernel itself would load the first, and then start it.
    image = t.machine.run("echo /boot/vmlinuz-*").out.strip()
    for make, said in ((f"head -c 1000000 {image} >/var/lib/vms/bad", "cut short"),
                       (f"cp {image} /var/lib/vms/bad; printf X | dd of=/var/lib/vms/bad bs=1 seek=514 conv=notrunc",
                        "kexec_file_load")):
        t.machine.run(make)
        answer = t.host.holdover("kexec --now --kernel /var/lib/vms/bad --initrd $(echo /boot/initrd.img-*)", 120, ok=(1,))
        t.true(said in answer.err and "every VM runs on" in answer.err, f"a bad kernel image is refused: {said}", str(answer))
        t.undone(guest, pid, "after it")
    t.equal(t.machine.control.boot_id, boot, "the kernel is still the same")
    moment = t.jump(1, "the next jump")
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    t.check_evidence(moment)
    t.end()
