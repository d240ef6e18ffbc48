# SPDX-License-Identifier: GPL-2.0-only
"""A whole host of Debian 12: kernel 6.1, systemd 252, dracut 059 and QEMU 7.2."""
from lib import adopted

SUITE = "bookworm"
TEMPLATE = "host"
TIMEOUT = 400
LONG = True


def run(t):
    adopted.release(t, {"uname -r": "6.1.", "systemctl --version": "systemd 252", "dpkg-query -W dracut": "059",
                        "qemu-system-x86_64 --version": "7.2"})
