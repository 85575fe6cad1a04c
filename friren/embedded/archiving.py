"""How the embedded server of this installation is started: with an archive of its WAL, where one is asked for."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from django.conf import settings

import friren.archive_wal
from friren.embedded import cluster
from friren.embedded.binaries import find_binaries
from friren.embedded.location import Identity, Location, readable_by_others, server_identity, traversable
from friren.embedded.server import START_SECONDS_MAX, Running, start
from friren.errors import ConfigurationError

__all__ = ["archive_settings", "start_own"]

_SUMMARIES_SINCE: Final = 17
# A base backup takes the WAL along that was written meanwhile: so much of it is there still.
_KEEP: Final = "256MB"
_PRIVATE: Final = 0o700


def start_own(location: Location, *, timeout: float = START_SECONDS_MAX) -> Running:
    """
    Start the server of this installation as its settings ask, unless it runs.

    Raises:
        ConfigurationError: see `friren.embedded.start`; or WAL cannot be archived.
    """
    wanted: Mapping[str, str] = {}
    if getattr(settings, "FRIREN_WAL_ARCHIVE", False):
        wanted = archive_settings(
            location,
            directory=settings.BACKUP_WAL_DIR,
            keys=settings.BACKUP_WAL_KEYS,
            seconds=settings.BACKUP_WAL_SECONDS,
        )
    return start(location, server_settings=wanted, timeout=timeout)


def archive_settings(
    location: Location, *, directory: Path, keys: Sequence[str] = (), seconds: int = 60
) -> dict[str, str]:
    """
    Return the settings of postgresql.conf by which a server keeps its WAL; the folder is made when it is missing.

    Args:
        directory: the folder of all WAL.
        keys: age public keys to encrypt it for.
        seconds: after which a segment is kept although it is not full, if anything was written to it.

    Raises:
        ConfigurationError: the server's user has no Python to run, or cannot reach the folder.
    """
    identity = server_identity(location)
    cluster.prepare_folders(location, identity)
    _prepare(directory, identity)
    words = [_python(identity), "-I", "-S", str(_reachable(Path(friren.archive_wal.__file__), location, identity))]
    options = ["--to", str(directory)]
    if keys:
        library = _reachable(_pyrage(), location, identity).parent
        options += [word for key in keys for word in ("--key", key)] + ["--library", str(library)]
    command = f'{_quoted(words)} "%p" "%f" {_quoted(options)}'
    binaries = find_binaries(location.binaries, identity=identity)
    return {
        "archive_mode": "on",
        "archive_command": command,
        "archive_timeout": str(seconds),
        "wal_keep_size": _KEEP,
        **({"summarize_wal": "on"} if binaries.major >= _SUMMARIES_SINCE else {}),
    }


def _pyrage() -> Path:
    spec = importlib.util.find_spec("pyrage")
    if spec is None or spec.origin is None:
        raise ConfigurationError("WAL is to be encrypted and pyrage is not installed: reinstall friren")
    return Path(spec.origin).parent


def _quoted(words: Sequence[str]) -> str:
    # A shell reads them, after PostgreSQL has put names in the place of %p and %f.
    line = " ".join(f'"{word}"' for word in words) if os.name == "nt" else shlex.join(words)
    return line.replace("%", "%%")


def _prepare(directory: Path, identity: Identity | None) -> None:
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    if identity is None or sys.platform == "win32":
        return
    for folder in missing[1:]:
        folder.chmod(0o755)  # whatever the umask: the server's user has to pass
    if directory.stat().st_uid == os.geteuid():
        os.chown(directory, identity.uid, identity.gid)
    if not traversable(directory):
        raise ConfigurationError(
            f"the server's own user cannot reach {directory}: name a folder that it can reach in BACKUP_WAL_DIR"
        )


def _python(identity: Identity | None) -> str:
    """Return a Python that the server's user may run; any will do, for Friren is not imported."""
    own = Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()
    if identity is None or readable_by_others(own):
        return str(own)
    for folder in ("/usr/bin", "/usr/local/bin"):
        if (found := shutil.which("python3", path=folder)) and readable_by_others(Path(found).resolve()):
            return found
    raise ConfigurationError(
        f"the server's own user cannot run {own}, and there is no other Python: install python3, "
        "or work as a normal user"
    )


def _reachable(path: Path, location: Location, identity: Identity | None) -> Path:
    """Return `path`, or a copy beside the data where the server's user cannot reach it."""
    if identity is None or readable_by_others(path):
        return path
    shelf = location.root / "archiver"
    shelf.mkdir(exist_ok=True)
    shelf.chmod(0o755)
    target, draft = shelf / path.name, shelf / f".{path.name}.{os.getpid()}"
    if path.is_dir():
        if not target.exists():
            shutil.copytree(path, draft, ignore=shutil.ignore_patterns("__pycache__"))
            for one in (draft, *draft.rglob("*")):
                one.chmod(0o755 if one.is_dir() or one.suffix == ".so" else 0o644)
            draft.rename(target)
        return target
    draft.write_bytes(path.read_bytes())
    draft.chmod(0o644)
    draft.replace(target)
    return target
