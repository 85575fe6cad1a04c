"""Killing a process that moves rows, and looking where the rows are."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from django.db import connection

from friren.operations.archive.cold.files import cool, warm
from friren.operations.archive.policies import named_policy
from friren.operations.archive.service import archive, unarchive
from friren.operations.models import ArchiveRun
from tests import killed
from tests.integration.friren.operations.archive.conftest import LATER

__all__ = ["PLACES", "TABLES", "cycle", "finish", "killed_at", "killed_somewhen", "places_of_rows"]

TABLES = ("Signal", "Price")
_ARCHIVE = "friren.operations.archive"
_FILES = "friren.persistence.journal.files:Files"
# What a process that goes the whole way, there and back, comes by: function and moment.
PLACES = [
    (f"{_ARCHIVE}.service:make_shape", "after"),
    (f"{_ARCHIVE}.service:close_archive", "after"),
    (f"{_ARCHIVE}.service:raise_horizon", "before"),
    (f"{_ARCHIVE}.service:raise_horizon", "after"),
    (f"{_ARCHIVE}.service:move", "before"),
    (f"{_ARCHIVE}.service:move", "after"),
    (f"{_ARCHIVE}.runs:begin", "after"),
    (f"{_ARCHIVE}.runs:record", "after"),
    (f"{_ARCHIVE}.runs:complete", "before"),
    (f"{_ARCHIVE}.runs:complete", "after"),
    (f"{_ARCHIVE}.cold.files:settle", "after"),
    (f"{_ARCHIVE}.cold.writing:write_rows", "after"),
    (f"{_FILES}.rename", "before"),
    (f"{_FILES}.rename", "after"),
    (f"{_ARCHIVE}.cold.files:written", "after"),
    (f"{_ARCHIVE}.cold.writing:fetch", "after"),
    (f"{_ARCHIVE}.cold.files:compare", "after"),
    (f"{_ARCHIVE}.cold.files:keep_cold", "after"),
    (f"{_ARCHIVE}.cold.files:_drop", "before"),
    (f"{_ARCHIVE}.cold.files:_drop", "after"),
    (f"{_ARCHIVE}.cold.files:stage", "after"),
    (f"{_ARCHIVE}.cold.files:forget_cold", "after"),
    (f"{_FILES}.unlink", "before"),
    (f"{_FILES}.unlink", "after"),
    ("django.db.backends.base.base:BaseDatabaseWrapper._commit", "before"),
    ("django.db.backends.base.base:BaseDatabaseWrapper._commit", "after"),
]


def cycle(folder: Path, chance: random.Random | None = None, *, tables: Sequence[str] = TABLES) -> None:
    """Move rows of tables the whole way and back, or some of the way."""
    for name in tables:
        policy = named_policy(name)
        ways: list[Callable[[], object]] = [
            lambda name=name: archive([name], now=LATER, older_than=LATER),
            lambda policy=policy: cool(policy, str(folder), LATER),
            lambda policy=policy: warm(policy, str(folder), since=None, until=LATER),
            lambda name=name: unarchive([name], until=LATER),
        ]
        for way in ways if chance is None else chance.choices(ways, k=6):
            way()


def finish(folder: Path) -> None:
    """Bring everything back to where it was: what the next runs of an operator do."""
    for name in TABLES:
        warm(named_policy(name), str(folder), since=None, until=LATER)
        unarchive([name], until=LATER)


def killed_at(work: Callable[[], object], place: str, moment: str, call: int) -> bool:
    """Do `work` in a process that is killed when it comes by a place for the `call`-th time; return whether it did."""
    was = killed.killed_at(work, place, moment, call)
    nobody_else()
    return was


def killed_somewhen(work: Callable[[], object], seconds: float) -> bool:
    """Do `work` in a process that is killed after so long; return whether it was still at it."""
    child = killed.forked(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    was = killed.ended_by_kill(child)
    nobody_else()
    return was


def nobody_else() -> None:
    """Wait until the server has noticed that its client is gone."""
    deadline = time.monotonic() + 60
    question = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND backend_type = 'client backend' AND state <> 'idle' "
        "AND pid <> pg_backend_pid()"
    )
    with connection.cursor() as cursor:
        while True:
            cursor.execute(question)
            if cursor.fetchone() == (0,):
                return
            assert time.monotonic() < deadline, "the server does not notice"
            time.sleep(0.005)


def places_of_rows(name: str, folder: Path) -> dict[str, set[str]]:
    """The ids of a table's rows by where they are: in the table, in the archive, in files whose run is done."""
    table = named_policy(name).table
    runs = f"SELECT id FROM operations_archiverun WHERE table_name = '{table}'"
    found: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"archive.{table}"])
        (there,) = cursor.fetchone()
        cursor.execute(f"SELECT id::text FROM {table}")
        found["table"] = {key for (key,) in cursor.fetchall()}
        for place, question in (
            ("archive", f"SELECT id::text FROM archive.{table}"),
            # What is in files is known by its keys, and told by the runs.
            ("keys", f"SELECT id::text FROM archive.friren_cold WHERE run IN ({runs})"),
        ):
            cursor.execute(question if there else "SELECT '' WHERE false")
            found[place] = {key for (key,) in cursor.fetchall()}
    cold = ArchiveRun.objects.filter(table_name=table, target="PARQUET", status="COMPLETED")
    back = set(cold.filter(direction="UNARCHIVE").values_list("path", flat=True))
    paths = [path for path in cold.filter(direction="ARCHIVE").values_list("path", flat=True) if path not in back]
    found["files"] = {key for path in paths for key in _ids(Path(path))}
    del folder
    return found


def _ids(path: Path) -> list[str]:
    from pyarrow import parquet

    return list(parquet.read_table(path, columns=["id"]).column("id").to_pylist())
