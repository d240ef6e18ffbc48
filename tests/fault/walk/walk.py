# SPDX-License-Identifier: GPL-2.0-only
"""The fault-point walk: each program is killed at each passage of each of its fault points, and then
life goes on in each plausible way. After that each VM has run on in place, or was resumed once, or is
kept with a reason; what is kept can be resumed or given up; nothing was ever resumed twice.

Every walk first goes its way without a fault, which shows the passages."""

import collections
import os

from bench import TICKET, TICKET_COPY, INITRD, Wrong, there, get, put, remove

NOT_APPLICABLE = "not applicable"

PENDING = ("SEALED", "CLAIMED", "FAILED", "RELEASED")
# Reasons that only the last lines of defence give: in a walk without an attacker the records must
# have prevented it.
LAST_DEFENCE = ("RAM was changed", "was changed since it was saved", "was changed after the VM was saved")


def records(b):
    return {n: v["record"] for n, v in b.status().items()}


def pids(b):
    return {n: b.qemus(n) for n in b.vms}


class Life:
    """What is known about a case: which VMs may be gone, which may be kept."""

    def __init__(self, b):
        self.b = b
        self.may_be_lost = set()

    def power_cut(self, ticket=None, copy=True, jump=False):
        """All processes end: a VM without a seal is lost, as with any computer."""
        b = self.b
        rec = records(b)
        for name in b.vms:
            if rec.get(name) not in PENDING:
                self.may_be_lost.add(name)
            else:
                self.may_be_lost.discard(name)
        if jump:
            b.jump()
        else:
            b.reboot(ticket=ticket, copy=copy)

    def verdict(self, kept=()):
        """@kept: records with which a VM may be kept now."""
        b = self.b
        b.reap()
        b.check_score()
        found = {}
        for name, v in b.status().items():
            alive = b.qemus(name)
            if len(alive) > 1:
                raise Wrong("%s: processes %s" % (name, alive))
            state = v["state"]
            if state == "running":
                if not alive:
                    raise Wrong("%s: said to run, but there is no process" % name)
                found[name] = "running"
            elif state in ("sealed", "kept"):
                if not v["detail"]:
                    raise Wrong("%s: %s without a reason" % (name, state))
                if v["record"] not in kept:
                    raise Wrong("%s: kept as %s (%s)" % (name, v["record"], v["detail"]))
                found[name] = "kept"
            elif v["detail"] and v["record"] in kept and alive:
                found[name] = "kept"
            elif state == "stopped" and not alive and name in self.may_be_lost:
                found[name] = "lost with the host"
            else:
                raise Wrong("%s: %s, record %s, processes %s (%s)" %
                            (name, state, v["record"], alive, v["detail"]))
        for name in b.vms:
            if name in found:
                continue
            if name not in self.may_be_lost:
                raise Wrong("%s: nobody knows it any more" % name)
            found[name] = "lost with the host"
        for text in LAST_DEFENCE:
            for entry in b.log:
                if text in entry:
                    raise Wrong("the last line of defence was needed: %s" % entry)
        return found


def repair(b):
    """An operator who does what status tells him gets every VM to run."""
    for _ in range(5):
        st = b.status()
        todo = [n for n in b.vms if st.get(n, {"state": "stopped"})["state"] != "running"]
        if not todo:
            break
        for name in todo:
            v = st.get(name, {"state": "stopped", "detail": "", "pid": 0})
            if "holdover abort" in v["detail"] and v["pid"]:
                b.holdover("abort")
            elif v["state"] in ("sealed", "kept") or v["pid"]:
                if b.holdover("resume", name).rc == 0:
                    continue
                if b.holdover("resume", "--never-ran", name).rc == 0:
                    continue
                if v["pid"]:
                    b.holdover("stop", "--force", name)
                b.holdover("discard", name)
            else:
                b.holdover("run", name)
    else:
        raise Wrong("an operator does not get it to run: %s" % b.status())
    for name in b.vms:
        if len(b.qemus(name)) != 1:
            raise Wrong("%s: processes %s" % (name, b.qemus(name)))
    b.check_score()


def whole_jump(b):
    """And the next jump works."""
    d = b.kexec()
    if not there("/bench/kexec/jumped"):
        raise Wrong("the next jump fails: %s" % d)
    b.jump()
    b.agent()
    life = Life(b)
    found = life.verdict()
    if set(found.values()) != {"running"}:
        raise Wrong("after the next jump: %s" % found)
    for name in b.vms:
        if b.snapshots(name):
            raise Wrong("%s: its image still has %s" % (name, b.snapshots(name)))


