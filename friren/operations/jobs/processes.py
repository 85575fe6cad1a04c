"""A scheduled command in a process of its own: what it takes, leaks or breaks is gone with it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import friren
from friren.errors import FrirenError
from friren.operations.connectivity import one_line
from friren.operations.jobs.settings import END_SECONDS, POLL_SECONDS

__all__ = ["Ended", "StoppedError", "execute"]

# Enough for the one line that a command says of an expected error, and for the end of a traceback.
LAST_WORDS: Final = 2000
# A group of its own: Ctrl-C in the worker's terminal is for the worker, which gives its commands time.
_FLAGS: Final[int] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # on Windows
_GROUP: Final[int | None] = None if sys.platform == "win32" else 0


class StoppedError(FrirenError):
    """A scheduled command was ended before it was done, because its worker was told to end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """
    How a command ended.

    Attributes:
        code: 0 when all is well; negative when a signal ended it.
        said: the end of what it wrote to its standard error, or of its report where it wrote nothing there.
    """

    code: int
    said: str


def execute(command: Sequence[str], *, should_stop: Callable[[], bool]) -> Ended:
    """
    Run a command of `manage.py`, and wait for its end.

    Args:
        should_stop: asked every POLL_SECONDS; once it is true the command is told to end, and killed if it does not.

    Raises:
        StoppedError: it was ended.
    """
    # Files and not pipes: nobody has to read them while it writes, and a server that it starts may keep them open.
    with tempfile.TemporaryFile() as report, tempfile.TemporaryFile() as complaints:
        arguments = [sys.executable, "-m", "friren.operations.jobs.child", *command, "--json"]
        with subprocess.Popen(  # noqa: S603 - our own command, no shell
            arguments,
            stdin=subprocess.PIPE,
            stdout=report,
            stderr=complaints,
            env=_environment(),
            creationflags=_FLAGS,
            process_group=_GROUP,
        ) as process:
            while _runs(process):
                if should_stop():
                    _end(process)
                    raise StoppedError
        return Ended(process.returncode, _last_words(complaints) or _last_words(report))


def _runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _environment() -> dict[str, str]:
    # Where Friren runs from a checkout that nobody installed, only manage.py's own folder is on the path.
    own = str(Path(friren.__file__).resolve().parent.parent)
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([own, *([path] if path else [])])}


def _last_words(file: IO[bytes]) -> str:
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - LAST_WORDS))
    lines = file.read().decode(errors="replace").splitlines()
    return one_line(RuntimeError(lines[-1])) if lines and lines[-1].strip() else ""
