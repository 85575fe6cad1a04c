"""The command line: `manage.py`, `friren` and `python -m friren` are the same."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> None:
    """Run a management command; an error that is expected is one plain line and exit code 1."""
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError

    from friren.errors import FrirenError
    from friren.home import read_env_file
    from friren.logging_config import configure_logging
    from friren.operations.connectivity import explain, one_line

    arguments = list(sys.argv if argv is None else argv)
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


if __name__ == "__main__":
    main()
