# SPDX-License-Identifier: GPL-2.0-only
"""A QMP client for the outer QEMU: one socket, one command at a time."""
import json
import socket
import time


class QmpError(Exception):
    """QEMU answered a command with an error."""


class Qmp:
    def __init__(self, path, timeout=20):
        deadline = time.monotonic() + timeout
        while True:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self.sock.connect(path)
                break
            except OSError:
                self.sock.close()
                if time.monotonic() > deadline:
                    raise QmpError(f"nobody listens on {path}") from None
                time.sleep(0.02)
        self.sock.settimeout(timeout)
        self.file = self.sock.makefile("r", encoding="utf-8")
        self.events = []
        self._read()
        self.command("qmp_capabilities")

    def _read(self):
        line = self.file.readline()
        if not line:
            raise QmpError("QEMU closed its monitor")
        return json.loads(line)

    def command(self, name, **arguments):
        request = {"execute": name}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = self._read()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def hmp(self, line):
        return self.command("human-monitor-command", command_line=line)

    def close(self):
        self.file.close()
        self.sock.close()
