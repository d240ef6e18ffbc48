# SPDX-License-Identifier: GPL-2.0-only
"""The bench that the fault-point walk runs on: a small root of its own with a region and a kernel
that are files, real holdover programs with fault points, and a QEMU that keeps score.

A Bench lives in a mount and a PID namespace of its own (tests/fault/walk/run makes them) and is
their PID 1: what the programs leave behind becomes its child."""

import ctypes
import json
import os
import signal
import subprocess
import time
import uuid

MIB = 1 << 20
DEVICE = "/dev/dax0.0"
DEVICE_SIZE = 6 * MIB
LEDGER_SIZE = 2 * MIB
REGION = "0x100000000 0x800000 %s\n"
MEMMAP = "memmap=8M!4G"
# A second one, with room for one part of a VM's RAM beside its stamp.
DEVICE1 = "/dev/dax1.0"
DEVICE1_SIZE = 4 * MIB
REGION1 = "0x200000000 0x600000 22222222-2222-4333-8444-555555555555\n"
MEMMAP1 = "6M!8G"
# Another one in its place.
REGION2 = "0x300000000 0x600000 33333333-2222-4333-8444-555555555555\n"
MEMMAP2 = "6M!12G"
TICKET = "/holdover.ticket"
TICKET_COPY = "/var/lib/holdover/ticket"
INITRD = "/bench/kexec/initrd"

MS_BIND, MS_NOSUID, MS_REMOUNT, MS_RDONLY = 4096, 2, 32, 1

libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, fstype, flags=0, data=None):
    text = [None if s is None else s.encode() for s in (source, target, fstype, data)]
    if libc.mount(text[0], text[1], text[2], ctypes.c_ulong(flags), text[3]) != 0:
        raise OSError(ctypes.get_errno(), "mount %s at %s" % (source, target))


def umount(target):
    if libc.umount2(target.encode(), 2) != 0:
        raise OSError(ctypes.get_errno(), "umount %s" % target)


def put(path, data, mode=0o600):
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    os.chmod(path, mode)


