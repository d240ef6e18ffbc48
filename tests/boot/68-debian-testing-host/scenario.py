# SPDX-License-Identifier: GPL-2.0-only
"""A whole host of Debian testing: kernel 7, whose initramfs root is another one, systemd 262 and dracut 112."""
from lib import adopted

SUITE = "testing"
TEMPLATE = "host"
TIMEOUT = 400
LONG = True


def run(t):
    adopted.release(t, {"uname -r": "7.", "systemctl --version": "systemd 26", "dpkg-query -W dracut": "11"})
