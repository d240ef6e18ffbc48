# SPDX-License-Identifier: GPL-2.0-only
"""The outer machine: a QEMU process that runs the nested host."""
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time

from . import accel, hosts, paths, qemu
from .control import Control
from .memory import Memory
from .qmp import Qmp, QmpError
from .stream import Stream

DISK_SIZE = "256M"       # of the two further disks of a Debian


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)       # PR_SET_PDEATHSIG


def _bytes(size):
    return int(size[:-1]) << {"M": 20, "G": 30}[size[-1]]


class Machine:
    """One outer QEMU. Use as a context manager: it ends what it started, and nothing else.

    kind: of the nested host (hosts.py). regions: its persistent ranges, if not the kind's own. more: further words for
    the outer QEMU. files: raw image that a Debian's third disk lies over (tests/boot/image --files). Without a template its RAM is at hand as .ram (memory.py).
    """

    def __init__(self, logs, append="", smp=1, memory=None, template=None, kind=None, regions=None, more=(),
                 files=None):
        kind = kind or hosts.kind("debian", template.suite if template else paths.SUITE)
        self.logs, self.kind, self.more, self.files = logs, kind, more, files
        self.regions = kind.regions if regions is None else regions
        os.makedirs(logs, exist_ok=True)
        # Unix socket paths are short, and build trees may be deep.
        self.run_dir = tempfile.mkdtemp(prefix="holdover-boot-")
        self.append, self.smp, self.memory, self.template = append, smp, memory or kind.memory, template
        self.ram = None if template else Memory(_bytes(self.memory))
        self.saved = template.saved() if template else None
        self.disk = os.path.join(logs, "root.qcow2")
        self.process = self.qmp = self.control = self.serial = None
        self.guests = {}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _sock(self, name):
        return os.path.join(self.run_dir, name)

    def _log(self, name):
        return os.path.join(self.logs, name)

    def _disk(self, name, backing):
        """A disk beside the root's, known in the host as /dev/disk/by-id/virtio-NAME: empty, or over a raw image of
        this size. Every machine has it, so that all can start from one saved state."""
        path = os.path.join(self.logs, f"{name}.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *(("-b", backing, "-F", "raw") if backing else ()), path,
                        DISK_SIZE], check=True)
        return ("-drive", f"file={path},format=qcow2,if=none,id={name},cache=unsafe",
                "-device", f"virtio-blk-pci,drive={name},serial={name}")

    def _arguments(self):
        chosen = accel.chosen()
        out = [*qemu.command(), "-M", "q35", "-accel", chosen, "-cpu", accel.cpu(chosen), "-smp", str(self.smp),
               "-nodefaults", "-display", "none", "-rtc", "clock=vm", "-no-reboot",
               "-kernel", self.kind.kernel, "-initrd", self.kind.initrd,
               "-append", self.kind.command_line(self.regions, self.append),
               *(self.template.memory_arguments(self.memory) if self.template else self.ram.arguments()), *self.more,
               "-qmp", f"unix:{self._sock('qmp')},server=on,wait=off",
               "-drive", f"file={self.disk},format=qcow2,if=none,id=root,cache=unsafe",
               "-device", "virtio-blk-pci,drive=root,serial=root",
               *([] if self.kind.bare else [*self._disk("extra", None), *self._disk("files", self.files)]),
               "-device", "virtio-serial-pci,id=ports"]
        ports = ["org.holdover.control"] + [f"guest.{n}" for n in self.kind.ports]
        for number, port in enumerate(ports, 1):
            out += ["-chardev", f"socket,id=c{number},path={self._sock(port)},server=on,wait=off",
                    "-device", f"virtserialport,chardev=c{number},name={port},nr={number}"]
        out += ["-chardev", f"socket,id=con,path={self._sock('console')},server=on,wait=off", "-serial", "chardev:con"]
        if self.saved:
            out += ["-incoming", "defer"]
        return out

    def _start(self):
        for old in os.listdir(self.logs):
            if old.endswith((".log", ".qcow2")):
                os.unlink(os.path.join(self.logs, old))
        backing, form = self.template.backing() if self.template else (self.kind.disk, "raw")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", form, self.disk], check=True)
        with open(self._log("qemu.log"), "w", encoding="utf-8") as log:
            # Paused until every stream is connected: nothing that the machine says is lost.
            self.process = subprocess.Popen(self._arguments() + ["-S"], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True, preexec_fn=_die_with_parent,
                                            pass_fds=self.template.descriptors() if self.template else (self.ram.fd,))
        try:
            self.qmp = Qmp(self._sock("qmp"))
        except QmpError as e:
            with open(self._log("qemu.log"), encoding="utf-8") as log:
                raise QmpError(f"{e}; QEMU said: {log.read().strip()}") from None
        past = self.saved.meta["streams"] if self.saved else {}
        self.serial = Stream("the host's console", self._sock("console"), self._log("console.log"),
                             past=past.get("console"))
        for name in self.kind.ports:
            self.guests[name] = Stream(f"guest {name}", self._sock(f"guest.{name}"), self._log(f"guest-{name}.log"),
                                       past=past.get(name))
        self.control = Control(self._sock("org.holdover.control"), self._log("control.log"))
        if self.saved:
            self.saved.load(self.qmp)
        self.started = time.monotonic()
        self.qmp.command("cont")
        if self.saved:
            self.control.wait_boot(60)

    def run(self, command, timeout=60, ok=(0,), **more):
        return self.control.run(command, timeout, ok, **more)

    def wait_up(self, timeout=240, since=0):
        """Waits for multi-user; returns the number of the console line that said so."""
        at, _, _ = self.serial.wait(self.kind.up, timeout, since)
        self.control.wait_boot(30)
        return at

    def reset(self):
        """A reset as by the button: RAM is kept. -no-reboot is lifted for it."""
        self.qmp.command("set-action", reboot="reset")
        self.qmp.command("system_reset")

    def close(self):
        if self.process and self.process.poll() is None:
            try:
                self.qmp.command("quit")
            except (OSError, ValueError, AttributeError, QmpError):
                self.process.kill()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for part in (self.control, self.serial, *self.guests.values(), self.qmp, self.ram):
            if part:
                part.close()
        shutil.rmtree(self.run_dir, ignore_errors=True)
