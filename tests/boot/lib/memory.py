# SPDX-License-Identifier: GPL-2.0-only
"""The outer machine's RAM as bytes under physical addresses, to be looked at and to be damaged."""
import mmap
import os


class Memory:
    """Shared with the QEMU that maps it. A q35 machine's RAM above 2 or 2.75 GiB lies from 4 GiB on."""

    def __init__(self, size):
        self.size = size
        self.low = size if size < 0xb0000000 else 0x80000000
        self.fd = os.memfd_create("holdover-machine")
        os.ftruncate(self.fd, size)
        self._map = mmap.mmap(self.fd, size)

    def arguments(self):
        return ("-m", f"{self.size >> 20}M", "-machine", "memory-backend=ram", "-object",
                f"memory-backend-file,id=ram,size={self.size},mem-path=/proc/self/fd/{self.fd},share=on")

    def _at(self, address, length):
        offset = address if address < self.low else address - (4 << 30) + self.low
        if not 0 <= offset <= self.size - length or (address < self.low < address + length):
            raise ValueError(f"{length} bytes at {address:#x} are not RAM")
        return offset

    def read(self, address, length):
        at = self._at(address, length)
        return self._map[at:at + length]

    def write(self, address, data):
        at = self._at(address, len(data))
        self._map[at:at + len(data)] = data

    def flip(self, address, bits=1):
        """Flips bits of one byte."""
        self.write(address, bytes([self.read(address, 1)[0] ^ bits]))

    def close(self):
        if self.fd >= 0:
            self._map.close()
            os.close(self.fd)
            self.fd = -1
