"""
PostgreSQL's archive_command: keep one WAL file in a folder, whole or not at all.

    archive_command = '"/usr/bin/python3" -I -S "/…/friren/archive_wal.py" "%p" "%f" --to "/srv/wal"'

The server runs this for every segment, as its own user and in its data directory, and tries again when it fails. So it
imports nothing but the standard library (and pyrage, where it encrypts), and starts in a hundredth of a second.

    <system identifier>/<first 16 digits>/<name>-<of its content>-<of the file>.gz[.age]

The two are the first 16 bytes of SHA-256: a file proves itself by its name, and the same segment told twice is known by
its content although it is encrypted anew. `gunzip -c` reads it without Friren.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Final

__all__ = [
    "KEPT",
    "RefusedError",
    "digest",
    "folder_of",
    "keep",
    "segment_number",
    "segment_problem",
    "segment_timeline",
]

KEPT: Final = re.compile(
    r"(?P<name>[0-9A-F]{24}(\.[0-9A-F]{8}\.backup|\.partial)?|[0-9A-F]{8}\.history)"
    r"-(?P<content>[0-9a-f]{32})-(?P<file>[0-9a-f]{32})\.gz(?P<age>\.age)?"
)
_NAME: Final = re.compile(r"[0-9A-F]{24}(\.[0-9A-F]{8}\.backup|\.partial)?|[0-9A-F]{8}\.history")
_SEGMENT: Final = re.compile(r"[0-9A-F]{24}(\.partial)?")
# XLogLongPageHeaderData: magic, flags, timeline, address of the page, rest of a record, system identifier, sizes of a
# segment and of a page. It has been the same since PostgreSQL 9.3.
_HEADER: Final = struct.Struct("=HHIQI4xQII")
_LOG_BYTES: Final = 1 << 32
# gzip's first level: nearly all that can be won of a segment is the zeros behind an early end.
_LEVEL: Final = 1
_GZIP: Final = 31
_PRIVATE_FILE: Final = 0o600
_PRIVATE_DIRECTORY: Final = 0o700


class RefusedError(Exception):
    """A file is not what its name says, or other content is kept under its name. Nothing was changed."""


def digest(content: bytes) -> str:
    """Return the first 16 bytes of SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()[:32]


def segment_number(name: str, segment_bytes: int) -> int:
    """Return which segment of all WAL (whatever its timeline) a name like 000000010000000000000003 stands for."""
    return int(name[8:16], 16) * (_LOG_BYTES // segment_bytes) + int(name[16:24], 16)


def folder_of(name: str) -> str:
    """Return the folder below that of the system identifier in which a file is kept; "" for histories."""
    return "" if name.endswith(".history") else name[:16]


def segment_problem(name: str, content: bytes, system: int) -> str:
    """Return what keeps `content` from being the segment `name` of a cluster, in words; "" when it is that."""
    if len(content) < _HEADER.size:
        return "is shorter than the header of a segment"
    _magic, _flags, timeline, address, _rest, found, segment_bytes, _page = _HEADER.unpack_from(content)
    if found != system:
        return f"is of another cluster: its system identifier is {found}, not {system}"
    if len(content) != segment_bytes:
        return f"has {len(content)} bytes, not {segment_bytes}"
    if address != segment_number(name, segment_bytes) * segment_bytes:
        return f"is another segment: it begins at {address >> 32:X}/{address & 0xFFFFFFFF:X}"
    # The first segment of a timeline begins as a copy of the older one's.
    if timeline > int(name[:8], 16):
        return f"is of timeline {timeline}, not {int(name[:8], 16)}"
    return ""


def segment_timeline(content: bytes) -> int:
    """Return the timeline that the header of a segment tells: of the first one after a fork, that before it."""
    return int(_HEADER.unpack_from(content)[2])


def keep(path: Path, name: str, *, to: Path, system: int, keys: tuple[str, ...] = ()) -> Path:
    """
    Keep a file of pg_wal, unless it is kept already; when this returns, it and its name are on the disk.

    Args:
        path: the file.
        name: what PostgreSQL calls it.
        to: the folder of all WAL.
        system: the cluster's system identifier.
        keys: age public keys to encrypt it for.

    Raises:
        RefusedError: it is not what its name says, or other content is kept under that name.
        OSError: the disk refuses.
    """
    if not _NAME.fullmatch(name):
        raise RefusedError(f"{name} is not the name of a WAL file")
    content = path.read_bytes()
    if _SEGMENT.fullmatch(name) and (problem := segment_problem(name, content, system)):
        raise RefusedError(f"{path} {problem}")
    folder = to / str(system) / folder_of(name)
    _make(folder)
    found = digest(content)
    damaged = []
    for other in folder.iterdir():
        match = KEPT.fullmatch(other.name)
        if match is None or match["name"] != name:
            continue
        if match["content"] != found:
            raise RefusedError(f"{other} is kept already, with other content than {path}")
        if digest(other.read_bytes()) == match["file"]:
            return other
        damaged.append(other)
    made = _write(folder, name, content, found, keys)
    for other in damaged:
        if other != made:
            other.unlink()
    return made


def _write(folder: Path, name: str, content: bytes, found: str, keys: tuple[str, ...]) -> Path:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    packed = packer.compress(content) + packer.flush()
    if keys:
        import pyrage

        packed = pyrage.encrypt(packed, [pyrage.x25519.Recipient.from_str(key) for key in keys])
    target = folder / f"{name}-{found}-{digest(packed)}.gz{'.age' if keys else ''}"
    draft = folder / f".{name}.draft"
    # PostgreSQL archives one file at a time: what is there under this name was left by a process that was killed.
    draft.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(draft, flags, _PRIVATE_FILE), "wb") as file:
        file.write(packed)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    _sync(folder)
    return target


def _make(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
        _sync(one.parent)


def _sync(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows does so by itself
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def main() -> int:
    """Keep the file that PostgreSQL names. 0: it is kept. 1: it is not, and PostgreSQL tries again."""
    parser = argparse.ArgumentParser(description="archive_command of PostgreSQL")
    parser.add_argument("path", type=Path, help="%%p")
    parser.add_argument("name", help="%%f")
    parser.add_argument("--to", type=Path, required=True, help="the folder of all WAL")
    parser.add_argument("--key", action="append", default=[], help="an age public key to encrypt for")
    parser.add_argument("--library", help="the folder that has pyrage, for --key")
    options = parser.parse_args()
    if options.library:
        sys.path.append(options.library)
    try:
        # PostgreSQL runs its commands in the data directory.
        system = int.from_bytes(Path("global/pg_control").read_bytes()[:8], sys.byteorder)
        keep(options.path, options.name, to=options.to, system=system, keys=tuple(options.key))
    except (OSError, RefusedError, ImportError) as exc:
        sys.stderr.write(f"friren: {options.name} is not archived: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
