# SPDX-License-Identifier: GPL-2.0-only
"""Which accelerator really runs a guest here.

/dev/kvm may exist and still not run one (a virtual machine without working nesting hangs in
the guest's first instructions, or QEMU gives up on a register), so the test guest is booted
under a time limit, with the options that the nested host will get.
"""
import functools
import os
import selectors
import subprocess
import time

from . import paths, qemu

TIME_LIMIT = 20        # seconds; the emulator needs 3 for the same


def cpu(name):
    """The -cpu that goes with an accelerator. Under emulation every feature of a newer processor
    (SMAP, five-level page tables, AVX) makes the kernel and libc choose code that is slower to emulate."""
    return "host" if name == "kvm" else "qemu64,+rdrand"


def runs(name):
    """True if the test guest's kernel gets to its init with this accelerator within the time limit."""
    arguments = [*qemu.command(), "-M", "q35", "-accel", name, "-cpu", cpu(name), "-m", "256M",
                 "-nodefaults", "-display", "none", "-no-reboot", "-kernel", paths.boot("vmlinuz"),
                 "-initrd", paths.boot("guest", "initrd"), "-append", "console=ttyS0 quiet", "-serial", "stdio"]
    try:
        tiny = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
    except OSError:
        return False
    said, deadline = b"", time.monotonic() + TIME_LIMIT
    with selectors.DefaultSelector() as ready:
        ready.register(tiny.stdout, selectors.EVENT_READ)
        while b"INIT nonce=" not in said and ready.select(max(0, deadline - time.monotonic())):
            data = os.read(tiny.stdout.fileno(), 4096)
            if not data:
                break
            said += data
    tiny.kill()
    tiny.wait()
    tiny.stdout.close()
    return b"INIT nonce=" in said


@functools.lru_cache(maxsize=None)
def chosen():
    """"kvm" or "tcg". HOLDOVER_ACCEL in the environment decides without a probe."""
    forced = os.environ.get("HOLDOVER_ACCEL")
    if forced:
        return forced
    return "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) and runs("kvm") else "tcg"
