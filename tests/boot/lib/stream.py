# SPDX-License-Identifier: GPL-2.0-only
"""Line streams out of the outer machine, each line with the outer clock's arrival time."""
import re
import socket
import threading
import time


class Timeout(Exception):
    """An awaited event did not come before its deadline."""


class Stream:
    """Collects the lines of one chardev socket and writes them to a log file.

    Other threads wait for lines with wait(); a Stream never loses a line, so a waiter
    says from which line number on it wants to look.
    """

    def __init__(self, name, path, log, on_line=None, past=None):
        self.name = name
        self.log_path = log
        self._start = time.monotonic()
        # (seconds of time.monotonic(), text). What a template's machine said counts as said before the start.
        self.lines = [(self._start + at, text) for at, text in past["lines"]] if past else []
        self.rest = bytes.fromhex(past["rest"]) if past else b""      # a line that has not ended yet
        self.closed = False
        self.changed = threading.Condition()
        self.on_line = on_line
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)
        self._log = open(log, "a", encoding="utf-8", errors="replace")
        self._thread = threading.Thread(target=self._pump, name=f"stream {name}", daemon=True)
        self._thread.start()

    def send(self, data):
        self.sock.sendall(data)

    def _pump(self):
        while True:
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            now = time.monotonic()
            if not data:
                break
            *whole, self.rest = (self.rest + data).split(b"\n")
            for raw in whole:
                self._take(now, raw.decode("utf-8", "replace").rstrip("\r"))
        with self.changed:
            self.closed = True
            self._log.flush()
            self.changed.notify_all()

    def _take(self, now, text):
        with self.changed:
            self.lines.append((now, text))
            self._log.write(f"{now - self._start:10.3f} {text}\n")
            self._log.flush()
            self.changed.notify_all()
        if self.on_line:
            self.on_line(now, text)

    def mark(self):
        """The number of the next line: what wait(since=...) takes."""
        with self.changed:
            return len(self.lines)

    def wait(self, pattern, timeout, since=0):
        """Waits for a line that matches; returns (index, arrival time, match)."""
        regex = re.compile(pattern)
        deadline = time.monotonic() + timeout
        at = since
        with self.changed:
            while True:
                while at < len(self.lines):
                    found = regex.search(self.lines[at][1])
                    if found:
                        return at, self.lines[at][0], found
                    at += 1
                left = deadline - time.monotonic()
                if self.closed or left <= 0:
                    why = "ended" if self.closed else f"said nothing like it within {timeout:.0f} s"
                    raise Timeout(f"waited for {pattern!r} on {self.name}: it {why}; log: {self.log_path}")
                self.changed.wait(left)

    def matching(self, pattern, since=0):
        """All (arrival time, match) so far."""
        regex = re.compile(pattern)
        with self.changed:
            lines = self.lines[since:]
        return [(t, m) for t, m in ((t, regex.search(s)) for t, s in lines) if m]

    def close(self):
        # The machine has ended: what it said last is still in the socket, before its end.
        self._thread.join(5)
        if self._thread.is_alive():
            self.sock.shutdown(socket.SHUT_RDWR)
            self._thread.join(5)
        self.sock.close()
        self._log.close()
