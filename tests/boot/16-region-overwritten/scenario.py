# SPDX-License-Identifier: GPL-2.0-only
"""A kernel without memmap= has used the memory: what is lost is never resumed, what is left says so, and the host starts anew."""
HOST = "mini"
TEMPLATE = None
TIMEOUT = 300
MACHINE = {"append": "holdover-test.late=0"}
REGION, END = 1 << 30, (1 << 30) + (256 << 20)


def run(t):
    t.start("one", "two", more="placement = late\n")
    one, two = t.host.guests
    vm, device = t.host.vm("one"), t.host.json("show")["device_size"]
    t.host.jump()
    ram = t.machine.ram
    t.keeps("a kernel without memmap=", t.host.other_kernel(("256M$1G",), ticket=True), "this kernel has none")
    # What a kernel that hands the memory out may do to one VM's RAM.
    ram.write(END - device + vm["offset"], b"other data here." * (vm["memory"] // 16))
    t.keeps("the parameter is back", t.host.reset(), "DONE vms=0")
    t.says("resume", 4, "two: running", "one: failed", "RAM was changed")
    two.wait_ticks(3)
    two.check()
    t.says("status one", 0, "kept", "holdover discard one")
    t.says("run one", 1, "its state waits")

    # And to everything in it.
    t.host.holdover("stop --force two", 60)
    t.keeps("another boot without it", t.host.other_kernel(("256M$1G",)), "DONE vms=0")
    ram.write(REGION, bytes(range(256)) * ((END - REGION) // 256))
    t.keeps("and back", t.host.reset(), "DONE vms=0")
    t.says("status", 0)
    t.says("resume", 1)
    t.says("init", 1, "--force gives them up")
    t.says("init --force", 0)
    t.says("resume", 3, "no ticket")
    with t.step("the host runs VMs again"):
        one.run()
        one.stream.wait(rf"^TICK nonce={one.nonce:016x} n=1 ", 60, one.stream.mark() - 1)
