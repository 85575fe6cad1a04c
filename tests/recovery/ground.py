"""A server with a base, incremental backups where there are any, archived WAL and the moments in between."""

from __future__ import annotations

import dataclasses
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from friren.operations.backup.bases import make_base
from friren.operations.backup.chains import links_of
from friren.operations.backup.moments import Target
from friren.operations.backup.rewinding import Rewound, restore_moment
from friren.operations.backup.shelf import Shelf
from tests.archived import TABLE, Archiving, Moment, Writer

__all__ = ["World", "make_world"]

MARKER = "not yours"


@dataclasses.dataclass
class World:
    """
    What there is to restore from.

    Attributes:
        moments: in order; each can be reached.
        key_file: of the age private key, when all is encrypted.
    """

    archiving: Archiving
    moments: list[Moment]
    key_file: Path | None = None

    @property
    def target(self) -> Path:
        return self.archiving.folder / "restored"

    def restore(self, target: Target, **options) -> Rewound:
        shutil.rmtree(self.target, ignore_errors=True)
        return restore_moment(target, into=self.target, key_file=self.key_file, **options)

    @contextmanager
    def guarded(self) -> Iterator[list[str]]:
        """A target with something in it; what happened to it, or was left beside it, is told in the end."""
        shutil.rmtree(self.target, ignore_errors=True)
        self.target.mkdir()
        (self.target / MARKER).write_text(MARKER)
        beside = sorted(path.name for path in self.archiving.folder.iterdir())
        touched: list[str] = []
        yield touched
        if [path.name for path in self.target.iterdir()] != [MARKER]:
            touched.append("the target was touched")
        for path in self.archiving.folder.iterdir():
            if path.name not in beside:
                touched.append(f"{path.name} was left")
                shutil.rmtree(path)
        shutil.rmtree(self.target)

    def files(self) -> dict[str, Path]:
        """One file of each kind that the latest is restored from, by what it is."""
        links = links_of(Shelf(self.archiving.backups))
        base = links[0] if links[-1].physical.parent else links[-1]
        found = {"base": base.path, "account of pg_basebackup": base.folder / "backup_manifest"}
        found |= {"manifest": base.folder / "manifest.json", "sums": base.folder / "SHA256SUMS"}
        if links[-1].physical.parent:
            found |= {"incremental": links[-1].path}
        # The one that every restore of the newest backup has to read first.
        name = links[-1].physical.first_segment
        found["WAL"] = next(path for path in self.archiving.segments() if path.name.startswith(name))
        return found


def make_world(archiving: Archiving, *, moments: int, seed: int, seconds: float, key_file: Path | None = None) -> World:
    """
    Let a writer write, and back up meanwhile. Where the server can, one incremental backup builds on another.

    Args:
        moments: how many, at random times.
        seconds: in which.
    """
    chance = random.Random(seed)
    incremental = "summarize_wal" in archiving.server.settings
    with Writer(archiving.server.url(), seed) as writer:
        make_base()
        times = sorted(chance.uniform(0, seconds) for _ in range(moments))
        backups = [seconds / 3, 2 * seconds / 3] if incremental else [seconds / 2]
        began = time.monotonic()
        for number, due in enumerate(times):
            while backups and backups[0] < due:
                backups.pop(0)
                make_base(incremental=incremental)
            time.sleep(max(0.0, began + due - time.monotonic()))
            writer.mark(f"moment {number} of {seed}")
        for _ in backups:
            make_base(incremental=incremental)
        writer.mark(f"the end of {seed}")
        time.sleep(0.05)  # a transaction after the last moment, by which a time is known to be passed
    archiving.archived()
    archiving.archived()
    return World(archiving, writer.moments, key_file)


def stored(done: Rewound) -> tuple[int, str]:
    """What the writer's table holds in a restored server: rows and digest."""
    table = done.recovered.contents.tables[TABLE]
    return table.rows, table.digest
