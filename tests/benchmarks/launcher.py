"""Runs a command and prints, as one last line of JSON, what it used. Needs no package.

A process of its own, since a child is charged with the peak memory of the one that started it:
a benchmark with a big portal inside would be all that is measured.
"""

import json
import os
import sys
import time

if __name__ == "__main__":
    began = time.monotonic()
    child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
    _, status, used = os.wait4(child, 0)
    measured = {
        "code": os.waitstatus_to_exitcode(status),
        "wall": time.monotonic() - began,
        "cpu": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }
    print(json.dumps(measured))
