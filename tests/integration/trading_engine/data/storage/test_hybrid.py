"""A storage over files and database: one side may refuse, the cycle goes on, and what is behind is known."""

from __future__ import annotations

import builtins
import dataclasses
import io
import os
from pathlib import Path

import pytest

from friren.errors import DatabaseUnavailableError, KeyReusedError, RejectedRecordError
from friren.locking import exclusive
from tests.prescient_tree import Tree
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.data.storage import HybridStorage, Side, StorageMode, Written, storage_for
from trading_engine.models import Trade

BOTH = StorageMode(write_file=True, fallback_to_file=True)
FILES_READ = StorageMode(write_file=True, read_database=False)


class Refusing:
    """A side that raises what it is told to, until it is told nothing; else the real one."""

    def __init__(self, real, error=None) -> None:
        self.real, self.error = real, error

    def __getattr__(self, name):
        def call(*args, **kwargs):
            if self.error is not None and name in {"save", "load", "iterate"}:
                raise self.error
            return getattr(self.real, name)(*args, **kwargs)

        return call


@pytest.mark.parametrize(
    "error", [DatabaseUnavailableError(), RejectedRecordError("amount", 1, "is refused"), KeyReusedError("id", 1, "x")]
)
def test_a_database_that_refuses_fails_nothing(files, rows, tree, agreed, error):
    storage = HybridStorage(files, Refusing(rows, error), mode=BOTH)

    assert storage.save("trades", tree.trades) == Written(Side.STORED, Side.BEHIND)

    if isinstance(error, DatabaseUnavailableError):
        assert agreed("trades", storage.load("trades")) == agreed("trades", tree.trades)
    assert Trade.objects.count() == 0


def test_without_a_fallback_an_outage_is_told(files, rows):
    alone = dataclasses.replace(BOTH, fallback_to_file=False)

    with pytest.raises(DatabaseUnavailableError):
        HybridStorage(files, Refusing(rows, DatabaseUnavailableError()), mode=alone).load("trades")


def test_a_file_that_refuses_fails_nothing_and_catches_up(files, rows, tree, agreed):
    sick = Refusing(files, OSError(28, "No space left on device"))
    storage = HybridStorage(sick, rows, mode=BOTH)
    for trade in tree.trades[:3]:
        assert storage.save("trades", [trade]) == Written(Side.BEHIND, Side.STORED)
    storage.save("portfolio", [tree.portfolio])
    storage.save("portfolio", [tree.portfolio])
    assert storage.waiting == 4  # of the portfolio only what was saved last
    sick.error = None

    assert storage.save("trades", [tree.trades[3]]) == Written(Side.STORED, Side.STORED)

    assert storage.waiting == 0
    assert agreed("trades", files.load("trades")) == agreed("trades", tree.trades[:4])
    assert agreed("trades", rows.load("trades")) == agreed("trades", tree.trades[:4])


def test_a_damaged_file_is_left_as_it_is_and_behind(files, rows, tree, root):
    storage = HybridStorage(files, rows, mode=BOTH)
    storage.save("trades", tree.trades[:1])
    path = root / "trades/paper_trades.json"
    path.write_text('[{"trade_id": ')

    assert storage.save("trades", tree.trades[1:2]) == Written(Side.BEHIND, Side.STORED)

    assert path.read_text() == '[{"trade_id": '
    assert not storage.catch_up()
    assert len(rows.load("trades")) == 2


def test_a_damaged_file_holds_up_no_other_and_is_not_read(files, rows, tree, root, agreed):
    storage = HybridStorage(files, rows, mode=FILES_READ)
    storage.save("trades", tree.trades[:1])
    path = root / "trades/paper_trades.json"
    path.write_text("[")
    storage.save("trades", tree.trades[1:2])

    assert storage.save("portfolio_history", tree.history) == Written(Side.STORED, Side.STORED)

    assert agreed("trades", storage.load("trades")) == agreed("trades", tree.trades[:2])
    storage.database = Refusing(rows, DatabaseUnavailableError())
    with pytest.raises(DatabaseUnavailableError):
        storage.load("trades")
    assert len(storage.load("portfolio_history")) == 1


def test_a_record_that_somebody_else_wrote_otherwise_is_not_written_over(files, rows, tree):
    sick = Refusing(files, OSError("full"))
    storage = HybridStorage(sick, rows, mode=BOTH)
    storage.save("trades", tree.trades[:1])
    sick.error = None
    files.save("trades", [{**tree.trades[0], "amount": 7}])

    assert storage.catch_up()

    assert [trade["amount"] for trade in files.load("trades")] == [7]


