# SPDX-License-Identifier: GPL-2.0-only
"""config/image-builders: each example is followed as far as that goes without its builder.

Containerfile.bootc's commands are run, with 10-holdover-generic.conf where it puts it; of install-list and mkosi.initrd.conf
every file must be there after `make install`, and every module in a kernel or built into it; osbuild.json says the same
to dracut as 10-holdover-generic.conf does."""
import configparser
import json
import os
import re
import shlex
import subprocess

from container import TOP, Failed

FOLDER = os.path.join(TOP, "config", "image-builders")


def true(holds, what):
    if not holds:
        raise Failed(what)


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as f:
        return f.read()


def assignments(text):
    """KEY=VALUE and KEY+=VALUE of a dracut.conf."""
    return {k: v.strip() for k, v in re.findall(r'^(\w+)\+?="([^"]*)"$', text, re.M)}


def install(c):
    """What `make install` installs, into the container."""
    into = c.directory + ".installed"
    subprocess.run(["make", "--no-print-directory", "-C", TOP, "install", f"DESTDIR={into}", "prefix=/usr"], check=True,
                   stdout=subprocess.DEVNULL)
    tar = subprocess.run(["tar", "-C", into, "-c", "."], check=True, stdout=subprocess.PIPE).stdout
    c.sh("tar -xf - -C / --no-same-owner", stdin=tar)
    return into


def bootc(c):
    """Containerfile.bootc: its COPY and RUN lines, without the module of ostree, which a Debian has not got."""
    steps = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", read("Containerfile.bootc"), flags=re.M)).strip().splitlines()
    true([s.split()[0] for s in steps] == ["COPY", "RUN"], f"Containerfile.bootc: {steps}")
    _, source, target = steps[0].split()
    c.put(target, read(source))
    command = steps[1].partition(" ")[2]
    true(" --add ostree " in command, "Containerfile.bootc adds ostree's module")
    c.sh("mount -t tmpfs tmp /var/tmp; " + command.replace(" --add ostree ", " "), timeout=600)
    modules = c.sh("lsinitrd -m /usr/lib/modules/*/initramfs.img").stdout.split()
    true("holdover" in modules, f"the image has the module: {modules}")
    files = c.sh("lsinitrd /usr/lib/modules/*/initramfs.img").stdout
    for name in ("usr/lib/holdover/holdover-agent", "initrd.target.wants/holdover-agent.service", "nd_e820.ko", "device_dax.ko"):
        true(name in files, f"the image has {name}")
    true(c.sh("systemctl is-enabled holdover-resume.service").stdout.strip() == "enabled", "holdover-resume.service is enabled")


def install_list(c, into):
    """install-list: what it copies is there, and what it names as modules."""
    text = read("install-list")
    pairs = [line.split() for line in text.splitlines() if line.startswith("/")]
    true(len(pairs) == 3 and all(len(p) == 2 for p in pairs), f"install-list: {pairs}")
    for source, target in pairs:
        true(os.path.exists(into + source), f"{source} is installed")
        c.sh(f"install -D {source} /tmp/tree{target}")
    c.sh("/tmp/tree/usr/lib/holdover/holdover-agent --version && systemd-analyze verify --man=no "
         "/tmp/tree/usr/lib/systemd/system/*.service")
    true("--sysroot" in text and "--initramfs" in text, "the agent's options")
    for option in ("--sysroot", "--initramfs"):
        true(option in c.sh("/tmp/tree/usr/lib/holdover/holdover-agent --help", None).stdout, f"the agent knows {option}")
    names = re.search(r"^# kernel modules.*\n#\s+(.*)$", text, re.M).group(1).split()
    for name in names:
        c.sh(f"modinfo -k $(ls /usr/lib/modules) {shlex.quote(name)}")
    return set(names)


def mkosi(into, modules):
    """mkosi.initrd.conf: what it copies is there, and its list of modules is that of install-list."""
    text = read("mkosi.initrd.conf")
    conf = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    conf.optionxform = str
    conf.read_string(text)
    true(conf["Output"]["Format"] == "cpio", "it makes an initrd")
    trees = conf["Content"]["ExtraTrees"].split()
    true(len(trees) == 2, f"mkosi.initrd.conf: {trees}")
    for source, target in (tree.split(":") for tree in trees):
        true(os.path.exists(source.replace("holdover-root", into, 1)), f"{source} is installed")
        true(target.startswith("/usr/lib/"), target)
    named = set(re.search(r"KernelModulesInitrdInclude=default (.*)", text).group(1).split())
    # kvm brings its vendors' modules with it.
    true(named == modules - {"kvm_intel", "kvm_amd"}, f"modules {sorted(named)}, in install-list {sorted(modules)}")


def osbuild():
    """osbuild.json: two stages that say what 10-holdover-generic.conf and the manual say."""
    dracut, units = json.loads(read("osbuild.json"))
    want = assignments(read("10-holdover-generic.conf"))
    config = dracut["options"]["config"]
    true((dracut["type"], units["type"]) == ("org.osbuild.dracut.conf", "org.osbuild.systemd"), "its stages")
    true(want["hostonly"] == "no" and config["hostonly"] is False, "hostonly")
    true(config["add_dracutmodules"] == want["add_dracutmodules"].split(), "add_dracutmodules")
    true(units["options"] == {"enabled_services": ["holdover-resume.service"]}, "the unit")


def check(c):
    into = install(c)
    osbuild()
    mkosi(into, install_list(c, into))
    bootc(c)
