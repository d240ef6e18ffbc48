# SPDX-License-Identifier: GPL-2.0-only
"""Bad input beside a running VM: one clear sentence, exit 1 or 2, no kernel loaded, and the VM runs on."""

TEMPLATE = "one"
TIMEOUT = 300

HEAD = "[vm]\nmachine = q35\nmemory = 64M\n"
CONFIGS = {
    "toolarge": "[vm]\nmachine = q35\nmemory = 8G\n",
    "noqemu": HEAD + "qemu = /nowhere/qemu\n",
    "private": HEAD + "args = -object memory-backend-ram,id=r,size=64M -numa node,memdev=r\n",
    "typo": HEAD + "memroy = 1G\n",
    "owned": HEAD + "args = -incoming defer\n",
    "badargs": HEAD + "args = -no-such-option\n",
}
# words, exit code, what the sentence must name
CASES = [
    ("run one", 1, "running already"),
    ("run no/such", 2, "no/such"),
    ("run absent", 1, "absent.conf"),
    ("run toolarge", 1, "toolarge"),
    ("run noqemu", 1, "/nowhere/qemu"),
    ("run private", 2, "share=on"),
    ("run typo", 2, "typo.conf:4"),
    ("run owned", 2, "-incoming"),
    ("run badargs", 1, "no-such-option"),
    ("frobnicate", 2, "frobnicate"),
    ("kexec --later", 2, "--later"),
    ("kexec --entry absent", 1, "boot loader entries"),
    ("kexec --now --cmdline quiet", 1, "memmap="),
    ("kexec --now --initrd /var/lib/vms/initrd", 1, "holdover-agent"),
    ("kexec --now --kernel /boot/vmlinuz-0.0", 1, "vmlinuz-0.0"),
    ("init --memmap 512M!8G", 1, "VM one is running"),
    ("init --ledger-size 3M", 2, "ledger-size"),
    ("resume", 3, "ticket"),
    ("abort", 3, "nothing"),
    ("discard absent", 1, "absent"),
    ("stop absent", 1, "absent"),
]


def run(t):
    guest, = t.host.guests
    pid = t.host.pid("one")
    for name, text in CONFIGS.items():
        t.machine.control.put(f"/etc/holdover/vms.d/{name}.conf", text)
    for words, code, text in CASES:
        answer = t.host.holdover(words, 180, ok=None)
        errors = answer.err.strip().splitlines()
        t.true(answer.code == code and errors and text in errors[-1], f"`holdover {words}` ends with {code} and names "
               f"{text}", str(answer))
    with t.step("a second holdover beside a first says whose turn it is"):
        answer = t.machine.run("flock /run/holdover/lock holdover stop one", ok=None)
        t.true(answer.code == 1 and "at work" in answer.err, "it is refused", str(answer))
    answer = t.machine.run("mv /etc/holdover/holdover.conf /etc/holdover/kept; mkdir /etc/holdover/holdover.conf; "
                           "holdover check; r=$?; rmdir /etc/holdover/holdover.conf; "
                           "mv /etc/holdover/kept /etc/holdover/holdover.conf; exit $r", ok=None)
    t.true(answer.code in (1, 2) and "holdover.conf" in answer.out + answer.err, "a configuration that cannot be read is "
           "named", str(answer))
    t.equal(t.machine.run("cat /sys/kernel/kexec_loaded").out.strip(), "0", "no kernel was left loaded")
    t.equal((t.host.state("one"), t.host.pid("one")), ("running", pid), "the same QEMU runs on")
    with t.step("the guest ticks on"):
        guest.wait_ticks(3)
    guest.check()