def test_a_file_that_somebody_holds_is_behind_and_holds_up_nobody(files, rows, tree, root, monkeypatch):
    monkeypatch.setattr("trading_engine.data.prescient.files.LOCK_SECONDS", 0.05)
    storage = HybridStorage(files, rows, mode=BOTH)
    storage.save("trades", tree.trades[:1])

    with exclusive(root / "trades/.paper_trades.json.lock", timeout=1):
        assert storage.save("trades", tree.trades[1:2]) == Written(Side.BEHIND, Side.STORED)

    assert storage.catch_up()
    assert len(files.load("trades")) == 2


def test_where_no_other_side_has_it_a_refusing_file_raises(files, rows, tree):
    only = StorageMode(write_database=False, read_database=False, write_file=True)

    with pytest.raises(OSError, match="full"):
        HybridStorage(Refusing(files, OSError("full")), rows, mode=only).save("trades", tree.trades)
    with pytest.raises(OSError, match="full"):
        HybridStorage(Refusing(files, OSError("full")), rows, mode=dataclasses.replace(BOTH, stages=frozenset())).save(
            "trades", tree.trades
        )


def test_wrong_data_is_raised_before_either_side_has_it(hybrid, files, rows, tree):
    with pytest.raises(RejectedRecordError, match="entry_price"):
        hybrid.save("trades", [{**tree.trades[0], "entry_price": "cheap"}])

    assert files.load("trades") == rows.load("trades") == []


def test_a_stage_that_is_not_switched_on_is_in_the_files_alone(files, rows, tree, agreed):
    storage = HybridStorage(files, rows, mode=dataclasses.replace(BOTH, stages=frozenset({"trades"})))

    assert storage.save("trades", tree.trades) == Written(Side.STORED, Side.STORED)
    assert storage.save("signals", tree.signals) == Written(Side.STORED, Side.OFF)

    assert rows.load("signals") == []
    assert agreed("signals", storage.load("signals")) == agreed("signals", tree.signals)


@pytest.mark.parametrize(
    ("mode", "asked"),
    [
        (StorageMode(write_database=False, read_database=False, write_file=True), "file"),
        (FILES_READ, "file"),
        (BOTH, "database"),
        (StorageMode(), "database"),
    ],
)
def test_every_phase_is_gone_back_to_by_flags_alone(files, rows, tree, mode, asked):
    """What was written to both is read from the side that the flags say, in whatever order they are set."""
    HybridStorage(files, rows, mode=BOTH).save("trades", tree.trades)
    rows.save("trades", [{**tree.trades[0], "trade_id": "only in the database"}])

    held = HybridStorage(files, rows, mode=mode).load("trades")

    assert len(held) == len(tree.trades) + (asked == "database")


def test_by_default_no_file_is_touched(book, tmp_path, monkeypatch):
    opened = []
    tree = Tree(tmp_path / "source")
    monkeypatch.setenv("FRIREN_JSON_DIR", str(tmp_path / "json"))
    for name in ("USE_DATABASE_WRITE", "USE_DATABASE_READ", "DATABASE_FALLBACK_TO_JSON", "USE_POSTGRES", "DUAL_WRITE"):
        monkeypatch.delenv(name, raising=False)
    for module, name in ((builtins, "open"), (io, "open"), (os, "open")):
        real = getattr(module, name)

        def spy(path, *args, _real=real, **kwargs):
            opened.append(str(path))
            return _real(path, *args, **kwargs)

        monkeypatch.setattr(module, name, spy)

    with storage_for(book) as storage:
        storage.save("trades", tree.trades)
        storage.save("signals", tree.signals)
        storage.save("portfolio", [tree.portfolio])
        assert len(storage.load("trades")) == 6
        assert len(storage.load("portfolio")) == 1

    assert [path for path in opened if Path(path).suffix == ".json" and "json" in Path(path).parts] == []
    assert not (tmp_path / "json").exists()


def test_two_writers_of_one_file_lose_nothing(tmp_path, book, tree):
    first, second = (storage_for(book, mode=FILES_READ, root=tmp_path) for _ in range(2))
    for place, trade in enumerate(tree.trades):
        (first, second)[place % 2].save("trades", [trade])

    assert first.save("trades", tree.trades) == Written(Side.DUPLICATE, Side.DUPLICATE)
    assert len(second.load("trades")) == 6


def test_the_file_is_asked_while_the_database_does_not_know_the_latest(files, rows, tree, monkeypatch):
    storage = HybridStorage(files, rows, mode=BOTH)
    storage.save("trades", tree.trades)
    monkeypatch.setattr(type(rows.recorder), "backlog", property(lambda _self: 1))
    files.save("trades", [{**tree.trades[0], "trade_id": "just now"}])

    assert len(storage.load("trades")) == 7


def test_a_tree_of_broken_records_is_not_traded_on(files, root, tree):
    files.save("trades", tree.trades)
    path = root / "trades/paper_trades.json"
    path.write_text(path.read_text().replace('"amount": 100', '"amount": "100 USD"', 1))

    with pytest.raises(UnreadableFileError, match="amount"):
        files.load("trades")
