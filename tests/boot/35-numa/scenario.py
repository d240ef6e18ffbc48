# SPDX-License-Identifier: GPL-2.0-only
"""VMs of two guest NUMA nodes, whose RAM is in two regions, go through a jump, by `numa =` and by a command line with two backends; without the second region such a VM is kept, and resumed once it is back."""
from lib import evidence

HOST = "mini"
TEMPLATE = None
TIMEOUT = 400
FIRST, SECOND = "128M!1G", "128M!1280M"
MACHINE = {"regions": (FIRST, SECOND), "append": "holdover-test.late=0"}
CONFIG = f"[region]\nmemmap = {FIRST}\n[regions]\nnode1 = {SECOND}\n"
MIB = 1 << 20
# The guests' memory area is spread over all of their RAM, so half of it is in the second node.
NODES = "numa = 16M cpus=0\nnuma = 16M@node1 cpus=1\n"
BACKENDS = "args = -m 32M" + "".join(
    f"\n\t-object memory-backend-file,id=dimm{i},size=16M,mem-path=/dev/dax{i}.0,share=on,pmem=on,align=2M"
    f" -numa node,memdev=dimm{i},cpus={i}" for i in (0, 1)) + "\n"


def start(t, name, more="", args="", memory="32M"):
    guest = t.host.guest(name, memory=memory, more=more, args="args = -smp 2\n" + args if memory == "32M" else "")
    with t.step(f"guest {name} starts and ticks"):
        guest.run()
        guest.wait_ticks(3, 120)
    return guest


def second_half(t, device, vm):
    """What the guest has in its second node, read in the memory of the machine itself."""
    part = vm["ram"][1]
    data = device["region_start"] + device["region_size"] - device["device_size"]
    return t.machine.ram.read(data + part["offset"], part["memory"])


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
    t.machine.control.put("/etc/holdover/holdover.conf", CONFIG)
    t.host.holdover("init --ledger-size 8M")
    t.host.holdover(f"init --add --memmap {SECOND}")
    guests = [start(t, "one", memory="16M"), start(t, "two", NODES), start(t, "three", args=BACKENDS)]
    t.says(f"init --add --force --memmap {SECOND}", 1, "holds the RAM of VM two, which runs")
    show = t.host.json("show")
    t.equal({vm["name"]: [part["region"] for part in vm["ram"]] for vm in show["vms"]},
            {"one": [0], "two": [0, 1], "three": [0, 1]}, "a part of the RAM in each region")
    for vm in show["vms"][1:]:
        t.equal((vm["memory"], vm["ram"][1]["memory"]), (32 * MIB, 16 * MIB), f"{vm['name']}: two halves of its RAM")
        ram = second_half(t, show["regions"][0], vm)
        used = sum(any(ram[at:at + MIB]) for at in range(0, 16 * MIB, MIB))
        t.true(used == 16, f"{vm['name']}: its memory area reaches into all of the second node", f"{used} of 16")
    qmp = t.host.qmp("two", {"execute": "query-memdev"})
    t.true("holdover.ram.1" in qmp, "QEMU has a backend for each node", qmp)
    moment = t.jump(3)
    for guest in guests:
        guest.wait_ticks(3)
    t.check_evidence(moment)
    for guest in guests:
        with t.step(f"{guest.name}: shuts down when asked"):
            t.host.holdover(f"stop --timeout 120 {guest.name}", 150)
    t.host.guests.clear()

    # Sealed, and left to the operator, who finds himself in a kernel without the second region.
    four = start(t, "four", "placement = late\n", memory="16M")
    five = start(t, "five", "placement = late\n" + NODES)
    with t.step("a jump that nobody resumes from"):
        t.host.jump()
    t.keeps("a kernel without the second region", t.host.other_kernel((FIRST, "128M$1280M")), "DONE vms=0")
    mark = five.stream.mark()
    t.says("resume", 4, "four: running", "five: kept", "128M!1280M", "no pmem region")
    with t.step("the VM of one part ticks, the other one waits"):
        four.wait_ticks(3)
    t.silent(five, mark, "without half of its RAM")
    t.says("run five", 1)
    t.equal(t.host.vm("five")["record"], "SEALED", "its record is as it was")
    mark = five.stream.mark()
    t.keeps("a reset that brings the region back", t.host.reset(), "DONE vms=0")
    t.says("resume five", 0, "five: running")
    with t.step("five ticks, its memory and disk unbroken"):
        five.stream.wait(evidence.TICK.pattern, 120, mark)
        five.wait_ticks(2)
        five.check()
