# SPDX-License-Identifier: GPL-2.0-only
"""The next kernel from a boot loader entry, and from a unified kernel image."""
import struct

TEMPLATE = "host"
TIMEOUT = 600
LONG = True
ENTRY = """title the next kernel
linux /vmlinuz-{release}
initrd /early.img
initrd /initrd.img-{release}
options {cmdline} holdover.test=entry
architecture x64
"""


def unified(parts):
    """What comes before the parts of a unified kernel image; each part begins at a multiple of 512. parts: (name, size)."""
    start = at = 1024
    table = b""
    for name, size in parts:
        room = -(-size // 512) * 512
        table += struct.pack("<8s6I2HI", name, size, 0, room, at, 0, 0, 0, 0, 0)
        at += room
    head = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<2H3I2H", 0x8664, len(parts), 0, 0, 0, 0, 0)
    return (head + table).ljust(start, b"\0")


def jumped(t, words, mark):
    since = t.machine.serial.mark()
    _, done = t.host.jump(words)
    t.equal((done["vms"], done["running"]), (1, 1), f"`holdover {words}` carries the VM over")
    t.host.wait_multi_user(since)
    t.machine.run("systemctl start holdover-guests.service", 120)
    t.true(mark in t.machine.run("cat /proc/cmdline").out.split(), f"into the kernel with {mark}")


def run(t):
    control, sh = t.machine.control, t.machine.run
    t.host.bare_vm("bare")
    release, cmdline = sh("uname -r").out.strip(), sh("cat /proc/cmdline").out.strip()
    # An archive before the initramfs, as microcode comes.
    sh("cd /tmp && mkdir -p early && echo hello >early/early-file && (cd early && echo early-file | cpio -o -H newc) >/boot/early.img"
       " 2>/dev/null || printf '' >/boot/early.img")
    control.put("/boot/loader/entries/next.conf", ENTRY.format(release=release, cmdline=cmdline))
    control.put("/boot/loader/loader.conf", "default ne*\n")
    answer = t.host.holdover("check --entry other", 120, ok=None)
    t.true(answer.code and "next.conf" in answer.err + answer.out, "an entry that is not there is refused, with those that are",
           str(answer))
    jumped(t, "kexec --now --entry next", "holdover.test=entry")
    jumped(t, "kexec --now --entry default --append holdover.test=default", "holdover.test=default")

    line = f"{cmdline} holdover.test=unified".encode()
    sizes = [int(sh(f"stat -c %s /boot/{x}-{release}").out) for x in ("vmlinuz", "initrd.img")]
    control.put("/tmp/head", unified([(b".cmdline", len(line)), (b".linux", sizes[0]), (b".initrd", sizes[1])]))
    control.put("/tmp/line", line)
    sh("mkdir -p /boot/EFI/Linux && cd /tmp && truncate -s %512 line && "
       f"(cat head line && cat /boot/vmlinuz-{release}) >/boot/EFI/Linux/next.efi && truncate -s %512 /boot/EFI/Linux/next.efi && "
       f"cat /boot/initrd.img-{release} >>/boot/EFI/Linux/next.efi && truncate -s %512 /boot/EFI/Linux/next.efi", 120)
    jumped(t, "kexec --now --kernel /boot/EFI/Linux/next.efi", "holdover.test=unified")
