# SPDX-License-Identifier: GPL-2.0-only
"""What kinds of nested host there are.

    debian    a Debian with systemd and dracut, as an operator has it; scenarios start from its saved states
    mini      the same kernel, Holdover and QEMU, and nothing else (host/mini.c); boots in seconds
"""
import dataclasses

from . import paths

# tsc=reliable: the clock watchdog's switch to another clock source patches running code, which the emulator gets
# wrong now and then (an int3 oops). rd.holdover.wait: a QEMU takes seconds here to load a state, and what the boot
# would do beside it makes both slower.
COMMON = "console=ttyS0 panic=1 mitigations=off tsc=reliable rd.holdover.wait=60"


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    disk: str               # raw image that each machine's disk lies over
    kernel: str             # of the first boot
    initrd: str
    memory: str             # RAM of the machine
    regions: tuple          # persistent ranges, SIZE!START
    cmdline: str            # the rest of the first boot's command line
    ports: tuple            # virtio ports that carry guests' consoles
    bare: bool              # its guests have no operating system
    up: str                 # what the console says when it is there
    poweroff: str           # shell command

    def command_line(self, regions, append):
        ranges = " ".join(f"memmap={r}" for r in regions)
        return f"{self.cmdline} {ranges} {COMMON} {append}".strip()


UP = "holdover-test: multi-user"
PORTS = ("one", "two", "three", "four", "five", "six", "seven", "eight")


def kind(name, suite=paths.SUITE):
    if name == "mini":
        words = f"holdover-test.ports={len(PORTS) + 1} lsm= audit=0 ipv6.disable=1 cryptomgr.notests=1"
        where = "mini" if suite == paths.SUITE else f"mini-{suite}"
        return Kind(name, paths.boot(where, "root.ext4"), paths.boot(where, "vmlinuz"), paths.boot(where, "initrd"), "1536M",
                    ("256M!1G",), words, PORTS, True, UP, "sync; echo o >/proc/sysrq-trigger")
    # With 3 GiB of RAM a q35 machine has 2 GiB below 4 GiB, so the region is all there is above.
    return Kind(name, paths.host(suite, "root.ext4"), paths.host(suite, "vmlinuz"), paths.host(suite, "initrd.img"), "3G",
                ("1G!4G",), "root=LABEL=holdover-root rw rd.shell=0", PORTS[:3], False, UP, "systemctl poweroff")
