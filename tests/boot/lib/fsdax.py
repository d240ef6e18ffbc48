# SPDX-License-Identifier: GPL-2.0-only
"""RAM in files of a DAX file system: the same scenario for each kind of file system."""
DIR = "/run/holdover/dax/0x40000000"
MACHINE = {"regions": ("1G!1G",), "memory": "2560M"}


def start(t, guest):
    said = t.host.json(f"run {guest.name}")
    t.equal((said["huge"], said["path"]), (said["memory"], f"{DIR}/{guest.name}.ram"),
            f"{guest.name}: all of its file can be mapped as huge pages")


def run(t, kind):
    with t.step("the host boots"):
        t.machine.wait_up()
    t.says(f"init --fsdax={kind} --ledger-size 8M", 0, kind, DIR)
    t.says("init --fsdax", 0, "kept")
    t.says("init", 0, "kept")
    t.machine.run("mkdir /dax && mount -o dax /dev/pmem0 /dax")
    one = t.host.guest("one")
    start(t, one)
    two = t.host.guest("two")
    # As for a QEMU that never was; the rest of the file is the test guest's.
    two.config = two.config.replace("machine = q35\nmemory = 16M\n", "") + \
        "args = -M q35 -m 16M -enable-dax -mem-path /dax\n"
    two.define()
    start(t, two)
    three = t.host.guest("three", memory="32M", more="numa = 16M cpus=0\nnuma = 16M cpus=1\n", args="args = -smp 2\n")
    start(t, three)
    four = t.host.guest("four", memory="1040M", more="numa = 16M\nnuma = 1G\n")
    t.says("run four", 1, "no room for 1G")
    t.host.guests.remove(four)
    t.equal(t.machine.run(f"ls {DIR} | grep ram | sort").out.split(), ["one.ram", "three+1.ram", "three.ram", "two.ram"],
            "a file for each VM, two for the one with two nodes, none for the one without room for its second")
    for guest in (one, two, three):
        guest.wait_ticks(3, 120)
    since = t.machine.serial.mark()
    moment = t.jump(3)
    for guest in (one, two, three):
        guest.wait_ticks(3)
    replays = len(t.machine.serial.matching(r"pmem0.*Ending recovery", since))
    # A frozen xfs has a record in its log that makes the next mount look for files without a name; nothing else.
    t.equal(replays, 1 if kind == "xfs" else 0, "the file system was at rest: no journal is replayed"
            if kind != "xfs" else "what the freeze has left in the log is read, once")
    t.check_evidence(moment)
    t.end()
