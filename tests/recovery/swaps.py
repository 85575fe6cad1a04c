"""WAL that is missing, swapped, or of another cluster or timeline; the wrong key; a time that nobody archived."""

from __future__ import annotations

import dataclasses
import datetime as dt
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyrage
from pyrage import x25519

from friren.archive_wal import KEPT, digest
from friren.operations.backup.chains import links_of
from friren.operations.backup.moments import Target
from friren.operations.backup.shelf import Shelf
from tests.recovery.damage import found_out
from tests.recovery.ground import World

__all__ = ["swaps"]


def swaps(world: World) -> list[str]:
    """Try each; return what was not found, or not named."""
    # From the newest backup on; those before it are not read.
    links = links_of(Shelf(world.archiving.backups))
    first = links[-1].physical.first_segment
    one, other = [path for path in world.archiving.segments() if path.name[:24] >= first][:2]
    wrong = []
    with gone(one):
        wrong += found_out(world, "a missing first segment", one.name[:24])
    with gone(one, other):
        wrong += found_out(world, "two missing segments", one.name[:24])
    segments = [path for path in world.archiving.segments() if path.name[:24] >= first]
    if len(segments) > 2:
        with gone(segments[1]):
            wrong += found_out(world, "a gap", segments[1].name[:24])
    with swapped(one, other):
        wrong += found_out(world, "segments with each other's content", one.name[:24])
    with renamed(one, other):
        wrong += found_out(world, "segments with each other's names", one.name[:24], other.name[:24])
    with altered(world, one, system=1):
        wrong += found_out(world, "a segment of another cluster", "another cluster")
    with altered(world, one, timeline=7):
        wrong += found_out(world, "a segment of another timeline", "timeline 7")
    with gone(links[0].folder):
        wrong += found_out(world, "a missing base", links[0].folder.name) if links[-1].physical.parent else []
    late = Target(at=world.moments[-1].at + dt.timedelta(days=1))
    wrong += found_out(world, "a time after the archive", "--to-latest", target=late)
    early = Target(at=links[0].physical.stopped_at - dt.timedelta(seconds=1))
    wrong += found_out(world, "a time before every backup", "the oldest reaches from", target=early)
    wrong += found_out(world, "a name that nobody gave", "no restore point", target=Target(name="never"))
    if world.key_file is not None:
        wrong += wrong_key(world)
    return wrong


def wrong_key(world: World) -> list[str]:
    """Another private key than that which all was encrypted for."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "other.key"
        file.write_text(f"{x25519.Identity.generate()}\n")
        return found_out(dataclasses.replace(world, key_file=file), "the wrong key", "cannot be decrypted")


@contextmanager
def gone(*paths: Path) -> Iterator[None]:
    for path in paths:
        path.rename(path.with_name(f".{path.name}"))
    try:
        yield
    finally:
        for path in paths:
            path.with_name(f".{path.name}").rename(path)


@contextmanager
def swapped(one: Path, other: Path) -> Iterator[None]:
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    try:
        yield
    finally:
        one.write_bytes(contents[0])
        other.write_bytes(contents[1])


@contextmanager
def renamed(one: Path, other: Path) -> Iterator[None]:
    """Each with the other's name, as somebody would who knows how files prove themselves."""
    first, second = (path.with_name(f"{mate.name[:24]}{path.name[24:]}") for path, mate in ((one, other), (other, one)))
    one.rename(first)
    other.rename(second)
    try:
        yield
    finally:
        first.rename(one)
        second.rename(other)


@contextmanager
def altered(world: World, path: Path, *, system: int | None = None, timeline: int | None = None) -> Iterator[None]:
    """A segment that proves itself, of another cluster or timeline."""
    stored = path.read_bytes()
    if world.key_file is not None:
        text = world.key_file.read_text().strip()
        stored = pyrage.decrypt(stored, [x25519.Identity.from_str(text)])
    content = bytearray(zlib.decompress(stored, 31))
    if system is not None:
        struct.pack_into("=Q", content, 24, system)
    if timeline is not None:
        struct.pack_into("=I", content, 4, timeline)
    packed = zlib.compress(bytes(content), 1, wbits=31)
    match = KEPT.fullmatch(path.name)
    other = path.with_name(f"{match['name']}-{digest(bytes(content))}-{digest(packed)}.gz")
    with gone(path):
        other.write_bytes(packed)
        try:
            yield
        finally:
            other.unlink()
