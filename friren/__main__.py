"""The command line: `manage.py`, `friren` and `python -m friren` are the same."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> None:
    """Run a management command; an error that is expected is one plain line and exit code 1."""
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - settings are chosen first
    from django.db.utils import OperationalError  # noqa: PLC0415

    from friren.errors import FrirenError  # noqa: PLC0415

    arguments = list(sys.argv if argv is None else argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "friren.settings")
    try:
        execute_from_command_line(arguments)
    except (FrirenError, OperationalError) as exc:
        if "--traceback" in arguments:
            raise
        sys.stderr.write(f"error: {' '.join(str(exc).split())}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
