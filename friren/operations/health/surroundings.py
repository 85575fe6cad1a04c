"""What the process stands on: room on its disks, and connections to be had."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connections

from friren.embedded.location import locate
from friren.operations.backup import settings as backups
from friren.operations.health.registry import Finding
from friren.operations.health.settings import DISK_PERCENT_MAX
from friren.persistence.replay import journal_root

__all__ = ["check_disk", "check_pool", "pool_figures"]

# By psycopg_pool's names for them.
_POOL_FIGURES: Final = {
    "size": "pool_size", "available": "pool_available", "max": "pool_max", "waiting": "requests_waiting",
}  # fmt: skip


def check_disk() -> Finding:
    """Measure the disks that the journal, the backups and the embedded database lie on."""
    used = {str(path): round(_percent(path), 1) for path in dict.fromkeys(map(_existing, _folders()))}
    full = [f"{path} is {percent:.0f} % full" for path, percent in used.items() if percent > DISK_PERCENT_MAX]
    return Finding(
        ok=not full,
        message="; ".join(full) or f"{max(used.values()):.0f} % full at most",
        details={"used_percent": used},
    )


def check_pool() -> Finding:
    """Ask the pools of this process whether callers wait for a connection; a command has none."""
    figures = pool_figures()
    waiting = {alias: found["waiting"] for alias, found in figures.items() if found["waiting"]}
    told = "; ".join(f"{count} callers wait for {alias}: raise DB_POOL_MAX_SIZE" for alias, count in waiting.items())
    return Finding(ok=not waiting, message=told or f"{len(figures)} pools, nobody waits", details={"pools": figures})


def pool_figures() -> dict[str, dict[str, int]]:
    """Return of each pool of this process, by alias: `size`, `available`, `max`, and how many callers are `waiting`."""
    found = {}
    for alias in connections:
        pool = getattr(connections[alias], "_connection_pools", {}).get(alias)
        if pool is not None:
            stats = pool.get_stats()
            found[alias] = {name: stats.get(key, 0) for name, key in _POOL_FIGURES.items()}
    return found


def _folders() -> Iterator[Path]:
    yield journal_root()
    yield backups.directory()
    if settings.FRIREN_EMBEDDED:
        yield locate(settings.FRIREN_HOME, binaries=settings.FRIREN_EMBEDDED_BIN).root


def _existing(path: Path) -> Path:
    """Return the folder itself, or the nearest above it: that is where it would be made."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _percent(path: Path) -> float:
    usage = shutil.disk_usage(path)
    # As `df` counts: what is kept back for root is neither used nor to be had.
    return 100 * usage.used / ((usage.used + usage.free) or 1)
