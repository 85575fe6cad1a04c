"""Restore to random moments, and compare with what the writer says it had stored by then."""

from __future__ import annotations

import random

from friren.operations.backup.moments import Target
from tests.recovery.ground import World, stored

__all__ = ["restore_moments"]


def restore_moments(world: World, count: int, seed: int) -> tuple[list[str], list[float]]:
    """Restore `count` moments, by name and by time in turn; return what was wrong, and the seconds each took."""
    chance, wrong, seconds = random.Random(seed), [], []
    for number in range(count):
        moment = world.moments[number] if count == len(world.moments) else chance.choice(world.moments)
        target = Target(at=moment.at) if number % 2 else Target(name=moment.name)
        done = world.restore(target)
        seconds.append(done.seconds)
        if stored(done) != (moment.rows, moment.digest):
            wrong.append(f"{target}: {stored(done)}, not {(moment.rows, moment.digest)}")
    return wrong, seconds
