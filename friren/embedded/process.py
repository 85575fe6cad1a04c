"""The server's process: launched on its own, recognised by its data directory, never by its number alone."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from friren.embedded.binaries import Binaries, run
from friren.embedded.location import Identity, Location
from friren.errors import ConfigurationError

__all__ = ["Postmaster", "clear_stale", "find", "is_alive", "launch"]

_PID_FILE: Final = "postmaster.pid"
# Windows' own numbers.
_QUERY_LIMITED_INFORMATION: Final = 0x1000
_ACCESS_DENIED: Final = 5
_STILL_ACTIVE: Final = 259
# Starts what follows $1 in the background, its words in $1, and tells its number. All are arguments: nothing is quoted.
_LAUNCHER: Final = 'log="$1"; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server's first process, and whether it takes connections yet."""

    pid: int
    ready: bool


def find(data: Path) -> Postmaster | None:
    """
    Return the server process of a data directory, or None.

    Raises:
        ConfigurationError: the directory belongs to another user.
    """
    try:
        lines = (data / _PID_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise ConfigurationError(
            f"the embedded database in {data.parent} belongs to another user: "
            "work as that user, or set FRIREN_HOME to a folder of your own"
        ) from None
    # A crash on a full disk leaves an empty or torn file.
    if not lines or not lines[0].strip().isdecimal() or not _serves(int(lines[0]), data):
        return None
    return Postmaster(int(lines[0]), ready=len(lines) > 7 and lines[7].strip() == "ready")


def is_alive(pid: int) -> bool:
    """Return whether a process of this number runs. A zombie does not: where nobody collects orphans, it stays."""
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    try:
        return sys.platform != "linux" or _state_of(pid) != "Z"
    except OSError:
        return False


def _state_of(pid: int) -> str:
    """Return the letter of a process's state (Linux only). After its name, which may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]


def _is_alive_on_windows(pid: int) -> bool:
    """Ask without a signal: 0 is Ctrl-C there."""
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]  # on Windows
    handle = kernel.OpenProcess(_QUERY_LIMITED_INFORMATION, False, pid)
    if not handle:
        return bool(kernel.GetLastError() == _ACCESS_DENIED)  # another user's
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == _STILL_ACTIVE


def _serves(pid: int, data: Path) -> bool:
    """Return whether `pid` is a server of `data`: after a restart of a container another process has the number."""
    if sys.platform != "linux":
        return is_alive(pid)
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except FileNotFoundError:  # gone, or a zombie: it has no directory any more
        return False
    except PermissionError:
        return True


def clear_stale(data: Path) -> None:
    """
    Remove a pid file whose process is no server any more; PostgreSQL itself trusts a reused number.

    Only while no child of a killed server works on: PostgreSQL then tells by this file that it has to wait.
    """
    if find(data) is None and not _children(data):
        with contextlib.suppress(FileNotFoundError):
            (data / _PID_FILE).unlink()


def launch(
    binaries: Binaries, location: Location, identity: Identity | None, *, overrides: Mapping[str, str] | None = None
) -> int:
    """
    Start the server in a session of its own, so that it outlives us, and return its process id.

    Args:
        overrides: settings that go before those of its files.
    """
    options = [word for name, value in (overrides or {}).items() for word in ("-c", f"{name}={value}")]
    if sys.platform == "win32":
        return _launch_windows(binaries, location, options)
    command = ["/bin/sh", "-c", _LAUNCHER, "friren", str(location.log), binaries.program("postgres")]
    done = run([*command, "-D", str(location.data), *options], identity=identity, new_session=True)
    if not done.stdout.strip().isdecimal():
        raise ConfigurationError(f"the embedded database did not start: {' '.join(done.stderr.split())}")
    return int(done.stdout)


def _launch_windows(binaries: Binaries, location: Location, options: Sequence[str]) -> int:
    # pg_ctl drops administrator rights, which the server refuses to have.
    command = [binaries.program("pg_ctl"), "start", "-w", "-D", str(location.data), "-l", str(location.log)]
    command += ["-o", subprocess.list2cmdline(options)] if options else []
    subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603 - no shell
    postmaster = find(location.data)
    if postmaster is None:
        raise ConfigurationError(f"the embedded database did not start: see {location.log}")
    return postmaster.pid


def _children(data: Path) -> bool:
    """Return whether any process works in the data directory (Linux only; elsewhere PostgreSQL judges alone)."""
    if sys.platform != "linux":
        return True
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").samefile(data):
                return True
        except OSError:
            continue
    return False
