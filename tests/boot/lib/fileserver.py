# SPDX-License-Identifier: GPL-2.0-only
"""A file server that dies: host/nfs.c, and the kernel's NFS client with pages that wait for it."""
MOUNT = "/mnt/dead"
OPTIONS = "addr=127.0.0.1,vers=3,nolock,proto=tcp,mountproto=tcp,port=2999,mountport=2999,hard"


def serve(t):
    """Starts and mounts it."""
    run = t.machine.run
    run("modprobe nfsv3 && /usr/lib/holdover-test/nfs 2999")
    run(f"mkdir -p {MOUNT} && mount -i -t nfs 127.0.0.1:/ {MOUNT} -o {OPTIONS}", 60)
    run(f"head -c 64K /dev/zero >{MOUNT}/file && sync", 60)


def die(t):
    """Stops it with pages unwritten, in the page cache of a client that never gives up."""
    # Whoever closes the file waits for its pages.
    t.machine.control.start(f"exec 3<>{MOUNT}/file; kill -STOP $(pgrep -x nfs); head -c 1M /dev/zero >&3", 300)
    t.machine.run("until grep -q '^Writeback: *[1-9][0-9][0-9]' /proc/meminfo; do sleep 0.1; done", 30)
