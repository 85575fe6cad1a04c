"""The times of service calls, of all processes of this machine: those that run and those that have ended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from friren.embedded.process import is_alive
from friren.errors import ConfigurationError
from friren.locking import exclusive
from friren.persistence.call_times import BOUNDS, CallTimes, Told, folder

__all__ = ["call_times", "figures_of"]

# What processes that have ended had counted: their own files would become many, and a count never falls.
_ENDED: Final = "ended.json"
_LOCK_SECONDS: Final = 5.0


class _Ended(msgspec.Struct):
    """The sum of processes that have ended; `names` are their files, until these are gone."""

    names: list[str] = []
    calls: list[CallTimes] = []


def call_times() -> list[CallTimes]:
    """Return how long the calls of each method took, over all processes of this machine that can be read."""
    place = folder()
    if not place.is_dir():
        return []
    with contextlib.suppress(OSError, ConfigurationError), exclusive(place / ".lock", timeout=_LOCK_SECONDS):
        return _read(place)
    return []


def figures_of(times: CallTimes) -> dict[str, Any]:
    """Return count, mean, p50 and p95 of calls in milliseconds, the last two as far as the bounds of counting tell."""
    count = sum(times.counts)
    return {
        "count": count,
        "mean_ms": round(times.seconds / count * 1000, 3) if count else None,
        "p50_ms": _quantile(times.counts, 0.50),
        "p95_ms": _quantile(times.counts, 0.95),
    }


def _read(place: Path) -> list[CallTimes]:
    ended = _load(place / _ENDED, _Ended) or _Ended()
    running, gone = [], []
    for path in sorted(place.glob("*.json")):
        if path.name == _ENDED:
            continue
        told = _load(path, Told)
        if told is not None and path.name not in ended.names and is_alive(told.pid):
            running.append(told)
        else:
            gone.append((path, told))
    if gone:
        fresh = [told for path, told in gone if told is not None and path.name not in ended.names]
        ended = _Ended([path.name for path, _ in gone], _sum([ended.calls, *(told.calls for told in fresh)]))
        # The sum first, with the names that are in it: whoever is killed in between counts none of them twice.
        draft = place / f".{_ENDED}"
        draft.write_bytes(msgspec.json.encode(ended))
        draft.replace(place / _ENDED)
        for path, _ in gone:
            path.unlink(missing_ok=True)
    return _sum([ended.calls, *(told.calls for told in running)])


def _load(path: Path, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def _sum(parts: Iterable[Iterable[CallTimes]]) -> list[CallTimes]:
    summed: dict[tuple[str, str], CallTimes] = {}
    for one in _usable(parts):
        known = summed.setdefault((one.service, one.method), CallTimes(one.service, one.method, [0] * len(one.counts)))
        known.counts = [a + b for a, b in zip(known.counts, one.counts, strict=True)]
        known.seconds += one.seconds
    return [summed[key] for key in sorted(summed)]


def _usable(parts: Iterable[Iterable[CallTimes]]) -> Iterator[CallTimes]:
    """Leave out what another version of Friren has counted by other bounds."""
    yield from (one for part in parts for one in part if len(one.counts) == len(BOUNDS) + 1)


def _quantile(counts: list[int], share: float) -> float | None:
    """Return below how many milliseconds that share of calls stayed; None beyond the last bound."""
    wanted, seen, low = share * sum(counts), 0, 0.0
    for count, high in zip(counts, BOUNDS, strict=False):
        if count and seen + count >= wanted:
            # As if the calls were spread evenly between two bounds.
            return round((low + (high - low) * (wanted - seen) / count) * 1000, 3)
        seen, low = seen + count, high
    return None
