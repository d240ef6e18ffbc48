# SPDX-License-Identifier: GPL-2.0-only
"""A saved state of the nested host that many scenarios start from.

The template's machine keeps its RAM in a shared file; when the state is saved, that file is left out
(x-ignore-shared) and stays where it is. Each clone maps the same file privately (copy on write) and
its disk is an overlay on the template's, so that a start costs a second, and no clone disturbs another.
"""
import os
import shutil
import time

from .qmp import QmpError


class Template:
    def __init__(self, directory):
        self.directory = directory
        self.ram = os.path.join(directory, "ram")
        self.state = os.path.join(directory, "state")
        self.disk = os.path.join(directory, "root.qcow2")
        self.complete = os.path.exists(self.state)

    def memory_arguments(self, size):
        share = "off" if self.complete else "on"
        return ("-m", size, "-object", f"memory-backend-file,id=ram,size={size},mem-path={self.ram},share={share}",
                "-machine", "memory-backend=ram")

    @staticmethod
    def _finish(qmp, what, timeout=120):
        deadline = time.monotonic() + timeout
        while True:
            status = qmp.command("query-migrate").get("status", "none")
            if status == "completed":
                return
            if status in ("failed", "cancelled") or time.monotonic() > deadline:
                raise QmpError(f"{what}: {status}")
            time.sleep(0.02)

    @staticmethod
    def _capabilities(qmp):
        qmp.command("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])

    def prepare(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.complete = False

    def save(self, machine):
        """Freezes the machine that was started with this template, and ends it."""
        qmp = machine.qmp
        qmp.command("stop")
        self._capabilities(qmp)
        qmp.command("migrate", uri=f"file:{self.state}.new")
        self._finish(qmp, "saving the template")
        machine.close()
        os.rename(machine.disk, self.disk)
        os.rename(self.state + ".new", self.state)
        self.complete = True

    def load(self, qmp):
        self._capabilities(qmp)
        qmp.command("migrate-incoming", uri=f"file:{self.state}")
        self._finish(qmp, "loading the template")
