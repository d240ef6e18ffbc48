#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Puts holdover-agent into an initramfs. Nothing of this machine goes in: the ticket, which
# the stage appends to the initrd at the jump, says where the region is. What the agent does
# is described in holdover-agent(8), how to use this module in holdover-dracut(7).

# called by dracut
check() {
    require_binaries /usr/lib/holdover/holdover-agent || return 1
    # Only on request (--add holdover): most machines have nothing to resume.
    return 255
}

# called by dracut
depends() {
    # The unit is ordered by targets of systemd's own, the hook by base's pre-pivot point.
    return 0
}

# called by dracut
installkernel() {
    # hostonly='': the image may be built where no region is active and no guest runs.
    # instmods passes over what this kernel has built in or does not have at all.
    #   region and namespace: nd_e820 nd_pmem libnvdimm dax dax_pmem device_dax
    #   guests:               kvm kvm_intel kvm_amd vhost_net tun
    hostonly='' instmods nd_e820 nd_pmem libnvdimm dax dax_pmem device_dax \
        kvm kvm_intel kvm_amd vhost_net tun
}

# called by dracut
# shellcheck disable=SC2154 # moddir, initdir and systemdsystemunitdir are dracut's
install() {
    inst_simple /usr/lib/holdover/holdover-agent
    if dracut_module_included "systemd"; then
        inst_simple "$moddir/holdover-agent.service" "$systemdsystemunitdir/holdover-agent.service"
        $SYSTEMCTL -q --root "$initdir" add-wants initrd.target holdover-agent.service
    else
        # After mount-usr.sh (50), so that QEMU is there when /usr is a file system of its own.
        inst_hook pre-pivot 90 "$moddir/holdover-pre-pivot.sh"
    fi
}
