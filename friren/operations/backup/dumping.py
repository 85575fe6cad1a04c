"""pg_dump → encryption → disk, as one stream in constant memory, hashed on the way."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final

from pyrage import x25519

from friren.embedded.binaries import Binaries
from friren.errors import BackupError
from friren.operations.backup.encryption import Source, encrypt
from friren.operations.backup.programs import Server, environment, last_words
from friren.operations.backup.settings import CHUNK_BYTES, COMPRESSION_LEVEL, LOCK_WAIT
from friren.persistence.journal.files import FILES

__all__ = ["CUSTOM", "FORMATS", "PLAIN", "Written", "write_dump", "write_output"]

CUSTOM: Final = "custom"
PLAIN: Final = "plain"
# What a dump of each format is called.
FORMATS: Final = {CUSTOM: "friren.dump", PLAIN: "friren.sql"}


@dataclass(frozen=True, slots=True)
class Written:
    """A dump on disk: of which size, with which sha256."""

    bytes: int
    sha256: str


class HashingFile:
    """A file that is written once, with its size and SHA-256; what the disk refuses is kept in `error`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.size = 0
        self.error: OSError | None = None

    def write(self, data: bytes, /) -> int:
        """Write and hash all of `data`."""
        try:
            self._file.write(data)
        except OSError as exc:
            self.error = exc
            raise
        self.sha256.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Hand everything to the system."""
        self._file.flush()


def write_dump(
    path: Path, *, server: Server, programs: Binaries, snapshot: str, form: str, keys: Sequence[x25519.Recipient]
) -> Written:
    """
    Write a dump of the database, as it stands in an exported snapshot, to a new file that is synced.

    Raises:
        BackupError: pg_dump failed, or the disk refuses.
    """
    command = [
        programs.program("pg_dump"), f"--dbname={server.conninfo}", "--no-password", f"--snapshot={snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT}", f"--format={form}",
        # SQL is for people and other servers, which have other roles.
        *([f"--compress={COMPRESSION_LEVEL}"] if form == CUSTOM else ["--no-owner", "--no-privileges"]),
    ]  # fmt: skip
    return write_output(command, path, server=server, keys=keys)


def write_output(
    command: Sequence[str],
    path: Path,
    *,
    server: Server,
    keys: Sequence[x25519.Recipient],
    through: Callable[[IO[bytes]], Source] = lambda output: output,
) -> Written:
    """
    Write what a program of PostgreSQL prints to a new file that is synced.

    Args:
        through: what its output passes on the way.

    Raises:
        BackupError: the program failed, or the disk refuses.
    """
    name = Path(command[0]).name
    handle = FILES.create(path)
    with os.fdopen(handle, "wb") as file, tempfile.TemporaryFile() as complaints:
        target = HashingFile(file)
        with subprocess.Popen(  # noqa: S603 - a program of PostgreSQL, no shell
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment(server),
        ) as dump:
            assert dump.stdout is not None
            try:
                _pump(through(dump.stdout), target, keys)
            finally:
                dump.stdout.close()  # it does not wait for a reader that is gone
        if dump.returncode:
            raise BackupError(f"{name} failed with exit code {dump.returncode}: {last_words(complaints)}")
        target.flush()
        os.fsync(file.fileno())
    return Written(target.size, target.sha256.hexdigest())


def _pump(source: Source, target: HashingFile, keys: Sequence[x25519.Recipient]) -> None:
    try:
        if keys:
            encrypt(source, target, keys)
        else:
            shutil.copyfileobj(source, target, CHUNK_BYTES)
    except Exception:
        if target.error is not None:
            raise target.error from None  # age calls it another name
        raise
