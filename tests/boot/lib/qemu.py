# SPDX-License-Identifier: GPL-2.0-only
"""Which QEMU runs the outer machine.

The nested host's own, out of its root tree: the same version on every build machine, and under
emulation a third faster than Debian 12's.
"""
import os

from . import paths


def command():
    """The words to start it with. HOLDOVER_QEMU in the environment names another one."""
    forced = os.environ.get("HOLDOVER_QEMU")
    if forced:
        return [forced]
    root = paths.boot("base")
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    return [os.path.join(root, "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", libraries,
            os.path.join(root, "usr/bin/qemu-system-x86_64"),
            "-L", os.path.join(root, "usr/share/qemu"), "-L", os.path.join(root, "usr/share/seabios")]
