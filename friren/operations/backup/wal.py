"""The WAL that one cluster has archived: what there is, whether it is whole, and what can go."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import pyrage
from pyrage import x25519

from friren.archive_wal import KEPT, digest, segment_number, segment_problem
from friren.errors import BackupError
from friren.operations.backup.positions import Leg, segment_name

__all__ = ["COPIES", "Archive", "Kept", "Source", "is_history", "is_segment", "way"]

_SEGMENT: Final = re.compile(r"[0-9A-F]{24}")
_HISTORY: Final = re.compile(r"([0-9A-F]{8})\.history")
_GZIP: Final = 31
# Below which copies lie, in a place that has backups too.
COPIES: Final = "wal"


def is_history(name: str) -> bool:
    """Return whether this is the name of the history of a timeline, as PostgreSQL or as the archive names it."""
    return _HISTORY.match(name) is not None


class Source(Protocol):
    """A place that has copies of archived WAL. Both methods raise BackupError when it refuses."""

    name: str

    def files(self, below: str) -> set[str]:
        """Return the keys of the files below a key."""

    def read_file(self, key: str) -> bytes:
        """Return what is in a file."""


@dataclass(frozen=True, slots=True)
class Kept:
    """
    One file of an archive.

    Attributes:
        path: where it lies; where it would lie, when it is copied only.
        name: what PostgreSQL calls it.
        content, file: the first 16 bytes of SHA-256 of what is in it, and of the file.
        source, key: where the copy is; None when the file is here.
    """

    path: Path
    name: str
    content: str
    file: str
    encrypted: bool
    source: Source | None = None
    key: str = ""

    def __str__(self) -> str:
        return str(self.path) if self.source is None else f"{self.source.name}/{self.key}"

    def stored(self) -> bytes:
        """
        Return the file, proven by its name.

        Raises:
            BackupError: it cannot be read, or is damaged.
        """
        try:
            found = self.path.read_bytes() if self.source is None else self.source.read_file(self.key)
        except OSError as exc:
            raise BackupError(f"{self} cannot be read: {exc.strerror}") from exc
        if digest(found) != self.file:
            raise BackupError(f"{self} is damaged: its content is not that which its name tells")
        return found


def is_segment(name: str) -> bool:
    """Return whether this is the name of a whole segment."""
    return _SEGMENT.fullmatch(name) is not None


class Archive:
    """
    The archived WAL of one cluster, known by its system identifier.

    Attributes:
        unasked: places that could not tell what they have, in words; filled by `kept`.
    """

    def __init__(self, directory: Path, system_identifier: str, sources: Sequence[Source] = ()) -> None:
        self._directory = directory
        self.folder = directory / system_identifier
        self.system_identifier = int(system_identifier)
        self._sources = sources
        self.unasked: list[str] = []

    def kept(self) -> dict[str, Kept]:
        """
        Return the files by their names; those here before copies of them elsewhere.

        Raises:
            BackupError: the folder cannot be read, a file in it is none of ours, or two of one name differ.
        """
        found: dict[str, Kept] = {}
        for path in self._files():
            one = _kept(path)
            if one.name in found:
                raise BackupError(f"{path} and {found[one.name]} are of one name and differ: remove one")
            found[one.name] = one
        self.unasked = []
        for source in self._sources:
            try:
                keys = sorted(source.files(f"{COPIES}/{self.folder.name}"))
            except BackupError as exc:
                self.unasked.append(str(exc))
                continue
            for key in keys:
                one = replace(_kept(self._directory / key.removeprefix(f"{COPIES}/")), source=source, key=key)
                # Encrypted anew it is another file of the same content.
                if found.setdefault(one.name, one).content != one.content:
                    raise BackupError(f"{one} and {found[one.name]} are of one name and differ: remove one")
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
        stored = one.stored()
        try:
            packed = pyrage.decrypt(stored, list(identities())) if one.encrypted else stored
            content = zlib.decompress(packed, _GZIP)
        except (pyrage.DecryptError, OSError) as exc:
            raise BackupError(f"{one} cannot be decrypted: {exc}") from exc
        except zlib.error as exc:
            raise BackupError(f"{one} cannot be unpacked: {exc}") from exc
        if digest(content) != one.content:
            raise BackupError(f"{one} is damaged: its content is not that which its name tells")
        if is_segment(one.name) and (problem := segment_problem(one.name, content, self.system_identifier)):
            raise BackupError(f"{one} {problem}")
        return content

    def prune(self, *, before: int, segment_bytes: int) -> int:
        """
        Remove the segments (of every timeline) before one, oldest first, and return how many bytes they had.

        Histories stay: they are small, and later timelines are explained by them.
        """
        freed = 0
        for name, one in sorted(self.kept().items(), key=lambda item: item[0][8:24]):
            if not is_history(name) and segment_number(name, segment_bytes) < before:
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


def _kept(path: Path) -> Kept:
    match = KEPT.fullmatch(path.name)
    if match is None:
        raise BackupError(f"{path} is no archived WAL: its name proves nothing")
    return Kept(path, match["name"], match["content"], match["file"], bool(match["age"]))


def way(legs: Sequence[Leg], *, start: int, segment_bytes: int) -> Iterator[str]:
    """Return the names of the segments from an address on, without an end, along the timelines."""
    number = start // segment_bytes
    while True:
        # As recovery looks for it: of the newest timeline that had begun by then.
        timeline = max(leg.timeline for leg in legs if leg.begins // segment_bytes <= number)
        yield segment_name(timeline, number, segment_bytes)
        number += 1