# ---- after a stage that died ------------------------------------------------------------------------

def then_abort(b, life, before):
    d = b.holdover("abort")
    if d.rc not in (0, 3):
        raise Wrong("abort: %s" % d)
    found = life.verdict()
    if pids(b) != before:
        raise Wrong("not in place: %s, now %s" % (before, pids(b)))
    if any(s[2] == "load" for s in b.score()):
        raise Wrong("resumed, not in place")
    if there(INITRD) or there(TICKET_COPY):
        raise Wrong("after abort there is still a loaded kernel or a ticket")
    whole_jump(b)
    return found


def then_kexec_e(b, life, before):
    if not there(INITRD):
        return NOT_APPLICABLE
    life.power_cut(jump=True)
    b.agent()
    b.late()
    return life.verdict(kept=PENDING)


def then_reset(b, life, before):
    life.power_cut(copy=False)
    b.agent()
    b.late()
    if any(s[2] in ("load",) for s in b.score()):
        raise Wrong("resumed without a ticket")
    return life.verdict(kept=PENDING)


def then_reset_and_resume(b, life, before):
    life.power_cut()
    b.agent()
    b.late()
    b.holdover("resume")
    return life.verdict(kept=PENDING)


def then_jump_again(b, life, before):
    d = b.kexec()
    if not there("/bench/kexec/jumped"):
        if d.rc != 1:
            raise Wrong("a refused jump says: %s" % d)
        d = b.holdover("abort")
        if d.rc not in (0, 3):
            raise Wrong("abort: %s" % d)
        found = life.verdict()
        if pids(b) != before:
            raise Wrong("not in place: %s, now %s" % (before, pids(b)))
        b.kexec()
    life.power_cut(jump=True)
    b.agent()
    return life.verdict()


STAGE_THEN = (then_abort, then_kexec_e, then_reset, then_reset_and_resume, then_jump_again)


# ---- after an agent (or a resume) that died ---------------------------------------------------------

def later_resumes(b, life):
    """All attempts that need no decision; then only RELEASED may be left."""
    b.late()
    b.holdover("resume")
    return life.verdict(kept=("RELEASED",))


def then_late(b, life, before):
    return later_resumes(b, life)


def then_agent_again(b, life, before):
    b.agent()
    return later_resumes(b, life)


def then_boot_without(b, life, before):
    life.power_cut()
    b.agent()
    return later_resumes(b, life)


def then_boot_replay(b, life, before):
    """The same kernel and initrd again, ticket and all."""
    life.power_cut(ticket=b.old_ticket)
    b.agent()
    return later_resumes(b, life)


def then_boot_bare(b, life, before):
    life.power_cut(copy=False)
    b.agent()
    b.late()
    return life.verdict(kept=PENDING)


def then_never_ran(b, life, before):
    life.power_cut()
    for name in b.vms:
        b.holdover("resume", "--never-ran", name)
    b.check_score()
    # whoever did run is only kept because the canaries say so
    b.log = []
    return life.verdict(kept=("RELEASED", "FAILED"))


def then_next_jump(b, life, before):
    d = b.kexec()
    if there("/bench/kexec/jumped"):
        life.power_cut(jump=True)
        b.agent()
    elif d.rc not in (1, 3):
        raise Wrong("a refused jump says: %s" % d)
    return later_resumes(b, life)


AGENT_THEN = (then_late, then_agent_again, then_boot_without, then_boot_replay, then_boot_bare,
              then_never_ran, then_next_jump)


# ---- the walks ---------------------------------------------------------------------------------------

Walk = collections.namedtuple("Walk", "name begin act then after")
WALKS = []


def walk(name, then, act, after=None):
    """@after: the walk that goes the same way at first, so that these passages are left to it."""
    def register(begin):
        WALKS.append(Walk(name, begin, act, then, after))
        return begin
    return register


def fresh_host(b):
    b.reset_world()
    b.start_all()


def act_kexec(b, **kw):
    return b.kexec(**kw)


def snapshot_host(b):
    """The state of one VM goes into a snapshot of its image."""
    b.reset_world(disks=("a", "b"), snapshots=("a",))
    b.start_all()


