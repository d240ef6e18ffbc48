# SPDX-License-Identifier: GPL-2.0-only
"""What a scenario is given, and the process that runs one.

tests/boot/NN-NAME/scenario.py has a docstring whose first line says what is shown, and

    TEMPLATE = "one"        the saved state it starts from (template.py), or None: it boots by itself
    SUITE = "bookworm"      the Debian of its nested host, if it is not trixie
    HOST = "mini"           with TEMPLATE = None: which kind of host (hosts.py); default "debian"
    MACHINE = {...}         likewise: more for the Machine, such as regions=("128M!1G", "64M!1280M")
    BUILD = ("mini testing",)   what else it needs: programs of tests/boot that run-all calls before
    FILES = True            its third disk has tests/boot/image's other initramfs images
    TIMEOUT = 300           seconds, for a machine that has the time (run-all stretches it)
    def run(t): ...         t is a Scenario

It says "ok - ..." for every thing shown; the first that does not hold ends it. Only the last line,
MARKER, makes it pass.
"""
import contextlib
import importlib.util
import os
import signal
import sys
import time
import traceback

from . import evidence, hosts, paths
from .host import Host, blackout_ms
from .machine import Machine
from .template import Build, Locked, Template, full, parent as parent_of

MARKER = "SCENARIO DONE"


class Failed(Exception):
    """Something that the scenario claims does not hold."""


class Scenario:
    def __init__(self, name, machine):
        self.name, self.machine, self.host = name, machine, Host(machine)
        self.logs = machine.logs

    def ok(self, what):
        print(f"ok - {what}", flush=True)

    def true(self, holds, what, why=""):
        if not holds:
            raise Failed(f"{what}{': ' if why else ''}{why}")
        self.ok(what)

    def equal(self, got, want, what):
        self.true(got == want, what, f"{got!r} instead of {want!r}")

    def start(self, *names, **more):
        """A host without a template: it boots, the region is prepared, and these guests tick. more: for the Guests."""
        with self.step("the host boots"):
            self.machine.wait_up()
        with self.step("holdover init"):
            self.host.holdover("init")
        for name in names:
            with self.step(f"guest {name} starts and ticks"):
                self.host.guest(name, **more).run()
                self.host.guests[-1].wait_ticks(2, 120)

    @contextlib.contextmanager
    def step(self, what):
        """Whatever goes wrong inside is said to be about this step."""
        begin = time.monotonic()
        try:
            yield
        except Exception as e:
            raise Failed(f"{what}: {e}") from e
        self.ok(f"{what} ({time.monotonic() - begin:.1f} s)")

    def jump(self, running, what="the jump", command="kexec --now", vms=None):
        """holdover kexec --now; so many VMs run on of all, or of so many, the others being left to a later placement.
        Returns the outer time at which the old kernel was last heard."""
        vms = running if vms is None else vms
        with self.step(f"{what}: the agent resumes {running} of {vms}"):
            moment, done = self.host.jump(command)
            want = {"vms": vms, "running": running, "failed": 0, "kept": vms - running}
            if {k: done[k] for k in want} != want:
                raise Failed(f"DONE says {done}")
        return moment

    def check_evidence(self, moment):
        """What the guests have said, around the jump at this moment, against the ledger's journal."""
        timeline = self.host.json("timeline")
        for guest in self.host.guests:
            blackout = blackout_ms(timeline, guest.name)
            with self.step(f"{guest.name}: counter, clock, memory and disk unbroken, blackout {blackout:.0f} ms"):
                evidence.check_jump(guest.check(), moment, blackout)

    def undone(self, guest, pid, after):
        """A jump that was called off has left nothing behind, and the VM runs on in the same QEMU."""
        run = self.machine.run
        self.equal(run("cat /sys/kernel/kexec_loaded").out.strip(), "0", f"no kernel is loaded {after}")
        self.equal(run("ls /var/lib/holdover/ticket /run/holdover/ticket 2>/dev/null", ok=None).out, "",
                   f"no ticket is left {after}")
        vm = self.host.vm(guest.name)
        self.equal((vm["state"], vm["pid"], vm["record"] in ("SEALED", "CLAIMED")), ("running", pid, False),
                   f"{guest.name}: the same QEMU runs on {after}")
        with self.step(f"{guest.name} ticks on {after}"):
            guest.wait_ticks(3)
        guest.check()

    def silent(self, guest, since, what):
        """The guest has not ticked since that line of its console (Stream.mark())."""
        self.equal(len(guest.stream.matching(evidence.TICK.pattern, since)), 0, f"{guest.name} does not tick {what}")

    def says(self, words, code, *texts):
        """`holdover WORDS` ends with this code and says these texts."""
        answer = self.host.holdover(words, 180, ok=None)
        missing = [text for text in texts if text not in answer.out + answer.err]
        self.true(answer.code == code and not missing, f"`holdover {words}` ends with {code}" +
                  (f" and says: {' / '.join(texts)}" if texts else ""), str(answer))
        return answer

    def keeps(self, what, said, *texts):
        """The agent of a boot (host.other_kernel(), host.reset()) resumed nothing and said why."""
        counts, console = said
        missing = [text for text in texts if text not in console]
        self.true(counts.get("running") == 0 and not missing, f"{what}: the agent resumes nothing" +
                  (f" and says: {' / '.join(texts)}" if texts else ""), f"{counts}, {missing}")

    def check_pause(self, moment):
        """The guests go on after this moment as if nothing had been, and their clocks have stood still."""
        for guest in self.host.guests:
            with self.step(f"{guest.name}: counter, clock, memory and disk unbroken"):
                guest.wait_ticks(3)
                before, after = evidence.around(guest.check(), moment)
                if after.mono_ms - before.mono_ms > 3000:
                    raise Failed(f"its clock went on by {after.mono_ms - before.mono_ms} ms")

    def end(self):
        """Stops the guests in order, ends the machine and reads the guests' disks from outside."""
        for guest in self.host.guests:
            with self.step(f"{guest.name}: shuts down when asked"):
                self.host.holdover(f"stop --timeout 120 {guest.name}", 150)
                guest.stream.wait(r"^BYE ", 10)
        self.machine.run("sync")
        self.machine.close()
        with self.step("every record of every tick is on the guests' disks"):
            self.host.check_disks(self.logs)