def get(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def there(path):
    return os.path.lexists(path)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        for name in os.listdir(path):
            remove(path + "/" + name)
        os.rmdir(path)
    elif there(path):
        os.unlink(path)


def cpio(name, data, mode=0o100755):
    def entry(n, d, m):
        head = "070701" + "".join("%08x" % x for x in
                                  (1, m, 0, 0, 1, 0, len(d), 0, 0, 0, 0, len(n) + 1, 0))
        out = head.encode() + n.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + d
        return out + b"\0" * (-len(out) % 4)
    return entry(name, data, mode) + entry("TRAILER!!!", b"", 0)


class Done:
    """One program that has ended: rc (negative: killed by that signal), out, err."""

    def __init__(self, what, rc, out, err):
        self.what, self.rc, self.out, self.err = what, rc, out, err

    def __str__(self):
        return "$ %s -> %d\n%s%s" % (self.what, self.rc, self.out, self.err)


class Wrong(Exception):
    """The bench saw what must not be."""


class Bench:
    def __init__(self, programs, root):
        self.log = []
        if os.getpid() != 1:
            raise RuntimeError("a Bench wants to be PID 1 of its own namespace")
        self.make_root(programs, root)
        os.chroot(root)
        os.chdir("/")
        self.pristine = None
        self.vms = []

    @staticmethod
    def make_root(programs, root):
        mount("tmpfs", root, "tmpfs", MS_NOSUID, "size=256m,mode=755")
        for d in ("bin", "dev", "proc", "run", "sys/kernel", "etc/holdover/vms.d", "boot",
                  "bench/kexec", "disk", "var/lib", "tmp", "usr/sbin"):
            os.makedirs(root + "/" + d)
        for name in ("holdover", "holdover-agent", "qemu", "attacker"):
            put(root + "/bin/" + name, get(programs + "/" + name), 0o755)
        put(root + "/usr/sbin/mkfs.ext4", get(programs + "/qemu"), 0o755)
        put(root + "/dev/null", "")
        mount("/dev/null", root + "/dev/null", None, MS_BIND)
        mount("proc", root + "/proc", "proc", MS_NOSUID)
        for name, over in (("boot_id", "sys/kernel/random/boot_id"), ("cmdline", "cmdline")):
            put(root + "/bench/" + name, "x")
            mount(root + "/bench/" + name, root + "/proc/" + over, None, MS_BIND)
        put(root + "/bench/cmdline", "root=/dev/sda1 " + MEMMAP + "\n")
        put(root + "/sys/kernel/kexec_loaded", "0\n")
        options = ("X86_PMEM_LEGACY", "LIBNVDIMM", "BLK_DEV_PMEM", "NVDIMM_PFN", "NVDIMM_DAX",
                   "DEV_DAX", "DEV_DAX_PMEM")
        put(root + "/boot/config-t", "".join("CONFIG_%s=y\n" % o for o in options))
        put(root + "/boot/vmlinuz-t", "a kernel")

    # ---- programs

    def run(self, *argv, fault=None, trace=None, timeout=30, held=None):
        """@held: called while the program is held at a fault point (":hold")."""
        env = {"PATH": "/bin"}
        if fault:
            env["HOLDOVER_FAULT"] = fault
        if trace:
            env["HOLDOVER_FAULT_TRACE"] = trace
        argv = ("/bin/" + argv[0],) + argv[1:]
        p = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        try:
            while held and self.state(p.pid) not in "TZ":
                time.sleep(0.002)
            if held and self.state(p.pid) == "T":
                held()
                os.kill(p.pid, signal.SIGCONT)
            out, err = p.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            raise Wrong("%s hangs" % " ".join(argv))
        d = Done(" ".join(argv) + (" [%s]" % fault if fault else ""), p.returncode,
                 out.decode(errors="replace"), err.decode(errors="replace"))
        self.log.append(str(d))
        return d

    def holdover(self, *args, **kw):
        return self.run("holdover", *args, **kw)

    def agent(self, **kw):
        """The agent as the initramfs runs it; afterwards the initramfs is gone."""
        put("/dev/kmsg", "")
        d = self.run("holdover-agent", "--foreground", "--sysroot", "/", **kw)
        d.err += get("/dev/kmsg").decode(errors="replace")
        self.log[-1] = str(d)
        remove(TICKET)
        return d

    def early(self, **kw):
        """The agent's pass before the root is mounted; the initramfs stays."""
        put("/dev/kmsg", "")
        d = self.run("holdover-agent", "--foreground", "--initramfs", **kw)
        d.err += get("/dev/kmsg").decode(errors="replace")
        self.log[-1] = str(d)
        return d

    def late(self, **kw):
        """holdover-resume.service"""
        put("/dev/kmsg", "")
        d = self.holdover("resume", "--boot", **kw)
        d.err += get("/dev/kmsg").decode(errors="replace")
        self.log[-1] = str(d)
        return d

    def kexec(self, **kw):
        return self.holdover("kexec", "--now", "--kernel", "/boot/vmlinuz-t", "--initrd",
                             "/boot/initrd-t", **kw)

    def status(self):
        d = self.holdover("--json", "status")
        if d.rc != 0:
            raise Wrong("status fails: %s" % d)
        return {v["name"]: v for v in json.loads(d.out)["vms"]}

    # ---- processes

    @staticmethod
    def state(pid):
        stat = get("/proc/%d/stat" % pid).decode(errors="replace")
        return stat[stat.rfind(")") + 2:][:1] or "Z"

    @staticmethod
    def children():
        """Ours, the orphans among them."""
        mine = []
        for name in os.listdir("/proc"):
            if not name.isdigit() or name == "1":
                continue
            stat = get("/proc/%s/stat" % name).decode(errors="replace")
            fields = stat[stat.rfind(")") + 1:].split()
            if len(fields) > 1 and fields[1] == "1":
                mine.append((int(name), fields[0]))
        return mine

    def kill_all(self):
        while True:
            mine = self.children()
            if not mine:
                return
            for pid, _ in mine:
                try:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                except (ProcessLookupError, ChildProcessError):
                    pass

    def qemus(self, name):
        """pids of the living QEMUs of this VM."""
        found = []
        for pid, state in self.children():
            argv = get("/proc/%d/cmdline" % pid).split(b"\0")
            if state != "Z" and b"qemu" in argv[0] and name.encode() in argv[1:4]:
                found.append(pid)
        return found

    def reap(self):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    # ---- score

    def score(self):
        """[(pid, name, event, counter, detail)]"""
        out = []
        for line in get("/bench/score").decode(errors="replace").splitlines():
            w = line.split(" ", 4)
            out.append((int(w[0]), w[1], w[2], int(w[3]), w[4] if len(w) > 4 else ""))
        return out

    def check_score(self):
        for s in self.score():
            if s[2] in ("CORRUPT", "DOUBLE"):
                raise Wrong("%s: %s" % (s[2], s))

    # ---- the world

    def new_boot(self):
        put("/bench/boot_id", str(uuid.uuid4()) + "\n")

    def reset_world(self, vms=("a", "b"), disks=("a",), canaries=None, region_uuid=None, numa=(), snapshots=(),
                    files=False):
        """A host with an empty ledger on which nothing runs. @numa: VMs whose RAM is of two parts, the second in
        a region that is then there; @snapshots: VMs whose transport that is; @files: ledger and RAM are files
        (daxfs.c)."""
        self.kill_all()
        self.log = []
        self.vms = list(vms)
        for d in ("/run", "/etc/holdover/vms.d", "/bench/kexec"):
            for name in os.listdir(d):
                remove(d + "/" + name)
        self.attach(disks)
        for name in os.listdir("/bench"):
            if name not in ("boot_id", "cmdline", "kexec"):
                remove("/bench/" + name)
        remove("/var/lib/holdover")
        remove(TICKET)
        put("/boot/initrd-t", cpio("usr/lib/holdover/holdover-agent", b"agent"))
        put("/bench/region", REGION % (region_uuid or "11111111-2222-4333-8444-555555555555"))
        remove(DEVICE1)
        put("/bench/cmdline", "root=/dev/sda1 %s%s\n" % (MEMMAP, " memmap=" + MEMMAP1 if numa else ""))
        put("/etc/holdover/holdover.conf", "[region]\n%sledger-size = 2M\n[kexec]\nsave-timeout = 1\n" %
            ("memmap = 8M!4G\n" if numa else "") + ("canaries = %s\n" % canaries if canaries else ""))
        for name in vms:
            ram = "numa = 2M\nnuma = 2M@" + MEMMAP1 if name in numa else "memory = 2M"
            put("/etc/holdover/vms.d/%s.conf" % name,
                "[vm]\nqemu = /bin/qemu\nmachine = q35\n%s\ntimeout = 2\n%sargs = -nodefaults\n" %
                (ram, "transport = snapshot\n" if name in snapshots else ""))
        for name in disks:
            put("/disk/%s.img" % name, b"\0" * 4096)
        self.new_boot()
        if files:
            put("/bench/fsdax", "")
            os.mkdir("/bench/dax")
            put(DEVICE, "")
            d = self.holdover("init", "--fsdax", "--force")
            if d.rc or not there("/bench/dax/ledger"):
                raise Wrong("init: %s" % d)
        elif region_uuid or self.pristine is None:
            with open(DEVICE, "wb") as f:
                f.truncate(DEVICE_SIZE)
            d = self.holdover("init")
            if d.rc:
                raise Wrong("init: %s" % d)
            with open(DEVICE, "rb") as f:
                f.seek(DEVICE_SIZE - LEDGER_SIZE)
                tail = f.read()
            if not region_uuid:
                self.pristine = tail
        else:
            with open(DEVICE, "wb") as f:
                f.truncate(DEVICE_SIZE)
                f.seek(DEVICE_SIZE - LEDGER_SIZE)
                f.write(self.pristine)
        if numa:
            put("/bench/region1", REGION1)
            put(DEVICE1, b"")
            os.truncate(DEVICE1, DEVICE1_SIZE)
            d = self.holdover("init", "--add", "--memmap", MEMMAP1)
            if d.rc:
                raise Wrong("init: %s" % d)

    @staticmethod
    def attach(disks):
        """The disks that are there; the others stay, since an image is known by its inode, also to snapshots."""
        for name in os.listdir("/disk"):
            if name.endswith(".img") and name[:-4] not in disks:
                os.rename("/disk/" + name, "/disk/" + name[:-4] + ".off")
        for name in disks:
            if there("/disk/%s.off" % name):
                os.rename("/disk/%s.off" % name, "/disk/%s.img" % name)

    @staticmethod
    def snapshots(name):
        """Names of the snapshots in the VM's image; qemu_image.c has its form."""
        data = get("/disk/%s.img" % name)[4096 + 8:]
        found = [data[at:at + 64].rstrip(b"\0").decode() for at in range(0, 4 * 8288, 8288)]
        return [n for n in found if n]

    def start_all(self):
        for name in self.vms:
            d = self.holdover("run", name)
            if d.rc:
                raise Wrong("run: %s" % d)

    def reboot(self, ticket=None, copy=True):
        """Every process ends, /run is empty, RAM and disks stay. @ticket: what the initrd brings;
        @copy: the second copy is still there."""
        self.log.append("---- boot%s%s" % (" with a ticket" if ticket else "",
                                           "" if copy else ", the second copy is lost"))
        self.kill_all()
        for name in os.listdir("/run"):
            remove("/run/" + name)
        for name in os.listdir("/bench/kexec"):
            if name not in ("refuse", "refuse-jump"):
                remove("/bench/kexec/" + name)
        for name in self.vms:
            remove("/bench/%s.lock" % name)
        remove(TICKET)
        if not copy:
            remove(TICKET_COPY)
        if ticket:
            put(TICKET, ticket, 0o400)
        self.new_boot()

    @staticmethod
    def loaded_ticket():
        """The ticket in the initrd of the loaded kernel, or None."""
        initrd = get(INITRD)
        return initrd[-512 + 128:-512 + 128 + 192] if initrd else None

    def jump(self):
        """What the loaded kernel's start does, whoever asked for it."""
        self.reboot(ticket=self.loaded_ticket())

    # ---- snapshots of a world without processes

    def snapshot(self):
        if self.children():
            raise RuntimeError("a snapshot of a world with processes")
        paths = [DEVICE, DEVICE1, TICKET, TICKET_COPY, "/bench/score", "/bench/boot_id", "/bench/region",
                 "/bench/region1", "/bench/cmdline", "/etc/holdover/holdover.conf"] + \
                [d + n for d in ("/disk/", "/etc/holdover/vms.d/") for n in os.listdir(d)]
        if there("/bench/fsdax"):
            paths += ["/bench/fsdax"] + ["/bench/dax/" + n for n in os.listdir("/bench/dax")]
        return [(p, get(p), os.stat(p)) for p in paths if there(p)], list(self.vms)

    def restore(self, snap):
        files, vms = snap
        self.reboot()
        self.log = []
        self.vms = list(vms)
        remove("/var/lib/holdover")
        for path in (TICKET, DEVICE1, "/bench/score", "/bench/region1", "/bench/fsdax", "/bench/dax"):
            remove(path)
        os.mkdir("/bench/dax")
        os.makedirs("/var/lib/holdover", 0o700)
        self.attach([path[6:-4] for path, _, _ in files if path.startswith("/disk/") and path.endswith(".img")])
        for path, data, st in files:
            if path == DEVICE:
                with open(path, "r+b") as f:
                    f.write(data)
                continue
            put(path, data, st.st_mode & 0o7777)
            os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))
        for name in os.listdir("/bench"):
            if name.endswith(".mode"):
                remove("/bench/" + name)
