# SPDX-License-Identifier: GPL-2.0-only
"""A command line that brings its RAM itself, written for DAX devices by hand, is taken as it is; vnc and monitor answer after the jump."""
HOST = "mini"
TEMPLATE = None
TIMEOUT = 240
# The first six lines but for sizes and the accelerator are a procedure's own words; the rest is the test guest.
CONFIG = """[vm]
timeout = 120
args = -accel tcg,thread=single,tb-size=8
	-M q35
	-m {m} -smp 1
	-hda /var/lib/vms/hda.img
	-object memory-backend-file,id=dimm0,size=16m,mem-path=/dev/dax0.0,share=on,pmem=on,align=2M
	-numa node,memdev=dimm0,cpus=0
	-monitor stdio
	-vnc :7
	-cpu qemu64 -nodefaults -vga std -bios qboot.rom
	-kernel /var/lib/vms/bare -append "nonce={nonce:016x} tick_ms=250 words=4096"
	-chardev pipe,id=console,path=/dev/virtio-ports/guest.one -serial chardev:console
	-drive file=/var/lib/vms/one.img,format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk
"""
HEAR = "/usr/lib/holdover-test/hear"


def answers(t, when):
    for address, what, say in (("tcp:5907", "RFB 003.008", ""),
                               ("unix:/run/holdover/one/monitor.sock", "VM status: running", "'info status'")):
        with t.step(f"{address} answers {when}"):
            t.machine.run(f"{HEAR} {address} '{what}' {say}", 40)


def run(t):
    with t.step("the host boots"):
        t.machine.wait_up()
    t.host.holdover("init")
    guest = t.host.guest("one")
    t.machine.run("truncate -s 8M /var/lib/vms/hda.img")
    guest.config = CONFIG.format(m="8M", nonce=guest.nonce)
    guest.define()
    t.says("run one", 2, "-m 8M is not the 16M of the backend dimm0", "write -m 16M, or size=8M")
    guest.config = CONFIG.format(m="16M", nonce=guest.nonce)
    guest.define()
    guest.run()
    guest.wait_ticks(3)
    maps = t.machine.run(f"cat /proc/{t.host.pid('one')}/maps").out
    t.true(any(" 00000000 " in line and "/dev/dax" in line for line in maps.splitlines()),
           "the guest's RAM is the start of the device", maps)
    answers(t, "before the jump")
    moment = t.jump(1)
    guest.wait_ticks(3)
    answers(t, "after it")
    t.check_evidence(moment)
    t.end()
