#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The place of the agent's first pass in an initramfs without systemd: devices are there, the
# root file system is not. dracut's init sources this file. The agent returns at once.

if [ -e /holdover.ticket ] && getargbool 1 rd.holdover; then
    /usr/lib/holdover/holdover-agent --initramfs < /dev/null || :
fi
