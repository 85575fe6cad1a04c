"""
The process of a scheduled command: `python -m friren.operations.jobs.child backup --kind daily`.

It ends when its worker does, however that ended: the worker holds the other end of its standard input. A job that
outlived its worker would run beside the one that is begun in its place.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

__all__ = ["main"]


def main() -> None:
    """Run a command of `manage.py`; told to end, it ends as after Ctrl-C and puts back what it has begun."""
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):  # a parent may have left either ignored
        signal.signal(number, signal.default_int_handler)
    from friren.__main__ import main as run

    run(["manage.py", *sys.argv[1:]])


def _end_with_the_worker() -> None:
    # Not sys.stdin: the interpreter could not close it while a thread waits for it.
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
