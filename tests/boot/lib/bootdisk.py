# SPDX-License-Identifier: GPL-2.0-only
"""A disk that the bare guest boots from by its firmware, so that QEMU has no image of its program (bare/sector.S)."""
import os
import struct
import subprocess

from . import paths

PROGRAM_SECTORS = 64
SECTOR_1 = 0x7e00
START = 0x100000
# What is left to the firmware's tables at the end of the RAM.
FIRMWARE = 1 << 20


def _program(elf):
    """Entry, and the content from START on, of a 64-bit ELF image with one PT_LOAD there."""
    entry, headers = struct.unpack_from("<QQ", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 54)
    for at in range(headers, headers + size * count, size):
        kind, _, offset, _, address, length = struct.unpack_from("<IIQQQQ", elf, at)
        if kind == 1 and address == START and length <= PROGRAM_SECTORS * 512:
            return entry, elf[offset:offset + length]
    raise ValueError("no program that fits at 1 MiB")


def _first(entry, command_line, memory):
    """Sector 1: the entry, then the start info of the PVH boot ABI with one piece of RAM and the command line."""
    info, ram, line = SECTOR_1 + 16, SECTOR_1 + 80, SECTOR_1 + 112
    out = struct.pack("<I12x", entry)
    out += struct.pack("<IIIIQQQQII", 0x336ec578, 1, 0, 0, 0, line, 0, ram, 1, 0).ljust(ram - info, b"\0")
    out += struct.pack("<QQII", START, memory - START - FIRMWARE, 1, 0).ljust(line - ram, b"\0")
    out += command_line.encode() + b"\0"
    if len(out) > 512:
        raise ValueError("the command line is too long")
    return out


def content(command_line, memory):
    """All of the disk; memory: bytes of RAM of the guest."""
    with open(paths.boot("bare"), "rb") as f:
        entry, program = _program(f.read())
    with open(paths.boot("bare.sector"), "rb") as f:
        sector = f.read()
    return sector + _first(entry, command_line, memory).ljust(512, b"\0") + program.ljust(PROGRAM_SECTORS * 512, b"\0")


def qcow2(where, command_line, memory):
    """The same as a qcow2 image of 64 MiB, made from files in the folder where."""
    raw, out = os.path.join(where, "boot.raw"), os.path.join(where, "boot.image")
    with open(raw, "wb") as f:
        f.write(content(command_line, memory))
        f.truncate(64 << 20)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4096", raw, out], check=True)
    os.unlink(raw)
    with open(out, "rb") as f:
        return f.read()
