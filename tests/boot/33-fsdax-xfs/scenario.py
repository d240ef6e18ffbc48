# SPDX-License-Identifier: GPL-2.0-only
"""RAM and ledger are files on xfs mounted -o dax: two VMs, one of them by -enable-dax -mem-path, go on after the jump."""
from lib import fsdax

HOST = "mini"
TEMPLATE = None
TIMEOUT = 300
MACHINE = fsdax.MACHINE


def run(t):
    fsdax.run(t, "xfs")
