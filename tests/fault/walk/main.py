# SPDX-License-Identifier: GPL-2.0-only
"""main.py PROGRAMS ROOT OUT WORKER WORKERS SET - one worker of tests/fault/walk/run."""

import os
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import bench  # noqa: E402
import walk  # noqa: E402


def main():
    programs, root, out, worker, workers = sys.argv[1:6]
    only = sys.argv[6:]
    result = open(out, "w")
    b = bench.Bench(programs, root)
    i = 0
    for w in walk.WALKS:
        if only and not any(o in w.name for o in only):
            continue
        for point, n in walk.passages(b, w):
            print("passed " + point, file=result)
            i += 1
            if i % int(workers) != int(worker):
                continue
            for then in w.then:
                name = "%s killed at %s@%d, %s" % (w.name, point, n, then.__name__.replace("_", " "))
                start = time.monotonic()
                try:
                    found = walk.case(b, w, point, n, then)
                except Exception as e:
                    print("not ok - walk: " + name, file=result)
                    why = str(e) if isinstance(e, bench.Wrong) else traceback.format_exc()
                    for line in (why + "\n" + "\n".join(b.log)).splitlines():
                        print("    " + line, file=result)
                else:
                    if found is not None:
                        print("ok - walk: " + name, file=result)
                        print("    %.3f %s" % (time.monotonic() - start, found), file=result)
                result.flush()
    b.kill_all()
    print("done", file=result)


main()
