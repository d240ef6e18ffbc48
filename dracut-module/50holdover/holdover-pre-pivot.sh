#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The agent's place in an initramfs without systemd: the root file system and /usr are
# mounted, switch_root has not run. dracut's init sources this file. The agent has a
# deadline of its own, and whatever it returns, the boot goes on.

if getargbool 1 rd.holdover; then
    /usr/lib/holdover/holdover-agent --sysroot "${NEWROOT:-/sysroot}" < /dev/null || :
fi