def files_host(b):
    """Ledger and RAM are files."""
    b.reset_world(files=True)
    b.start_all()


@walk("stage", STAGE_THEN, act_kexec)
def begin_stage(b):
    fresh_host(b)


@walk("stage with a snapshot", STAGE_THEN, act_kexec)
def begin_stage_snapshot(b):
    snapshot_host(b)


def act_failing_kexec(b, **kw):
    kw["fault"] = "sealed_and_checked:fail" + ("," + kw["fault"] if kw.get("fault") else "")
    return b.kexec(**kw)


@walk("unseal", STAGE_THEN, act_failing_kexec, after="stage")
def begin_unseal(b):
    fresh_host(b)


@walk("stage with files", STAGE_THEN, act_kexec)
def begin_stage_files(b):
    files_host(b)


@walk("unseal with a snapshot", STAGE_THEN, act_failing_kexec, after="stage with a snapshot")
def begin_unseal_snapshot(b):
    snapshot_host(b)


def act_abort(b, **kw):
    return b.holdover("abort", **kw)


@walk("abort", STAGE_THEN, act_abort)
def begin_abort(b):
    fresh_host(b)
    b.kexec(fault="sealed_and_checked")


@walk("abort with a snapshot", STAGE_THEN, act_abort)
def begin_abort_snapshot(b):
    snapshot_host(b)
    b.kexec(fault="sealed_and_checked")


@walk("abort with files", STAGE_THEN, act_abort)
def begin_abort_files(b):
    files_host(b)
    b.kexec(fault="sealed_and_checked")


@walk("refused jump", STAGE_THEN, act_kexec, after="stage")
def begin_refused(b):
    fresh_host(b)
    put("/bench/kexec/refuse-jump", "")


ARMED = "/run/holdover/armed"
MANAGER = "/bench/manager"


def with_manager(b, word="\n"):
    """systemd is there, and its kexec.target leads to the last step."""
    fresh_host(b)
    os.makedirs("/run/systemd/system")
    put(MANAGER, word)


def last_step(b, **kw):
    return b.holdover("kexec", "--last", **kw)


def act_arm(b, **kw):
    return b.holdover("kexec", "--kernel", "/boot/vmlinuz-t", "--initrd", "/boot/initrd-t", **kw)


def then_last_step(b, life, before):
    """The host goes to kexec.target all the same: what is armed jumps, what is not does not, and the VMs run on."""
    armed = there(ARMED)
    d = last_step(b)
    if there("/bench/kexec/jumped") != armed:
        raise Wrong("armed: %s, and then: %s" % (armed, d))
    if armed:
        life.power_cut(jump=True)
        b.agent()
        return life.verdict()
    d = b.holdover("abort")
    if d.rc not in (0, 3) or pids(b) != before:
        raise Wrong("not in place: %s, now %s" % (before, pids(b)))
    return life.verdict()


ARM_THEN = STAGE_THEN + (then_last_step,)


@walk("arm", ARM_THEN, act_arm, after="stage")
def begin_arm(b):
    with_manager(b)


@walk("disarm", ARM_THEN, act_arm, after="arm")
def begin_disarm(b):
    with_manager(b, "refuse")


@walk("last step", ARM_THEN, last_step, after="stage")
def begin_last_step(b):
    with_manager(b)
    d = act_arm(b)
    if d.rc or not there(ARMED):
        raise Wrong("not armed: %s" % d)


SNAPSHOTS = {}


def jumped(b, host=fresh_host):
    """Just after the jump; the same each time."""
    key = host.__name__
    if key not in SNAPSHOTS:
        host(b)
        d = b.kexec()
        if not there("/bench/kexec/jumped"):
            raise Wrong("no jump: %s" % d)
        b.jump()
        SNAPSHOTS[key] = b.snapshot()
    b.restore(SNAPSHOTS[key])
    b.old_ticket = get(TICKET)


def act_agent(b, **kw):
    return b.agent(**kw)


@walk("agent", AGENT_THEN, act_agent)
def begin_agent(b):
    jumped(b)


def jumped_snapshot(b):
    jumped(b, snapshot_host)
    if len(b.snapshots("a")) != 1:
        raise Wrong("the image has %s" % b.snapshots("a"))


@walk("agent with a snapshot", AGENT_THEN, act_agent)
def begin_agent_snapshot(b):
    jumped_snapshot(b)