def load(name):
    path = os.path.join(paths.HERE, name, "scenario.py")
    spec = importlib.util.spec_from_file_location(f"scenario_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def suite_of(module):
    return getattr(module, "SUITE", paths.SUITE)


def wants_files(module):
    return getattr(module, "FILES", False)


def run_scenario(name):
    module = load(name)
    template = None
    if module.TEMPLATE:
        template = Template(full(module.TEMPLATE, suite_of(module)))
        if not template.valid():
            raise Failed(f"template {template.name} was not built")
    files = paths.host(suite_of(module), "files.ext4") if wants_files(module) else None
    kind = hosts.kind(getattr(module, "HOST", "debian"), suite_of(module))
    with Machine(paths.boot("logs", name), template=template, kind=kind, files=files,
                 **getattr(module, "MACHINE", {})) as machine:
        t = Scenario(name, machine)
        if template:
            t.host.adopt(template.meta["guests"])
        module.run(t)


def build_template(name):
    with Locked(name):
        template = Template(name)
        if template.valid():
            return
        parent = Template(parent_of(name)) if parent_of(name) else None
        if parent and not parent.valid():
            raise Failed(f"template {parent.name} was not built")
        build = Build(template, parent)
        with Machine(paths.boot("logs", f"template-{name}"), template=template) as machine:
            t = Scenario(name, machine)
            guests = parent.meta["guests"] if parent else []
            if not parent:
                with t.step("the host boots to multi-user"):
                    machine.wait_up()
                with t.step("holdover init"):
                    t.host.holdover("init")
            else:
                # The others hold still meanwhile: all share one emulated processor.
                for other in guests:
                    t.host.qmp(other["name"], {"execute": "stop"})
                new = name.partition(".")[0]
                with t.step(f"guest {new} boots and ticks"):
                    guest = t.host.guest(new)
                    guest.run()
                    guest.wait_ticks(4, 600)
                for other in guests:
                    t.host.qmp(other["name"], {"execute": "cont"})
                guests = guests + [{"name": new, "nonce": guest.nonce}]
            build.save(machine, guests)


def main(kind, name):
    """One scenario or one template in this process. Exit status 0 only after the marker."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    log = os.path.join(paths.boot("logs", name if kind == "scenario" else f"template-{name}"), "harness.txt")
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    try:
        (run_scenario if kind == "scenario" else build_template)(name)
    except Exception as e:  # pylint: disable=broad-except
        with open(log, "w", encoding="utf-8") as f:
            traceback.print_exc(file=f)
        print(f"not ok - {' '.join(str(e).split())}", flush=True)
        return 1
    print(MARKER, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
