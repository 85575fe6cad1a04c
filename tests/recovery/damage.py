"""Damage files, and see it found before the target is touched, with the file named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from friren.errors import BackupError
from friren.operations.backup.moments import Target
from tests.recovery.ground import World

__all__ = ["CUTS", "damage", "found_out"]

CUTS = (0, 0.5, 0.999)


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(whole)


def found_out(world: World, what: str, *names: str, target: Target | None = None) -> list[str]:
    """Try to restore; return what is wrong, when it is not refused with a line that has one of `names`."""
    from friren.operations.backup.rewinding import restore_moment

    line = ""
    with world.guarded() as touched:
        try:
            restore_moment(target or Target(), into=world.target, force=True, key_file=world.key_file)
        except BackupError as exc:
            line = str(exc)
    if not line:
        touched.append("it was not found")
    elif "\n" in line or not any(name in line for name in names):
        touched.append(f"it was told as {line}")
    return [f"{what}: {trouble}" for trouble in touched]


def damage(world: World, places: int, seed: int) -> tuple[list[str], dict[str, int]]:
    """Flip a bit at `places` random places of a file of each kind, and cut each off."""
    chance, wrong, tried = random.Random(seed), [], {}
    for kind, path in world.files().items():
        whole = path.read_bytes()
        names = (path.parent.name, path.name)
        for _ in range(places):
            place = chance.randrange(len(whole) * 8)
            damaged = bytearray(whole)
            damaged[place // 8] ^= 1 << place % 8
            with changed(path, bytes(damaged)):
                wrong += found_out(world, f"bit {place} of the {kind}", *names)
        for share in CUTS:
            with changed(path, whole[: int(len(whole) * share)]):
                wrong += found_out(world, f"a {kind} cut at {share}", *names)
        tried[kind] = places + len(CUTS)
    return wrong, tried