def act_failing_agent(b, **kw):
    kw["fault"] = "qemu_started:fail" + ("," + kw["fault"] if kw.get("fault") else "")
    return b.agent(**kw)


@walk("agent fails", AGENT_THEN, act_failing_agent, after="agent")
def begin_failing_agent(b):
    jumped(b)


@walk("agent with files", AGENT_THEN, act_agent)
def begin_agent_files(b):
    jumped(b, files_host)


def act_agent_after_load(b, **kw):
    """The first attempt has loaded its state, and its image with it, when it fails."""
    kw["fault"] = "released:fail" + ("," + kw["fault"] if kw.get("fault") else "")
    return b.agent(**kw)


@walk("agent fails after a snapshot was loaded", AGENT_THEN, act_agent_after_load, after="agent with a snapshot")
def begin_agent_after_load(b):
    jumped_snapshot(b)


def act_resume(b, **kw):
    return b.holdover("resume", **kw)


@walk("resume", AGENT_THEN, act_resume)
def begin_resume(b):
    jumped(b)
    remove(TICKET)


@walk("resume with a snapshot", AGENT_THEN, act_resume)
def begin_resume_snapshot(b):
    jumped_snapshot(b)
    remove(TICKET)


def then_boot_mending(b, life, before):
    life.power_cut(ticket=b.old_ticket)
    b.agent()
    return life.verdict()


def act_mending(b, **kw):
    return b.agent(**kw)


# Only as far as to the ledger; from there on it is the agent's walk.
@walk("agent mends", (then_boot_mending,), act_mending, after="agent")
def begin_mending(b):
    jumped(b)
    put("/bench/head", b"\0" * 8192)


def then_run_again(b, life, before):
    life.may_be_lost = set(b.vms)
    repair(b)
    return life.verdict()


def then_reset_and_run(b, life, before):
    life.power_cut()
    b.agent()
    b.late()
    for name in b.vms:
        b.holdover("run", name)
    return life.verdict()


def act_run(b, **kw):
    return b.holdover("run", "a", **kw)


@walk("run", (then_run_again, then_reset_and_run), act_run)
def begin_run(b):
    b.reset_world()


def act_stop(b, **kw):
    return b.holdover("stop", "--force", "a", **kw)


@walk("run with files", (then_run_again, then_reset_and_run), act_run)
def begin_run_files(b):
    b.reset_world(files=True)


@walk("stop", (then_run_again, then_reset_and_run), act_stop)
def begin_stop(b):
    fresh_host(b)


def act_discard(b, **kw):
    return b.holdover("discard", "a", "b", **kw)


MORE = "/bench/more.img"


def act_attach(b, **kw):
    return b.holdover("attach", "--id", "more", "a", MORE, **kw)


def act_detach(b, **kw):
    return b.holdover("detach", "a", "more", **kw)


def attached(b):
    return b.status()["a"]["attached"]


def then_detach(b, life, before):
    """What was done of it is undone by detach; nothing of it stands in the way of a jump then."""
    half = attached(b)
    d = act_detach(b)
    if d.rc != (0 if half else 1) or attached(b):
        raise Wrong("not detached: %s" % d)
    whole_jump(b)
    return life.verdict()


def then_attach_again(b, life, before):
    if attached(b):
        act_detach(b)
    d = act_attach(b)
    if d.rc or attached(b) != "more (%s)" % MORE:
        raise Wrong("not attached: %s" % d)
    d = b.kexec()
    if d.rc != 1 or "'holdover detach a ID' takes each out: more" not in d.err:
        raise Wrong("the jump is not refused with the remedy: %s" % d)
    found = life.verdict()
    if pids(b) != before:
        raise Wrong("not in place: %s, now %s" % (before, pids(b)))
    if act_detach(b).rc:
        raise Wrong("not detached: %s" % attached(b))
    whole_jump(b)
    return found


@walk("attach", (then_detach, then_attach_again), act_attach)
def begin_attach(b):
    fresh_host(b)
    put(MORE, b"\0" * 4096)


@walk("detach", (then_detach, then_attach_again), act_detach)
def begin_detach(b):
    begin_attach(b)
    d = act_attach(b)
    if d.rc:
        raise Wrong("not attached: %s" % d)


def then_discard_again(b, life, before):
    b.holdover("discard", *b.vms)
    for name in b.vms:
        b.holdover("run", name)
    return life.verdict()


