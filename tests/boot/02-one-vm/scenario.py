# SPDX-License-Identifier: GPL-2.0-only
"""A guest goes on where it was when its host has jumped into another kernel."""
TEMPLATE = "one"
TIMEOUT = 300


def run(t):
    guest, = t.host.guests
    guest.wait_ticks(2)
    with t.step("holdover check says yes"):
        t.host.holdover("check", 180)
    since = t.machine.serial.mark()
    boot = t.machine.control.boot_id
    moment = t.jump(1)
    t.true(t.machine.control.boot_id != boot, "another kernel runs")
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    with t.step("the host gets to multi-user"):
        t.host.wait_multi_user(since)
    done = t.machine.serial.matching("holdover: DONE", since)[0][0]
    switched = t.machine.serial.matching(r"initrd-switch-root\.service", since)[0][0]
    t.true(done < switched, "the agent was done before switch-root")
    t.equal(t.host.state("one"), "running", "status says running")
    t.check_evidence(moment)
    phases = [m["phase"] for m in t.host.json("timeline")["marks"]]
    order = ["paused", "saved", "sealed", "jump", "kernel-start", "agent-start", "loaded", "released", "running"]
    t.equal([p for p in phases if p in order], order, "the timeline has every phase, in order")
    t.end()
