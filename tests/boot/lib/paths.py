# SPDX-License-Identifier: GPL-2.0-only
"""Where things lie."""
import os

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))      # tests/boot
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("HOLDOVER_BUILD", os.path.join(TOP, "build"))


def boot(*parts):
    return os.path.join(BUILD, "boot", *parts)
