# SPDX-License-Identifier: GPL-2.0-only
"""Where things lie."""
import os

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))      # tests/boot
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("HOLDOVER_BUILD", os.path.join(TOP, "build"))


SUITE = "trixie"       # the Debian of a nested host whose scenario names no other one


def boot(*parts):
    return os.path.join(BUILD, "boot", *parts)


def host(suite, *parts):
    """What tests/boot/image has built for the nested host of a Debian suite."""
    return boot(*parts) if suite == SUITE else boot(suite, *parts)
