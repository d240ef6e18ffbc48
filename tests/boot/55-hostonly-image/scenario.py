# SPDX-License-Identifier: GPL-2.0-only
"""`dracut --hostonly`, run in the host that will jump, makes an image that resumes its VM."""
TEMPLATE = "host"
TIMEOUT = 1500
LONG = True
IMAGE = "/var/tmp/hostonly.img"


def build(t):
    """With no configuration but the command line: dracut finds out by itself what this host needs."""
    said = t.machine.run("mkdir -p /run/none; dracut --hostonly --conf /dev/null --confdir /run/none --tmpdir /run "
                         f"--add holdover --force {IMAGE} $(uname -r) 2>&1", 1200).out
    t.true("host-only mode" not in said, "it was not turned off", said[-500:])
    t.true("holdover" in t.machine.run(f"lsinitrd -m {IMAGE}", 120).out.split(), "its image has the module")
    drivers, all_drivers = (
        {line.rpartition("/")[2].partition(".ko")[0] for line in t.machine.run(f"lsinitrd {image}", 240).out.splitlines()
         if ".ko" in line} for image in (IMAGE, "/boot/initrd.img-$(uname -r)"))
    t.true({"nd_e820", "device_dax"} <= drivers, "it has the drivers of the region", str(sorted(drivers)))
    return drivers, all_drivers


def run(t):
    t.host.bare_vm("bare", disk=True)
    with t.step("dracut --hostonly in the running host"):
        drivers, all_drivers = build(t)
    t.true(drivers != all_drivers, f"{len(drivers)} drivers are in it, {len(all_drivers)} in the one that the tests have trimmed")
    since = t.machine.serial.mark()
    t.jump(1, "the jump with it", f"kexec --now --initrd {IMAGE}")
    t.host.wait_multi_user(since)
    vm = t.host.vm("bare")
    t.equal((vm["state"], vm["record"], vm["resumed_at"]), ("running", "RUNNING", "sysroot"), "the VM was resumed in the initramfs")