@walk("discard", (then_discard_again, then_boot_without, then_boot_replay), act_discard)
def begin_discard(b):
    jumped(b)


@walk("discard with a snapshot", (then_discard_again, then_boot_without, then_boot_replay), act_discard)
def begin_discard_snapshot(b):
    jumped_snapshot(b)


@walk("discard with files", (then_discard_again, then_boot_without, then_boot_replay), act_discard)
def begin_discard_files(b):
    jumped(b, files_host)


def act_policy(b, **kw):
    return b.late(**kw)


@walk("policy", (then_run_again, then_reset_and_run), act_policy)
def begin_policy(b):
    """Two disks were written to meanwhile: of one VM the state is given up for a fresh start, of the other for good."""
    key = "policy"
    if key not in SNAPSHOTS:
        b.reset_world(disks=("a", "b"))
        set_policies(b)
        b.start_all()
        b.kexec()
        b.jump()
        for name in b.vms:
            put("/disk/%s.img" % name, b"1" * 8192)
        SNAPSHOTS[key] = b.snapshot()
    b.restore(SNAPSHOTS[key])
    set_policies(b)
    b.old_ticket = get(TICKET)
    b.agent()


def set_policies(b):
    for name, word in (("a", "cold-boot"), ("b", "ignore")):
        path = "/etc/holdover/vms.d/%s.conf" % name
        put(path, get(path).decode().split("on-failure")[0] + "on-failure = %s\n" % word)


# A VM whose RAM is of two parts, in two regions, beside one of one part.

def numa_host(b):
    b.reset_world(numa=("b",))
    b.start_all()


@walk("two parts: stage", (then_abort, then_kexec_e), act_kexec)
def begin_numa_stage(b):
    numa_host(b)


@walk("two parts: agent", (then_late, then_boot_without), act_agent)
def begin_numa_agent(b):
    key = "numa"
    if key not in SNAPSHOTS:
        numa_host(b)
        b.kexec()
        b.jump()
        SNAPSHOTS[key] = b.snapshot()
    b.restore(SNAPSHOTS[key])
    b.old_ticket = get(TICKET)


def act_numa_run(b, **kw):
    return b.holdover("run", "b", **kw)


@walk("two parts: run", (then_run_again, then_reset_and_run), act_numa_run)
def begin_numa_run(b):
    b.reset_world(vms=("b",), numa=("b",))


# ---- running them -------------------------------------------------------------------------------------

def trace(b, w):
    w.begin(b)
    remove("/bench/trace")
    w.act(b, trace="/bench/trace")
    return get("/bench/trace").decode().split()


def numbered(names):
    seen = collections.Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append((name, seen[name]))
    return out


def passages(b, w):
    """[(point, n)] of the walk's program, without those that another walk goes through."""
    skip = numbered(trace(b, next(o for o in WALKS if o.name == w.after))) if w.after else []
    return [p for p in numbered(trace(b, w)) if p not in skip]


def case(b, w, point, n, then):
    """One case; the outcome of each VM, or NOT_APPLICABLE."""
    w.begin(b)
    before = pids(b)
    life = Life(b)
    if w.name.split()[0] in ("discard", "policy"):
        life.may_be_lost = set(b.vms)
    d = w.act(b, fault="%s@%d" % (point, n))
    if d.rc != -9 or there("/bench/kexec/jumped"):
        raise Wrong("not killed at %s@%d: %s" % (point, n, d))
    remove("/bench/kexec/refuse-jump")
    found = then(b, life, before)
    if found is not NOT_APPLICABLE:
        repair(b)
    return found


# Where the ledger says something else than a moment before.
TELLING = ("vm_sealed", "seal_read_back", "sealed_and_checked", "frozen", "vm_unsealed",
           "kernel_unloaded", "claimed", "released", "vm_continued",
           "running_recorded", "vm_consumed")


def in_fast(w, point, n, k):
    """A part that still goes to each passage, and from there on in some of the ways: in all of them
    from the telling points of stage, abort and agent. With a snapshot or files it is a quarter of them."""
    if "snapshot" in w.name or "files" in w.name:
        return (k + n + len(point)) % 4 == 0
    if w.name in ("stage", "abort", "agent") and point in TELLING:
        return True
    return (k + n + len(point)) % 2 == 0
