# SPDX-License-Identifier: GPL-2.0-only
"""The nested host as an operator uses it: VMs, jumps, and what comes after."""
import json
import re
import secrets
import subprocess
import time

from . import evidence
from .control import HostGone
from .stream import Timeout

DONE = r"holdover: DONE vms=(\d+) running=(\d+) failed=(\d+) kept=(\d+) ms=(\d+)"
# What a guest that only ticks can do without; measured to be half of all instructions of its boot.
LEAN = ("lsm= audit=0 ipv6.disable=1 cryptomgr.notests=1 initcall_blacklist=load_system_certificate_list,"
        "jent_mod_init,trace_eval_init,bpf_tcp_ca_kfunc_init,init_kprobe_trace,bpf_dummy_struct_ops_init,"
        "latency_fsnotify_init,vga_arb_device_init,tpm_init,init_msg_buckets,init_user_buckets")
CONFIG = """[vm]
machine = q35
memory = {memory}
timeout = {timeout}
{more}args = -accel tcg,thread=single -cpu qemu64,+rdrand -smp 1 -nodefaults -display none
args = -kernel /var/lib/vms/vmlinux -initrd /var/lib/vms/initrd
args = -append "console=ttyS0 quiet mitigations=off tsc=reliable {lean} nonce={nonce:016x} tick_ms={tick_ms}"
args = -chardev pipe,id=console,path=/dev/virtio-ports/guest.{port} -serial chardev:console
args = -drive file={disk},format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk
{args}"""

# qboot starts it in a few milliseconds, where SeaBIOS takes a second of a machine that is emulated twice.
BARE = """[vm]
machine = q35
memory = {memory}
timeout = {timeout}
{more}args = -accel tcg,thread=single,tb-size=8 -cpu qemu64 -smp 1 -nodefaults -display none
{program}args = -chardev pipe,id=console,path=/dev/virtio-ports/guest.{port} -serial chardev:console
args = -drive file={disk},format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk
{args}"""
PROGRAM = 'args = -bios qboot.rom -kernel /var/lib/vms/bare -append "{line}"\n'


class NotJumped(Exception):
    """`holdover kexec` came back, or no kernel started."""


class Guest:
    """A VM and what it says. memory, tick_ms: None for what suits its kind. more: lines for its file before the
    arguments, args: lines after them. words: how much of each chunk of its memory area is in use (bare guests). bare: no
    operating system, None for what suits the host. disk: its disk, a file in the host that is made, or a device. boots: a
    bare guest that is not given to QEMU as -kernel; its firmware boots .line from a disk in args (bootdisk.py)."""

    def __init__(self, host, name, port=None, memory=None, tick_ms=250, more="", args="", nonce=None, words=4096,
                 timeout=120, bare=None, disk=None, boots=False):
        self.host, self.name, self.port = host, name, port or name
        self.nonce = secrets.randbits(64) if nonce is None else nonce
        self.stream = host.machine.guests[self.port]
        bare = host.machine.kind.bare if bare is None else bare
        self.disk = disk or f"/var/lib/vms/{name}.img"
        self.words = words if bare else evidence.WORDS
        self.line = f"nonce={self.nonce:016x} tick_ms={tick_ms} words={words}"
        self.config = (BARE if bare else CONFIG).format(
            disk=self.disk, port=self.port, memory=memory or ("16M" if bare else "192M"), lean=LEAN, nonce=self.nonce,
            tick_ms=tick_ms, more=more, args=args, timeout=timeout,
            program="" if boots else PROGRAM.format(line=self.line))

    def define(self):
        control = self.host.machine.control
        control.put(f"/etc/holdover/vms.d/{self.name}.conf", self.config)
        if not self.disk.startswith("/dev/"):
            control.run(f"truncate -s 64M {self.disk}")

    def run(self, timeout=90):
        return self.host.holdover(f"run {self.name}", timeout)

    def wait_ticks(self, count=1, timeout=300):
        """Waits until so many more ticks have come; returns the last one."""
        since, found = self.stream.mark(), None
        for _ in range(count):
            since, _, found = self.stream.wait(evidence.TICK.pattern, timeout, since)
            since += 1
        return int(found.group(2))

    def check(self):
        return evidence.check(self.stream, self.nonce, self.words)


