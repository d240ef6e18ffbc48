# SPDX-License-Identifier: GPL-2.0-only
"""A Debian with its systemd as PID 1 of namespaces of its own, without any virtual machine: seconds instead of minutes.

The root is what tests/boot/base has built, below an overlay in memory. Holdover is the build with fault points whose
region and kernel are files (tests/fault/walk), and so is its QEMU; systemd, its units and its manager are real.
"""
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("HOLDOVER_BUILD", os.path.join(TOP, "build"))
sys.path.insert(0, os.path.join(TOP, "tests", "fault", "walk"))
# pylint: disable=wrong-import-position
from bench import cpio  # noqa: E402

START = r"""
set -e
mount -t tmpfs -o mode=755 scratch "$DIR"
mkdir "$DIR/upper" "$DIR/work" "$DIR/root"
mount -t overlay -o "lowerdir=$BASE,upperdir=$DIR/upper,workdir=$DIR/work" overlay "$DIR/root"
cd "$DIR/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs kernel sys/kernel
mkdir bench
mount --bind "$DIR.bench" bench
echo 0 >sys/kernel/kexec_loaded
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=755 dev dev
for node in null zero random urandom full; do touch "dev/$node"; mount --bind "/dev/$node" "dev/$node"; done
exec chroot . /usr/bin/env -i container=holdover-test PATH=/usr/sbin:/usr/bin /usr/lib/systemd/systemd --system
"""
# The same as an initramfs, with another overlay as the real root.
SWITCH = r"""
set -e
mount -t tmpfs -o mode=755 scratch "$DIR"
for root in root sysroot; do
	mkdir "$DIR/$root" "$DIR/upper-$root" "$DIR/work-$root"
	mount -t overlay -o "lowerdir=$BASE,upperdir=$DIR/upper-$root,workdir=$DIR/work-$root" overlay "$DIR/$root"
	mkdir "$DIR/$root/bench"
	mount --bind "$DIR.bench" "$DIR/$root/bench"
	tar -xf "$DIR.bench/installed.tar" -C "$DIR/$root"
done
cd "$DIR/root"
mkdir -p sysroot
mount --rbind "$DIR/sysroot" sysroot
echo 'ID=initrd' >etc/initrd-release
install -m755 usr/sbin/holdover-agent -D usr/lib/holdover/holdover-agent
install -m644 "$TOP/dracut-module/50holdover/holdover-agent.service" usr/lib/systemd/system/
mkdir -p etc/systemd/system/initrd.target.wants
ln -s /usr/lib/systemd/system/holdover-agent.service etc/systemd/system/initrd.target.wants/
install -m400 "$DIR.bench/ticket" holdover.ticket
mount -t proc proc proc
mount --bind "$DIR.bench/boot_id" proc/sys/kernel/random/boot_id
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=755 dev dev
for node in null zero random urandom full; do touch "dev/$node"; mount --bind "/dev/$node" "dev/$node"; done
cp --sparse=always "$DIR.bench/dax0.0" dev/dax0.0
[ ! -e "$DIR.bench/initramfs.sh" ] || . "$DIR.bench/initramfs.sh"
chmod 666 dev/dax0.0
exec chroot . /usr/bin/env -i container=holdover-test PATH=/usr/sbin:/usr/bin /usr/lib/systemd/systemd --system
"""
# What a container has no use for, and what waits for hardware.
MASKED = ("systemd-logind.service", "getty.target", "console-getty.service", "ndctl-monitor.service", "cxl-monitor.service",
          "systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service",
          "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udev-settle.service")
OPTIONS = ("X86_PMEM_LEGACY", "LIBNVDIMM", "BLK_DEV_PMEM", "NVDIMM_PFN", "NVDIMM_DAX", "DEV_DAX", "DEV_DAX_PMEM")


class Failed(Exception):
    """Something that a case claims does not hold."""


