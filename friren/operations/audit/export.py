"""
The head of the chain, kept outside the database: what was sealed cannot be cut off or rolled back unnoticed.

Two files per database, only ever appended to. `head.jsonl` has a line per block, and one for every key that was
replaced and every restore that was accepted, all signed; `leaves.bin` the leaves of the blocks one after another.
Kept on another disk (FRIREN_AUDIT_HOME), made append-only by the system (`chattr +a`) or copied away, they hold
against whoever rules the database.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from django.conf import settings
from django.db import connections

from friren.errors import ConfigurationError, FrirenError
from friren.operations.audit.blocks import Sealed
from friren.operations.audit.keys import KeyRing
from friren.operations.audit.leaves import LEAF_BYTES
from friren.persistence.journal import Address
from friren.persistence.journal.files import FILES

__all__ = ["Acceptance", "Exported", "Note", "Rotation", "audit_folder", "export_folder"]

HEAD_FILE: Final = "head.jsonl"
LEAVES_FILE: Final = "leaves.bin"
_PURPOSE: Final = b"friren audit note 1\n"


class Rotation(msgspec.Struct, frozen=True, kw_only=True, tag="rotation", forbid_unknown_fields=True):
    """A key was replaced. `public` is the new one as PEM."""

    at: str
    key_id: str
    public: str


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, tag="restored", forbid_unknown_fields=True):
    """A database restored to block `seq` was accepted: the blocks after it are no more. `reason` says why."""

    at: str
    key_id: str
    seq: int
    reason: str


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed remark between blocks."""

    note: Rotation | Acceptance
    signature: str

    @staticmethod
    def signed_content(note: Rotation | Acceptance) -> bytes:
        """Return what is signed of a remark."""
        return _PURPOSE + msgspec.json.encode(note)


class _Line(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    sealed: Sealed | None = None
    note: Note | None = None


_lines: Final = msgspec.json.Decoder(_Line)


class Exported:
    """
    What was exported of one database.

    Attributes:
        blocks: by number, those that count: not those that an accepted restore took back.
        faults: what is wrong with the files themselves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blocks: dict[int, Sealed] = {}
        self.faults: list[str] = []
        self._leaves_at: dict[int, int] = {}
        self._rows = 0
        # Up to the last whole line.
        self._size = 0

    @classmethod
    def read(cls, folder: Path, keys: KeyRing, *, every_signature: bool = True) -> Self:
        """
        Return what the files in `folder` say; keys that a trusted one introduces are trusted from there on.

        Args:
            every_signature: check that of each block, a tenth of a millisecond; else only that of the last one, whose
                hash stands for all before it.

        Raises:
            ConfigurationError: a file is there and cannot be read.
        """
        found, number = cls(folder), 0
        for number, line in enumerate(found._whole_lines(), start=1):
            try:
                found._take(_lines.decode(line), keys, check=every_signature)
            except (msgspec.MsgspecError, ConfigurationError) as exc:
                found.faults.append(f"{folder / HEAD_FILE}, line {number}: {exc}")
        if found.last is not None and not every_signature and not _is_signed(found.last, keys):
            found.faults.append(f"{folder / HEAD_FILE}, line {number}: {_unsigned(found.last)}")
        return found

    @property
    def last(self) -> Sealed | None:
        """The newest block that counts."""
        return self.blocks[max(self.blocks)] if self.blocks else None

    def leaves_of(self, sealed: Sealed) -> bytes | None:
        """Return the leaves of a block, or None when they are not there as they were."""
        at = self._leaves_at.get(sealed.block.seq)
        if at is None:
            return None
        try:
            with (self.folder / LEAVES_FILE).open("rb") as file:
                file.seek(at)
                data = file.read(sealed.block.row_count * LEAF_BYTES)
        except OSError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sealed.block.leaves_digest else None

    def append(self, blocks: Iterable[tuple[Sealed, bytes]] = (), *, notes: Sequence[Note] = ()) -> None:
        """
        Write blocks with their leaves, and remarks after them; on the disk when this returns.

        Leaves first: a crash in between leaves some that no line knows of, and those are written over.

        Raises:
            FrirenError: the disk refuses; what is missing is written the next time.
        """
        try:
            FILES.make_directory(self.folder)
            written, lines = [], []
            for sealed, leaves in blocks:
                written.append(leaves)
                lines.append(_Line(sealed=sealed))
            _write(self.folder / LEAVES_FILE, self._rows * LEAF_BYTES, b"".join(written))
            lines += [_Line(note=note) for note in notes]
            _write(self.folder / HEAD_FILE, self._size, b"".join(map(_text_of, lines)))
            FILES.sync_directory(self.folder)
        except OSError as exc:
            raise FrirenError(f"the head of the audit cannot be written to {self.folder}: {exc.strerror}") from exc
        for line in lines:
            self._place(line)
            self._size += len(_text_of(line))

    def _whole_lines(self) -> Iterator[bytes]:
        path = self.folder / HEAD_FILE
        try:
            with path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):  # a line without an end was being written when the machine stopped
                        self._size += len(line)
                        yield line
        except FileNotFoundError:
            return
        except OSError as exc:
            raise ConfigurationError(f"{path} cannot be read: {exc.strerror}") from exc

    def _take(self, line: _Line, keys: KeyRing, *, check: bool) -> None:
        if line.note is not None:
            note, content = line.note.note, Note.signed_content(line.note.note)
            if not keys.holds(key_id=note.key_id, signature=line.note.signature, content=content):
                raise ConfigurationError("is signed by no key that is known")
            if isinstance(note, Rotation):
                keys.add(note.public)
        self._place(line)
        if line.sealed is not None and (
            line.sealed.block.hash.hex() != line.sealed.hash or (check and not _is_signed(line.sealed, keys))
        ):
            raise ConfigurationError(_unsigned(line.sealed))

    def _place(self, line: _Line) -> None:
        if line.sealed is not None:
            block = line.sealed.block
            self.blocks[block.seq] = line.sealed
            self._leaves_at[block.seq] = self._rows * LEAF_BYTES
            self._rows += block.row_count
        elif line.note is not None and isinstance(line.note.note, Acceptance):
            kept = line.note.note.seq
            self.blocks = {seq: sealed for seq, sealed in self.blocks.items() if seq <= kept}


def audit_folder() -> Path:
    """Return where keys and heads lie."""
    return Path(settings.FRIREN_AUDIT_HOME)


def export_folder(using: str) -> Path:
    """Return where the head of a database lies."""
    configured: Mapping[str, Any] = connections.settings[using]
    return audit_folder() / Address.of(configured).folder


def _is_signed(sealed: Sealed, keys: KeyRing) -> bool:
    return keys.holds(key_id=sealed.block.key_id, signature=sealed.signature, content=sealed.block.hash)


def _unsigned(sealed: Sealed) -> str:
    return f"block {sealed.block.seq} is not signed by a key that is known"


def _text_of(line: _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _write(path: Path, at: int, data: bytes) -> None:
    """Append `data` at `at`, where the file ends but for what a crash left half written."""
    if not data:
        return
    handle = FILES.open_to_append(path)
    try:
        size = os.fstat(handle).st_size
        if size < at:
            raise FrirenError(f"{path} is shorter than it was: {size} bytes, not {at}; put it back from a copy")
        if size > at:
            FILES.truncate(handle, at)
        FILES.write_all(handle, data)
        FILES.datasync(handle)
    finally:
        os.close(handle)
