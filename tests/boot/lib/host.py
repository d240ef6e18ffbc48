# SPDX-License-Identifier: GPL-2.0-only
"""The nested host as an operator uses it: VMs, jumps, and what comes after."""
import json
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
timeout = 120
{more}args = -accel tcg,thread=single -cpu qemu64,+rdrand -smp 1 -nodefaults -display none
args = -kernel /var/lib/vms/vmlinux -initrd /var/lib/vms/initrd
args = -append "console=ttyS0 quiet mitigations=off tsc=reliable {lean} nonce={nonce:016x} tick_ms={tick_ms}"
args = -chardev pipe,id=console,path=/dev/virtio-ports/guest.{port} -serial chardev:console
args = -drive file=/var/lib/vms/{name}.img,format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk
{args}"""


class NotJumped(Exception):
    """`holdover kexec` came back, or no kernel started."""


class Guest:
    def __init__(self, host, name, port=None, memory="192M", tick_ms=250, more="", args="", nonce=None):
        self.host, self.name, self.port = host, name, port or name
        self.nonce = secrets.randbits(64) if nonce is None else nonce
        self.stream = host.machine.guests[self.port]
        self.config = CONFIG.format(name=name, port=self.port, memory=memory, lean=LEAN, nonce=self.nonce, tick_ms=tick_ms,
                                    more=more, args=args)

    def define(self):
        control = self.host.machine.control
        control.put(f"/etc/holdover/vms.d/{self.name}.conf", self.config)
        control.run(f"truncate -s 64M /var/lib/vms/{self.name}.img")

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
        return evidence.check(self.stream, self.nonce)


class Host:
    def __init__(self, machine):
        self.machine = machine
        self.guests = []

    def holdover(self, words, timeout=120, ok=(0,), **more):
        return self.machine.control.run(f"holdover {words}", timeout, ok, **more)

    def json(self, words, timeout=120, ok=(0,)):
        return json.loads(self.holdover(f"--json {words}", timeout, ok).out)

    def vm(self, name):
        """What `holdover status` says of a VM."""
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

    def adopt(self, known):
        """Takes over the guests that run in a template's machine: [{"name": ..., "nonce": ...}]."""
        self.guests += [Guest(self, **one) for one in known]

    def jump(self, command="kexec --now", timeout=300, on_output=None):
        """Runs the jump; returns (outer time of the last word from the old kernel, the agent's DONE counts).

        The counts come from the marker on the new kernel's console: a missing marker is a failure.
        """
        serial, control = self.machine.serial, self.machine.control
        since, boot = serial.mark(), control.boot_id
        job = control.start(f"holdover {command}", timeout, on_output)
        moment = self._wait_kernel(job, since, timeout)
        _, _, found = serial.wait(DONE, timeout, since)
        control.wait_boot(timeout, boot)
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

    def wait_multi_user(self, since, timeout=240):
        return self.machine.wait_up(timeout, since)

    def power_off(self, timeout=240):
        """Shuts guests and host down in order; the disks can be read afterwards."""
        for guest in self.guests:
            self.holdover(f"stop --timeout {timeout} {guest.name}", timeout + 30)
        self.machine.control.start("systemctl poweroff", 60)
        try:
            self.machine.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Timeout(f"the host did not power off within {timeout} s; log: {self.machine.serial.log_path}") \
                from None

    def check_disks(self, out_dir):
        """After power_off(): every record that every guest says to have written is on its disk."""
        count = 0
        for guest in self.guests:
            image = evidence.extract(self.machine, f"/var/lib/vms/{guest.name}.img", f"{out_dir}/{guest.name}.img")
            count += evidence.check_disk(image, guest.check())
        return count


def blackout_ms(timeline):
    value = timeline.get("blackout_ms")
    if value is None:
        raise evidence.Broken("the ledger's journal has no blackout")
    return value