class Container:
    def __init__(self, suite):
        self.base = os.path.join(BUILD, "boot", "base" if suite == "trixie" else f"base-{suite}")
        self.directory = os.path.join(BUILD, f"systemd-{suite}")
        # /bench in there: what can still be read when it is gone.
        self.bench = self.directory + ".bench"
        self.pid = self.process = None

    def __enter__(self):
        shutil.rmtree(self.bench, ignore_errors=True)
        os.makedirs(self.bench)
        return self.start(START)

    def start(self, script):
        os.makedirs(self.directory, exist_ok=True)
        env = {**os.environ, "DIR": self.directory, "BASE": self.base, "TOP": TOP}
        with open(self.directory + ".log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["unshare", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--fork", "--kill-child",
                 "bash", "-c", script], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))
        self.wait(lambda: self._find() and self._up(), 120, "systemd is up")
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.pid and self.alive():
            os.kill(self.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def switch_root(self):
        """The power of this host goes; it comes back as a kernel with an initramfs that a jump led to. Returns in its
        complete system, on whose way the agent has run and switch-root was passed."""
        self.sh("cp /dev/dax0.0 /bench/dax0.0; tail -c 384 /bench/kexec/initrd | head -c 192 >/bench/ticket; "
                "echo 99999999-8888-4777-8666-555555555555 >/bench/boot_id; chmod 777 /bench; chmod 666 /bench/score; "
                "tar -C / -cf /bench/installed.tar usr/sbin/holdover usr/sbin/holdover-agent usr/sbin/qemu usr/sbin/qemu-as "
                "usr/lib/systemd/system etc/systemd/system etc/holdover boot/vmlinuz-t boot/initrd-t boot/config-t")
        self.stop()
        self.start(SWITCH)

    def alive(self):
        return self.process.poll() is None

    def _up(self):
        """One that asks in the moment in which systemd executes itself is never answered, and on the way through
        switch-root, which ends all processes, it may outlive the timeout(1) that it was started by."""
        try:
            said = self.sh("timeout 5 systemctl is-system-running", None, timeout=8).stdout.strip()
        except Failed:
            return False
        return said in ("running", "degraded")

    def _find(self):
        if not self.alive():
            with open(self.directory + ".log", encoding="utf-8") as log:
                raise Failed(f"systemd did not start: {log.read()}")
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as f:
            children = f.read().split()
        if not children:
            return False
        self.pid = int(children[0])
        try:
            with open(f"/proc/{self.pid}/comm", encoding="ascii") as f:
                return f.read().strip() == "systemd"
        except OSError:
            return False

    @staticmethod
    def wait(done, timeout, what):
        deadline = time.monotonic() + timeout
        while not done():
            if time.monotonic() > deadline:
                raise Failed(f"{what}: not within {timeout} s")
            time.sleep(0.1)

    def sh(self, command, ok=(0,), stdin=None, timeout=120):
        """Runs a shell command in there. ok: the exit codes that are no failure, None for all."""
        try:
            done = subprocess.run(["nsenter", f"--target={self.pid}", "--all", "--root", "--wd", "bash", "-c", command],
                                  input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"`{command[:100]}` hangs") from None
        done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if ok is not None and done.returncode not in ok:
            raise Failed(f"`{command[:200]}` ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def put(self, path, text, mode="644"):
        data = text if isinstance(text, bytes) else text.encode()
        self.sh(f"mkdir -p $(dirname {path}) && cat >{path} && chmod {mode} {path}", stdin=data)

    def install(self):
        """Holdover with its units, a region, and a kernel."""
        for name in ("holdover", "holdover-agent", "qemu"):
            with open(os.path.join(BUILD, "fault", name), "rb") as f:
                self.put(f"/usr/sbin/{name}", f.read(), "755")
        config = os.path.join(TOP, "config")
        for folder, _, files in os.walk(config):
            for name in files:
                below = os.path.relpath(os.path.join(folder, name), config)
                if below.endswith(".service") or ".service.d/" in below or ".slice.d/" in below:
                    with open(os.path.join(config, below), "rb") as f:
                        self.put(f"/usr/lib/systemd/system/{below}", f.read())
        self.put("/boot/initrd-t", cpio("usr/lib/holdover/holdover-agent", b"agent"))
        self.put("/boot/vmlinuz-t", "a kernel")
        self.put("/boot/config-t", "".join(f"CONFIG_{o}=y\n" for o in OPTIONS))
        self.put("/bench/region", "0x100000000 0xa00000 11111111-2222-4333-8444-555555555555\n")
        self.put("/etc/holdover/holdover.conf", "[region]\nledger-size = 2M\n[kexec]\nkernel = /boot/vmlinuz-t\n"
                 "initrd = /boot/initrd-t\nappend = memmap=10M!4G\n")
        self.sh("mkdir -p /bench/kexec /disk; truncate -s 6M /dev/dax0.0; systemctl mask -q " + " ".join(MASKED) +
                "; systemctl daemon-reload; holdover init")
