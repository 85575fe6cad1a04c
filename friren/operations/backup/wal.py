"""The WAL that one cluster has archived: what there is, whether it is whole, and what can go."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyrage
from pyrage import x25519

from friren.archive_wal import KEPT, digest, segment_number, segment_problem
from friren.errors import BackupError
from friren.operations.backup.positions import Leg, segment_name

__all__ = ["Archive", "Kept", "is_segment", "way"]

_SEGMENT: Final = re.compile(r"[0-9A-F]{24}")
_HISTORY: Final = re.compile(r"([0-9A-F]{8})\.history")
_GZIP: Final = 31


@dataclass(frozen=True, slots=True)
class Kept:
    """
    One file of an archive.

    Attributes:
        name: what PostgreSQL calls it.
        content, file: the first 16 bytes of SHA-256 of what is in it, and of the file.
    """

    path: Path
    name: str
    content: str
    file: str
    encrypted: bool


def is_segment(name: str) -> bool:
    """Return whether this is the name of a whole segment."""
    return _SEGMENT.fullmatch(name) is not None


class Archive:
    """The archived WAL of one cluster, known by its system identifier."""

    def __init__(self, directory: Path, system_identifier: str) -> None:
        self.folder = directory / system_identifier
        self.system_identifier = int(system_identifier)

    def kept(self) -> dict[str, Kept]:
        """
        Return the files by their names.

        Raises:
            BackupError: the folder cannot be read, a file in it is none of ours, or there are two of one name.
        """
        found: dict[str, Kept] = {}
        for path in self._files():
            match = KEPT.fullmatch(path.name)
            if match is None:
                raise BackupError(f"{path} is no archived WAL: its name proves nothing")
            if match["name"] in found:
                raise BackupError(f"{path} and {found[match['name']].path} are of one name and differ: remove one")
            found[match["name"]] = Kept(path, match["name"], match["content"], match["file"], bool(match["age"]))
        return found

    def histories(self, kept: dict[str, Kept], identities: Callable[[], Sequence[x25519.Identity]]) -> dict[int, bytes]:
        """Return the histories of timelines. Raises BackupError: one is damaged."""
        found = {}
        for name, one in kept.items():
            if match := _HISTORY.fullmatch(name):
                found[int(match[1], 16)] = self.read(one, identities)
        return found

    def read(self, one: Kept, identities: Callable[[], Sequence[x25519.Identity]]) -> bytes:
        """
        Return what is in a file, proven by its name and, of a segment, by its own header.

        Args:
            identities: gives the private keys, when one is needed.

        Raises:
            BackupError: it is damaged, cut off, swapped, or of another cluster; the message names it.
            ConfigurationError: no key file is named, or it has no key.
        """
        try:
            stored = one.path.read_bytes()
        except OSError as exc:
            raise BackupError(f"{one.path} cannot be read: {exc.strerror}") from exc
        if digest(stored) != one.file:
            raise BackupError(f"{one.path} is damaged: its content is not that which its name tells")
        try:
            packed = pyrage.decrypt(stored, list(identities())) if one.encrypted else stored
            content = zlib.decompress(packed, _GZIP)
        except (pyrage.DecryptError, OSError) as exc:
            raise BackupError(f"{one.path} cannot be decrypted: {exc}") from exc
        except zlib.error as exc:
            raise BackupError(f"{one.path} cannot be unpacked: {exc}") from exc
        if digest(content) != one.content:
            raise BackupError(f"{one.path} is damaged: its content is not that which its name tells")
        if is_segment(one.name) and (problem := segment_problem(one.name, content, self.system_identifier)):
            raise BackupError(f"{one.path} {problem}")
        return content

    def prune(self, *, before: int, segment_bytes: int) -> int:
        """
        Remove the segments (of every timeline) before one, oldest first, and return how many bytes they had.

        Histories stay: they are small, and later timelines are explained by them.
        """
        freed = 0
        for name, one in sorted(self.kept().items(), key=lambda item: item[0][8:24]):
            if not _HISTORY.fullmatch(name) and segment_number(name, segment_bytes) < before:
                freed += one.path.stat().st_size
                one.path.unlink()
        for folder in self.folder.iterdir() if self.folder.is_dir() else []:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return freed

    def _files(self) -> Iterator[Path]:
        try:
            for child in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
                # Drafts are of a segment that is just being archived, or of a process that was killed at it.
                yield from (
                    path
                    for path in (sorted(child.iterdir()) if child.is_dir() else [child])
                    if not path.name.startswith(".")
                )
        except OSError as exc:
            raise BackupError(f"{exc.filename}: {exc.strerror}") from exc


def way(legs: Sequence[Leg], *, start: int, segment_bytes: int) -> Iterator[str]:
    """Return the names of the segments from an address on, without an end, along the timelines."""
    number = start // segment_bytes
    while True:
        # As recovery looks for it: of the newest timeline that had begun by then.
        timeline = max(leg.timeline for leg in legs if leg.begins // segment_bytes <= number)
        yield segment_name(timeline, number, segment_bytes)
        number += 1
