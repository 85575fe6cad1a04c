"""The command line: `manage.py`, `friren` and `python -m friren` are the same."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

__all__ = ["main"]


# What a shell says of a program that Ctrl-C ended: 128 and the number of the signal.
INTERRUPTED: Final = 128 + signal.SIGINT


def main(argv: list[str] | None = None) -> None:
    """Run a management command; an error that is expected, or Ctrl-C, is one plain line, and exit code 1 or 130."""
    try:
        _run(list(sys.argv if argv is None else argv))
    except KeyboardInterrupt:
        # A second one ends the process at once; what is in the journal is safe either way.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        sys.stderr.write(f"interrupted{_left_in_the_journal()}\n")
        sys.exit(INTERRUPTED)


def _run(arguments: list[str]) -> None:
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError

    from friren.errors import FrirenError
    from friren.home import read_env_file
    from friren.logging_config import configure_logging
    from friren.operations.connectivity import explain, one_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "friren.settings")
    try:
        read_env_file()
        configure_logging(os.environ)
        execute_from_command_line(arguments)
    except (FrirenError, OperationalError) as exc:
        if "--traceback" in arguments:
            raise
        message = explain(exc) if isinstance(exc, OperationalError) else one_line(exc)
        sys.stderr.write(f"error: {message}\n")
        sys.exit(1)


def _left_in_the_journal() -> str:
    """Return how much was not stored yet, in words; "" when there is nothing."""
    engines = sys.modules.get("friren.persistence.engines")
    left = sum(engine.backlog for engine in engines.existing()) if engines is not None else 0
    return f": {left} records are in the journal, and are stored by the next process that writes" if left else ""


if __name__ == "__main__":
    main()
