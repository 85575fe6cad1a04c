"""Backups of a whole server → one data directory, each file proven on the way."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pyrage import x25519

from friren.embedded.binaries import Binaries
from friren.errors import BackupError
from friren.operations.backup.chains import Link
from friren.operations.backup.encryption import decrypt
from friren.operations.backup.programs import bare_environment, last_words, runs
from friren.operations.backup.proving import PG_MANIFEST, check_files
from friren.persistence.journal.files import FILES

__all__ = ["unpack_chain"]

_PRIVATE: Final = 0o700
# Refuses what would land outside of the folder, in every Python that knows it.
_FILTER: Final[dict[str, Any]] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}


def unpack_chain(
    chain: Sequence[Link], data: Path, *, programs: Binaries, identities: Callable[[], Sequence[x25519.Identity]]
) -> None:
    """
    Unpack a chain into a new data directory, from which PostgreSQL can recover.

    Args:
        chain: whose files were proven by their checksums, the base first.
        data: does not exist; its parent has room for twice what the chain unpacks to.

    Raises:
        BackupError: a file cannot be decrypted or unpacked, or is not what the server handed out.
        ConfigurationError: no key file is named, or it has no key.
    """
    folders = []
    for number, link in enumerate(chain):
        folder = data if len(chain) == 1 else data.with_name(f"link-{number}")
        _unpack(link, folder, identities)
        _verify(programs, folder, link.path)
        folders.append(folder)
    if len(chain) > 1:
        command = [programs.program("pg_combinebackup"), "--no-sync", "--manifest-checksums=SHA256"]
        _run([*command, f"--output={data}", *map(str, folders)], f"{chain[-1].manifest.id} cannot be put together")
        _verify(programs, data, chain[-1].path)
        for folder in folders:
            shutil.rmtree(folder)
    data.chmod(_PRIVATE)
    # It says which files there were when the backup was made; from here on they change.
    (data / PG_MANIFEST).unlink()


def _unpack(link: Link, folder: Path, identities: Callable[[], Sequence[x25519.Identity]]) -> None:
    source, opened = link.path, folder.with_name(f"{folder.name}.tar.gz")
    try:
        if link.manifest.recipients:
            with source.open("rb") as file, opened.open("wb") as plain:
                decrypt(file, plain, identities())
            source = opened
        folder.mkdir(mode=_PRIVATE)
        with tarfile.open(source, "r:gz") as archive:
            archive.extractall(folder, **_FILTER)  # noqa: S202 - proven by its checksum
        told = hashlib.sha256((folder / PG_MANIFEST).read_bytes()).hexdigest()
        system = int.from_bytes((folder / "global" / "pg_control").read_bytes()[:8], sys.byteorder)
    except (tarfile.TarError, zlib.error, EOFError, FileNotFoundError) as exc:
        raise BackupError(f"{link.path} cannot be unpacked: {exc}") from exc
    finally:
        FILES.unlink(opened)
    if told != link.manifest.beside.get(PG_MANIFEST):
        raise BackupError(f"{link.path} has another {PG_MANIFEST} than the one beside it")
    if str(system) != link.physical.system_identifier:
        raise BackupError(
            f"{link.path} is of another cluster: its system identifier is {system}, "
            f"not {link.physical.system_identifier}"
        )


def _verify(programs: Binaries, folder: Path, what: Path) -> None:
    """Let PostgreSQL's own program judge, where there is one that runs: that of the embedded one does not."""
    trouble = f"{what} is not what the server handed out"
    if runs(program := Path(programs.program("pg_verifybackup"))):
        _run([str(program), "--quiet", str(folder)], trouble)
        return
    try:
        check_files(folder)
    except BackupError as exc:
        raise BackupError(f"{trouble}: {exc}") from exc


def _run(command: Sequence[str], trouble: str) -> None:
    with tempfile.TemporaryFile() as complaints:
        done = subprocess.run(  # noqa: S603 - a program of PostgreSQL, no shell
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=complaints, check=False,
            env=bare_environment(),
        )  # fmt: skip
        if done.returncode:
            raise BackupError(f"{trouble}: {last_words(complaints)}")
