#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Puts holdover-agent into an initramfs, and, for VMs with placement = initramfs, what
# 'holdover image-files' says that their QEMUs need. Otherwise nothing of this machine goes in:
# the ticket, which the stage appends to the initrd at the jump, says where the region is.
# holdover-agent(8) describes what the agent does, holdover-dracut(7) how to use this module.

# called by dracut
check() {
    require_binaries /usr/lib/holdover/holdover-agent || return 1
    # Only on request (--add holdover): most machines have nothing to resume.
    return 255
}

# called by dracut
depends() {
    # The units are ordered by targets of systemd's own, the hooks by base's points.
    return 0
}

# Lines 'file PATH' and 'module NAME'; asked for once.
holdover_needs() {
    if [ -z "${holdover_files+x}" ]; then
        holdover_files=$(holdover image-files) ||
            dwarn "holdover: some VMs are left out, they will be resumed from the root file system"
    fi
    sed -n "s/^$1 //p" <<< "$holdover_files"
}

# called by dracut
installkernel() {
    local needs
    mapfile -t needs < <(holdover_needs module)
    # hostonly='': the image may be built where no region is active and no guest runs.
    # instmods passes over what this kernel has built in or does not have at all.
    #   region and namespace: nd_e820 nd_pmem libnvdimm dax dax_pmem device_dax
    #   files as RAM:         ext4 xfs
    #   guests:               kvm kvm_intel kvm_amd vhost_net tun
    hostonly='' instmods nd_e820 nd_pmem libnvdimm dax dax_pmem device_dax ext4 xfs \
        kvm kvm_intel kvm_amd vhost_net tun "${needs[@]}"
}

# QEMU gets a tree of its own, with its libraries: the agent moves it out of the way of
# switch-root, which empties the initramfs. Not executable there, or dracut would look for
# the libraries a second time and put them beside its own.
# shellcheck disable=SC2154 # initdir and dracutbasedir are dracut's
install_qemu() {
    local files tree=$initdir/usr/lib/holdover/root
    mapfile -t files < <(holdover_needs file)
    [ ${#files[@]} -gt 0 ] || return 0
    mkdir -p "$tree"
    "${DRACUT_INSTALL:-$dracutbasedir/dracut-install}" -D "$tree" -l -a "${files[@]}" ||
        dwarn "holdover: QEMU is not complete in the image, VMs are resumed from the root file system"
    find "$tree" -type f -exec chmod a-x {} +
    dinfo "holdover: QEMU for placement = initramfs adds $(du -sk "$tree" | cut -f1) KiB, uncompressed"
}

# called by dracut
# shellcheck disable=SC2154 # moddir, initdir and systemdsystemunitdir are dracut's
install() {
    local unit units=(holdover-agent.service)
    inst_simple /usr/lib/holdover/holdover-agent
    install_qemu
    [ ! -d "$initdir/usr/lib/holdover/root" ] || units+=(holdover-agent-initramfs.service)
    if dracut_module_included "systemd"; then
        for unit in "${units[@]}"; do
            inst_simple "$moddir/$unit" "$systemdsystemunitdir/$unit"
            $SYSTEMCTL -q --root "$initdir" add-wants initrd.target "$unit"
        done
    else
        [ ${#units[@]} = 1 ] || inst_hook pre-mount 10 "$moddir/holdover-pre-mount.sh"
        # After mount-usr.sh (50), so that QEMU is there when /usr is a file system of its own.
        inst_hook pre-pivot 90 "$moddir/holdover-pre-pivot.sh"
    fi
}