class Host:
    def __init__(self, machine):
        self.machine = machine
        self.guests = []

    def holdover(self, words, timeout=120, ok=(0,), **more):
        return self.machine.control.run(f"holdover {words}", timeout, ok, **more)

    def json(self, words, timeout=120, ok=(0,)):
        return json.loads(self.holdover(f"--json {words}", timeout, ok).out)

    def vm(self, name):
        """What `holdover status` says of a VM, once nobody is at work on it: the late unit, for one."""
        self.machine.run("flock -w 60 /run/holdover/lock true", 70, ok=None)
        return self.json(f"status {name}")["vms"][0]

    def state(self, name):
        return self.vm(name)["state"]

    def pid(self, name):
        return self.vm(name)["pid"]

    def qmp(self, name, *commands, **more):
        """Sends QMP commands to the operator's socket of a VM, from a process in the host."""
        words = " ".join("'" + json.dumps(c).replace("'", "\\u0027") + "'" for c in commands)
        return self.machine.run(f"/usr/lib/holdover-test/qmp /run/holdover/{name}/qmp.sock {words}", **more).out

    def guest(self, name, **more):
        guest = Guest(self, name, **more)
        guest.define()
        self.guests.append(guest)
        return guest

    def bare_vm(self, name, more="", args="", disk=False):
        """Defines and starts a VM that is nothing but firmware without anything to boot: it runs at once, and is enough
        where the process is the subject and not the guest. more: further keys; disk: with an image."""
        image = f"/var/lib/vms/{name}.img"
        if disk:
            self.machine.run(f"truncate -s 1M {image}")
            args += f" -drive file={image},format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk"
        self.machine.control.put(f"/etc/holdover/vms.d/{name}.conf",
                                 f"[vm]\nmachine = q35\nmemory = 64M\ntimeout = 120\n{more}"
                                 f"args = -accel tcg,thread=single -smp 1 -nodefaults -display none {args}\n")
        self.holdover(f"run {name}", 120)

    def adopt(self, known):
        """Takes over the guests that run in a template's machine: [{"name": ..., "nonce": ...}]."""
        self.guests += [Guest(self, **one) for one in known]

    def jump(self, command="kexec --now", timeout=300, on_output=None, at_kernel=None):
        """Runs the jump; at_kernel is called when the new kernel begins to speak; returns (outer time of the last word from the old kernel, the agent's DONE counts).

        The counts come from the marker on the new kernel's console: a missing marker is a failure.
        """
        serial, control = self.machine.serial, self.machine.control
        since, boot = serial.mark(), control.boot_id
        job = control.start(f"holdover {command}", timeout, on_output)
        moment = self._wait_kernel(job, since, timeout)
        if at_kernel:
            at_kernel()
        _, _, found = serial.wait(DONE, timeout, since)
        control.wait_boot(timeout, boot)
        if self.machine.kind.bare:
            # What comes late in its boot has the lock for a moment.
            self.machine.wait_up(timeout, since)
        try:
            control.finish(job, 5)
        except HostGone:
            pass
        return moment, dict(zip(("vms", "running", "failed", "kept", "ms"), map(int, found.groups())))

    def _wait_kernel(self, job, since, timeout):
        """A new kernel speaks on the console long before the control channel is back; a jump that is called off
        ends its command with a failure instead. (One through kexec.target ends it at once, with 0.)"""
        control, deadline = self.machine.control, time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                return self.machine.serial.wait(r"Linux version", 1, since)[1]
            except Timeout:
                if control.code(job):
                    raise NotJumped(f"the jump was called off: {control.finish(job, 1)}") from None
        raise NotJumped(f"no new kernel within {timeout} s; log: {self.machine.serial.log_path}")

    def other_kernel(self, regions, more="", ticket=False, timeout=200):
        """An operator's own kexec into the same kernel, its persistent ranges being others; ticket: the one that
        the last jump left goes along. Returns what its agent says: the counts of DONE, "unknown" for those that it does
        not know, and all that the console said until the host was up."""
        machine = self.machine
        line = machine.kind.command_line(regions, f"{machine.append} {more}".strip())
        path = "/var/lib/holdover/ticket" if ticket else ""
        machine.run("/usr/lib/holdover-test/kexec load /boot/vmlinuz-$(uname -r) /boot/initrd.img-$(uname -r) "
                    f"'{line}' {path}", 120)
        since, boot = machine.serial.mark(), machine.control.boot_id
        machine.control.start("/usr/lib/holdover-test/kexec exec", 30)
        return self._new_boot(since, boot, timeout)

    def reset(self, timeout=200):
        """The reset button: RAM is kept, the boot loader's kernel starts with its own command line, no ticket comes
        along. Returns as other_kernel()."""
        since, boot = self.machine.serial.mark(), self.machine.control.boot_id
        self.machine.reset()
        return self._new_boot(since, boot, timeout)

    def _new_boot(self, since, boot, timeout):
        serial = self.machine.serial
        _, _, done = serial.wait(r"holdover: DONE (vms=.*)", timeout, since)
        self.machine.control.wait_boot(timeout, boot)
        self.machine.wait_up(timeout, since)
        counts = dict(re.findall(r"(\w+)=(\w+)", done[1]))
        with serial.changed:
            said = "\n".join(text for _, text in serial.lines[since:])
        return {k: int(v) if v.isdigit() else v for k, v in counts.items()}, said

    def wait_multi_user(self, since, timeout=240):
        return self.machine.wait_up(timeout, since)

    def power_off(self, timeout=240):
        """Shuts guests and host down in order; the disks can be read afterwards."""
        for guest in self.guests:
            self.holdover(f"stop --timeout {timeout} {guest.name}", timeout + 30)
        self.machine.control.start(self.machine.kind.poweroff, 60)
        try:
            self.machine.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Timeout(f"the host did not power off within {timeout} s; log: {self.machine.serial.log_path}") \
                from None

    def check_disks(self, out_dir):
        """After power_off(): every record that every guest says to have written is on its disk."""
        count = 0
        for guest in self.guests:
            out = f"{out_dir}/{guest.name}.img"
            if guest.disk.startswith("/dev/disk/by-id/virtio-"):
                image = evidence.whole_disk(self.machine, guest.disk.rpartition("virtio-")[2], out)
            else:
                image = evidence.extract(self.machine, guest.disk, out)
            count += evidence.check_disk(image, guest.check())
        return count


def blackout_ms(timeline, name=None):
    """Of one VM, or of the one whose was the longest."""
    if name is None:
        value = timeline.get("blackout_ms")
    else:
        at = {m["phase"]: m["ms"] for m in timeline["marks"] if m["vm"] == name}
        value = at["running"] - at["paused"] if {"paused", "running"} <= set(at) else None
    if value is None:
        raise evidence.Broken("the ledger's journal has no blackout" + (f" of {name}" if name else ""))
    return value
