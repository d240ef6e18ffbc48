# SPDX-License-Identifier: GPL-2.0-only
"""Runs commands inside the nested host over its control channel (host/control.c)."""
import base64
import itertools
import shlex
import threading
import time

from .stream import Stream, Timeout


class CommandFailed(Exception):
    """A command in the host ended with a code that was not expected."""


class HostGone(Exception):
    """The host went into another kernel while the command ran."""


class Result:
    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    def __str__(self):
        return f"`{self.command[:200]}` ended with {self.code}\nstdout: {self.out}\nstderr: {self.err}"


class _Job:
    def __init__(self, command, boot_id):
        self.command, self.boot_id = command, boot_id
        self.out, self.err, self.code = bytearray(), bytearray(), None
        self.on_output = None


class Control:
    def __init__(self, path, log):
        self._ids = itertools.count(1)
        self._jobs = {}
        self._state = threading.Condition()
        self.boot_id = None
        self.boots = []                    # (arrival time, boot id), one for each READY of a new boot
        self.log_path = log
        self._stream = Stream("the control channel", path, log, self._take)
        self._stream.send(b"\nHELLO\n")

    def _take(self, now, line):
        verb, _, rest = line.partition(" ")
        with self._state:
            if verb == "READY":
                if rest != self.boot_id:
                    self.boot_id = rest
                    self.boots.append((now, rest))
            elif verb in ("OUT", "ERR", "EXIT"):
                number, _, value = rest.partition(" ")
                self._take_job(verb, number, value)
            self._state.notify_all()

    def _take_job(self, verb, number, value):
        job = self._jobs.get(number)
        if job is None:
            return
        if verb == "EXIT":
            job.code = int(value)
            return
        data = base64.b64decode(value)
        (job.out if verb == "OUT" else job.err).extend(data)
        if job.on_output:
            job.on_output(verb, data)

    def wait_boot(self, timeout, not_id=None):
        """Waits until a boot other than not_id has announced itself; returns its id."""
        deadline = time.monotonic() + timeout
        with self._state:
            while self.boot_id is None or self.boot_id == not_id:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Timeout(f"the host did not announce itself within {timeout:.0f} s; log: {self.log_path}")
                self._state.wait(left)
            return self.boot_id

    def start(self, command, timeout, on_output=None):
        with self._state:
            number = str(next(self._ids))
            job = self._jobs[number] = _Job(command, self.boot_id)
            job.on_output = on_output
        text = base64.b64encode(command.encode()).decode()
        self._stream.send(f"RUN {job.boot_id} {number} {int(timeout * 1000)} {text}\n".encode())
        return number

    def code(self, number):
        """The exit code of a started command, None while it runs."""
        with self._state:
            return self._jobs[number].code

    def finish(self, number, timeout):
        """Waits for a started command; HostGone when the host rebooted under it."""
        deadline = time.monotonic() + timeout
        job = self._jobs[number]
        with self._state:
            while job.code is None:
                if self.boot_id != job.boot_id:
                    raise HostGone(f"`{job.command[:200]}`: the host is in another kernel now")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Timeout(f"`{job.command[:200]}` gave no answer within {timeout:.0f} s, so far: "
                                  f"{job.out.decode('utf-8', 'replace')}{job.err.decode('utf-8', 'replace')}"
                                  f"; log: {self.log_path}")
                self._state.wait(left)
        return Result(job.command, job.code, job.out.decode("utf-8", "replace"), job.err.decode("utf-8", "replace"))

    def run(self, command, timeout=60, ok=(0,), on_output=None):
        """Runs a shell command to its end. ok: the exit codes that are no failure, None for all."""
        # The host's own timeout comes first: it says how the command died.
        result = self.finish(self.start(command, timeout, on_output), timeout + 15)
        if ok is not None and result.code not in ok:
            raise CommandFailed(str(result))
        return result

    def put(self, path, text, mode="644"):
        data = base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()
        where = shlex.quote(path)
        self.run(f"mkdir -p $(dirname {where}) && echo {data} | base64 -d >{where} && chmod {mode} {where}")

    def close(self):
        self._stream.close()
