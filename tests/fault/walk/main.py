# SPDX-License-Identifier: GPL-2.0-only
"""main.py PROGRAMS ROOT OUT WORKER WORKERS fast|all [CASE...] - one worker of tests/fault/walk/run."""

import os
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench  # noqa: E402
import scenarios  # noqa: E402
import walk  # noqa: E402


class Report:
    def __init__(self, path):
        self.out = open(path, "w")

    def passed(self, point):
        print("passed " + point, file=self.out)

    def case(self, b, name, f):
        start = time.monotonic()
        b.log = []
        try:
            found = f()
        except Exception as e:
            print("not ok - walk: " + name, file=self.out)
            why = str(e) if isinstance(e, bench.Wrong) else traceback.format_exc()
            for line in (why + "\n" + "\n".join(b.log)).splitlines():
                print("    " + line, file=self.out)
        else:
            if found is not walk.NOT_APPLICABLE:
                print("ok - walk: " + name, file=self.out)
                print("    %.3f %s" % (time.monotonic() - start, found or ""), file=self.out)
        self.out.flush()


def main():
    programs, root, out, worker, workers, which = sys.argv[1:7]
    only = sys.argv[7:]
    worker, workers = int(worker), int(workers)
    report = Report(out)
    b = bench.Bench(programs, root)
    i = 0

    def mine(name):
        nonlocal i
        if only and not any(o in name for o in only):
            return False
        i += 1
        return i % workers == worker

    for w in walk.WALKS:
        if only and not any(w.name in o or o in w.name for o in only):
            continue
        for point, n in walk.passages(b, w):
            report.passed(point)
            for k, then in enumerate(w.then):
                name = "%s killed at %s@%d, %s" % (w.name, point, n, then.__name__.replace("_", " "))
                if mine(name) and (which == "all" or walk.in_fast(w, point, n, k)):
                    report.case(b, name, lambda: walk.case(b, w, point, n, then))
    for name, f in scenarios.SCENARIOS:
        if mine(name) and (which == "all" or not getattr(f, "slow", False)):
            report.case(b, name, lambda: f(b))
    b.kill_all()
    print("done", file=report.out)


main()
