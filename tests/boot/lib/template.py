# SPDX-License-Identifier: GPL-2.0-only
"""Saved states of the nested host that scenarios start from.

A template's machine keeps its RAM in a shared memory file, which is left out when its state is saved
(x-ignore-shared) and written to disk afterwards. Each clone maps that file privately (copy on write)
and its disk is an overlay on the template's: a start costs a second, and no clone disturbs another.

    host    multi-user, the region initialised
    one     and a guest that ticks
    two     and a second one

The host is trixie's, or with ".SUITE" after the name another one's.

What the guests have said until then is kept too, so that a clone's evidence begins with tick 1.
"""
import errno
import fcntl
import hashlib
import json
import os
import shutil
import time

from . import paths
from .qmp import QmpError

PARENT = {"host": None, "one": "host", "two": "one"}
# What a saved state depends on besides the root file system.
SOURCES = ("template.py", "machine.py", "hosts.py", "host.py", "accel.py", "qemu.py")


def full(name, suite):
    """The name of a template of a suite's host."""
    return name if suite == paths.SUITE else f"{name}.{suite}"


def parent(name):
    """The name of the template that another one begins with, or None."""
    base, dot, suite = name.partition(".")
    return PARENT[base] and PARENT[base] + dot + suite


def suite_of(name):
    return name.partition(".")[2] or paths.SUITE


def _stamp(suite):
    digest = hashlib.sha256()
    for path in [paths.host(suite, "root.stamp")] + [os.path.join(paths.HERE, "lib", name) for name in SOURCES]:
        with open(path, "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def _copy_sparse(source, target):
    """Copies what is not a hole."""
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError as e:
            if e.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(source, at, os.SEEK_HOLE)
        while at < end:
            data = os.pread(source, min(end - at, 1 << 24), at)
            os.pwrite(target, data, at)
            at += len(data)


def _capabilities(qmp):
    qmp.command("migrate-set-capabilities", capabilities=[{"capability": "x-ignore-shared", "state": True}])


def _finish(qmp, what, timeout=120):
    deadline = time.monotonic() + timeout
    while True:
        status = qmp.command("query-migrate").get("status", "none")
        if status == "completed":
            return
        if status in ("failed", "cancelled") or time.monotonic() > deadline:
            raise QmpError(f"{what}: {status}")
        time.sleep(0.02)


class Template:
    def __init__(self, name):
        self.name, self.suite = name, suite_of(name)
        self.directory = paths.boot("templates", name)
        self.ram = os.path.join(self.directory, "ram")
        self.state = os.path.join(self.directory, "state")
        self.disk = os.path.join(self.directory, "root.qcow2")
        self.meta = {}
        self.building = None

    def valid(self):
        """True if it was built from what is there now. Reads what it has to tell."""
        try:
            with open(os.path.join(self.directory, "meta.json"), encoding="utf-8") as f:
                self.meta = json.load(f)
        except OSError:
            return False
        return self.meta["stamp"] == _stamp(self.suite)

    def forget(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def memory_arguments(self, size):
        path, share = (f"/proc/self/fd/{self.building.memory}", "on") if self.building else (self.ram, "off")
        return ("-m", size, "-object", f"memory-backend-file,id=ram,size={size},mem-path={path},share={share}",
                "-machine", "memory-backend=ram")

    def descriptors(self):
        """What the machine's process has to inherit."""
        return (self.building.memory,) if self.building else ()

    def backing(self):
        """(file, format) of what the machine's disk lies over."""
        if not self.building:
            return self.disk, "qcow2"
        parent = self.building.parent
        return (parent.disk, "qcow2") if parent else (paths.host(self.suite, "root.ext4"), "raw")

    def saved(self):
        """The saved state that the machine starts from, or None when it boots."""
        return self.building.parent if self.building else self

    def load(self, qmp):
        _capabilities(qmp)
        qmp.command("migrate-incoming", uri=f"file:{self.state}")
        _finish(qmp, f"loading the template {self.name}")


class Build:
    """A template in the making: give its Template to a Machine, prepare it, then save()."""

    def __init__(self, template, parent):
        self.template, self.parent = template, parent
        template.forget()
        os.makedirs(template.directory)
        template.building = self
        # Not on a file system: every page that the machine writes would have to be written back again and again.
        self.memory = os.memfd_create("holdover-template")
        if parent:
            with open(parent.ram, "rb") as f:
                _copy_sparse(f.fileno(), self.memory)

    def save(self, machine, guests):
        """Freezes the machine and ends it; the template is complete."""
        template = self.template
        machine.qmp.command("stop")
        frozen = time.monotonic()
        _capabilities(machine.qmp)
        machine.qmp.command("migrate", uri=f"file:{template.state}")
        _finish(machine.qmp, f"saving the template {template.name}")
        machine.close()
        os.rename(machine.disk, template.disk)
        with open(template.ram, "wb") as f:
            _copy_sparse(self.memory, f.fileno())
        os.close(self.memory)
        streams = {"console": machine.serial, **machine.guests}
        meta = {"stamp": _stamp(template.suite), "guests": guests,
                "streams": {name: {"lines": [(at - frozen, text) for at, text in s.lines], "rest": s.rest.hex()}
                            for name, s in streams.items()}}
        template.building = None
        with open(os.path.join(template.directory, "meta.new"), "w", encoding="utf-8") as f:
            json.dump(meta, f)
        os.rename(f.name, os.path.join(template.directory, "meta.json"))


class Locked:
    """One builder of a template at a time, also between processes."""

    def __init__(self, name):
        os.makedirs(paths.boot("templates"), exist_ok=True)
        self.path = paths.boot("templates", f"{name}.lock")

    def __enter__(self):
        self.file = open(self.path, "w", encoding="utf-8")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()
