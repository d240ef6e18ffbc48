# SPDX-License-Identifier: GPL-2.0-only
"""Images on a /var of its own: a file of the same name under the mount point is never opened, the VM is resumed once /var is there."""
TEMPLATE = "host"
TIMEOUT = 480
LONG = True
EXTRA = "/dev/disk/by-id/virtio-extra"
IMAGE = "/var/lib/vms/one.img"
SETUP = f"""set -e
truncate -s 64M {IMAGE}; printf decoy >{IMAGE}; truncate -s 64M {IMAGE}
mkfs.ext4 -q -L holdover-var {EXTRA}
mount {EXTRA} /mnt; cp -a /var/. /mnt/; rm /mnt/lib/vms/one.img; umount /mnt
echo "LABEL=holdover-var /var ext4 defaults 0 2" >>/etc/fstab
mount {EXTRA} /var; mount --bind / /mnt; systemctl daemon-reload; sync"""


def decoy(t):
    return t.machine.run(f"stat -c '%Y %s' /mnt{IMAGE}; sha256sum /mnt{IMAGE}").out


def run(t):
    t.machine.run(SETUP, 120)
    guest = t.host.guest("one", bare=True)
    guest.run()
    guest.wait_ticks(3)
    before = decoy(t)
    vm = t.host.vm("one")
    t.equal(vm["expected"], "late", "status foresees the placement late")
    t.true(IMAGE in vm["expected_why"], "and says which disk it is", vm["expected_why"])
    since = t.machine.serial.mark()
    moment = t.jump(0, vms=1)
    why = t.machine.serial.wait(r"holdover: vm one: left to a later placement: (.*)", 1, since)[2].group(1)
    t.true("another file system" in why, "the agent sees the file under the mount point and leaves it alone", why)
    with t.step("the guest ticks again"):
        guest.wait_ticks(3)
    t.host.wait_multi_user(since)
    vm = t.host.vm("one")
    t.equal((vm["resumed_at"], vm["state"]), ("late", "running"), "it was resumed late")
    t.true("another file system" in vm["moved_on"], "status says why", vm["moved_on"])
    fds = t.machine.run(f"ls -l /proc/{vm['pid']}/fd").out
    t.true(IMAGE in fds, "its QEMU has the image open", fds)
    t.equal(t.machine.run(f"stat -Lc %d /var; stat -Lc %d {IMAGE}").out.split()[0],
            t.machine.run(f"for f in /proc/{vm['pid']}/fd/*; do [ \"$(readlink $f)\" != {IMAGE} ] || stat -Lc %d $f; done")
            .out.split()[0], "that of /var's file system")
    t.machine.run("mount --bind / /mnt")
    t.equal(decoy(t), before, "the file under the mount point is as it was")
    t.check_evidence(moment)
    t.host.holdover("stop --timeout 120 one", 150)
