"""disk → decryption → pg_restore or psql: all of a dump in one transaction, or nothing of it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from pyrage import x25519

from friren.embedded.binaries import Binaries
from friren.errors import BackupError
from friren.operations.backup.dumping import CUSTOM
from friren.operations.backup.encryption import decrypt
from friren.operations.backup.manifest import Manifest
from friren.operations.backup.programs import Server, environment, last_words
from friren.operations.backup.settings import CHUNK_BYTES

__all__ = ["Nowhere", "fill"]


class Nowhere:
    """Takes everything and keeps nothing: what is decrypted into it was whole, and for this key."""

    def write(self, data: bytes, /) -> int:
        """Take all of `data`."""
        return len(data)

    def flush(self) -> None:
        """Hold nothing back."""


def fill(
    path: Path,
    manifest: Manifest,
    *,
    server: Server,
    programs: Binaries,
    identities: Sequence[x25519.Identity],
    grants: bool,
) -> None:
    """
    Restore a dump into an empty database of the same major version or a newer one.

    Args:
        programs: of the major version of `server`.
        identities: private keys, for one that is encrypted.
        grants: whether owners and privileges are restored; their roles must exist.

    Raises:
        BackupError: it could not be restored; the database is as empty as it was.
    """
    if manifest.format == CUSTOM:
        command = [programs.program("pg_restore"), "--exit-on-error", "--single-transaction"]
        command += [] if grants else ["--no-owner", "--no-privileges"]
    else:
        command = [programs.program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    command += ["--no-password", f"--dbname={server.conninfo}"]
    # For psql the end of its input is the end of a script, even where we were killed: it commits when it is told to.
    around = (b"", b"") if manifest.format == CUSTOM else (b"BEGIN;\n", b"\nCOMMIT;\n")
    with path.open("rb") as file, tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(  # noqa: S603 - a program of PostgreSQL, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=environment(server),
        ) as program:
            assert program.stdin is not None
            broken = _feed(file, program, identities, around)
        if program.returncode > 0 or (program.returncode and broken is None):
            raise BackupError(f"the dump cannot be restored: {last_words(complaints)}") from broken
    if broken is not None:
        raise BackupError(f"the dump cannot be restored: {broken}") from broken


def _feed(
    file: IO[bytes],
    program: subprocess.Popen[bytes],
    identities: Sequence[x25519.Identity],
    around: tuple[bytes, bytes],
) -> Exception | None:
    """Write the dump to the program, and return what kept it from getting all of it."""
    assert program.stdin is not None
    try:
        program.stdin.write(around[0])
        if identities:
            decrypt(file, program.stdin, identities)
        else:
            shutil.copyfileobj(file, program.stdin, CHUNK_BYTES)
        program.stdin.write(around[1])
        program.stdin.close()
    except BrokenPipeError as exc:
        return exc  # it gave up, and says why
    except (OSError, BackupError) as exc:
        # Not by the end of its input: it would take what it has for all there is, and commit.
        program.kill()
        return exc
    finally:
        with suppress(BrokenPipeError):
            program.stdin.close()
    return None
