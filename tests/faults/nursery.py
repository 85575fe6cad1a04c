"""
The process that the laboratory's children are forked from: it is told what to do by lines of JSON.

It imports nothing of the test run's own (tests.postgres), whose environment is not that of the processes under test.
"""

from __future__ import annotations

import json
import os
import sys
import time

from tests.faults import names
from tests.faults.orders import Orders


def _serve() -> None:
    import friren

    names.obey()
    friren.setup()
    from tests.faults import child

    child.prepare()
    _say("ready")
    for line in sys.stdin:
        told = json.loads(line)
        if "start" in told:
            pid = os.fork()
            if pid == 0:
                child.run(Orders(**told["start"]))
            answer = {"pid": pid}
        else:
            answer = {"status": _wait(told["wait"], told["timeout"])}
        _say(json.dumps(answer))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _wait(pid: int, timeout: float) -> int | None:
    until = time.monotonic() + timeout
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            return None
        time.sleep(0.002)


if __name__ == "__main__":
    _serve()
