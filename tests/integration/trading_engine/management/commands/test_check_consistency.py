"""`check_consistency`, `migration_status`, `benchmark_reads`: what differs is named, nothing unproven is done."""

from __future__ import annotations

import hashlib
import io
import json
from decimal import Decimal

import pytest
from django.db import connections

from friren.accounts import open_account
from tests.prescient_tree import Tree
from trading_engine.data.prescient import TABLES
from trading_engine.data.storage import FileStorage, HybridStorage, PostgresStorage, StorageMode
from trading_engine.data.storage.mode import FLAGS
from trading_engine.management.commands import archive_json, benchmark_reads, check_consistency, migration_status

BOTH = StorageMode(write_file=True, fallback_to_file=True)


def run(module, *arguments, as_json=True):
    """Return (exit code, report or what people see) of a command as a terminal sees it."""
    command = module.Command(stdout=(stdout := io.StringIO()), stderr=io.StringIO(), no_color=True)
    name = module.__name__.rpartition(".")[2]
    code = 0
    try:
        command.run_from_argv(["manage.py", name, *map(str, arguments), *(["--json"] if as_json else [])])
    except SystemExit as exit_:
        code = exit_.code
    finally:
        connections.close_all()
    return code, json.loads(stdout.getvalue() or "null")


@pytest.fixture
def root(tmp_path, monkeypatch):
    for flag in FLAGS:
        monkeypatch.delenv(flag, raising=False)
    monkeypatch.setenv("FRIREN_JSON_DIR", str(tmp_path / "json"))
    return tmp_path / "json"


@pytest.fixture
def both(root, tmp_path):
    """A storage of both sides, with a day of paper trading in it."""
    book = open_account("prescient", environment="PAPER", position_mode="HEDGING", starting_cash=10_000)
    storage = HybridStorage(FileStorage(root), PostgresStorage(book), mode=BOTH)
    tree = Tree(tmp_path / "source")
    tree.next_day()
    storage.save("signals", tree.signals)
    storage.save("trades", tree.trades)
    storage.save("signals", tree.signals)
    storage.save("portfolio", [tree.portfolio])
    storage.save("portfolio_history", tree.history)
    storage.save("signal_archives", tree.archives["2025-10"])
    for table in ("raw_events", "events", "markets"):
        storage.save(table, getattr(tree, table))
    yield storage
    storage.close()


def test_both_sides_the_same(both):
    code, report = run(check_consistency)

    assert (code, report["ok"]) == (0, True)
    trades = report["per_table"]["trades"]
    assert trades["count"] == {"file": 6, "database": 6}
    assert trades["sum"]["file"] == trades["sum"]["database"]
    assert trades["sum"]["file"]["amount"] == "600"
    assert trades["digest"]["file"] == trades["digest"]["database"] != "0" * 32
    assert set(report["per_table"]) == {table.name for table in TABLES}
    assert {one["ok"] for one in report["per_table"].values()} == {True}


def test_a_digit_a_missing_row_and_an_extra_row_are_each_named(both, root, capsys):
    path = root / "trades/paper_trades.json"
    text = path.read_text()
    held = json.loads(text)
    gone, changed = held[1]["trade_id"], held[3]["trade_id"]
    assert '"entry_price": 0.621' in text
    text = text.replace('"entry_price": 0.621', '"entry_price": 0.622', 1)
    kept = [one for one in json.loads(text, parse_float=Decimal) if one["trade_id"] != gone]
    path.write_text(json.dumps([*kept, {**kept[0], "trade_id": "extra"}], default=float))

    code, report = run(check_consistency, "trades")
    run(check_consistency, "trades", as_json=False)
    shown = capsys.readouterr().out

    found = {one["key"]: one for one in report["per_table"]["trades"]["differences"]}
    assert (code, report["ok"], set(found)) == (1, False, {gone, changed, "extra"})
    assert found[changed] == {"key": changed, "field": "entry_price", "file": "0.622", "database": "0.621"}
    assert (found[gone]["file"], found["extra"]["database"]) == (None, None)
    assert report["per_table"]["trades"]["first_difference"]["key"] == min(found)
    assert f"{gone}: is in the database, not in the file" in shown
    assert "extra: is in the file, not in the database" in shown
    assert f"{changed}: entry_price is 0.622 in the file, 0.621 in the database" in shown


@pytest.mark.parametrize(
    ("change", "table", "field"),
    [
        (("trades/portfolio.json", '"total_invested": 600', '"total_invested": 601'), "portfolio", "total_invested"),
        (("trades/portfolio.json", '"exit_price": 1,', '"exit_price": 0.9,'), "positions", "exit_price"),
        (("trades/portfolio.json", '"status": "closed"', '"status": "open"'), "positions", "status"),
        (("trades/current_signals.json", '"executed": true', '"executed": false'), "signals", "executed"),
        (("history/portfolio_history.json", '"balance": 9400', '"balance": 9400.01'), "portfolio_history", "balance"),
        (("history/signals_archive_2025-10.json", '"amount": 100', '"amount": 10'), "signal_archives", "signals_data"),
        (
            ("events/filtered_events.json", '"volume": 311846722.482737', '"volume": 311846722.482738'),
            "events",
            "volume",
        ),
        (("markets/filtered_markets.json", '"volume": "23286094.862589"', '"volume": "3"'), "markets", "volume"),
    ],
)
def test_a_difference_is_named_in_every_table(both, root, change, table, field):
    name, before, after = change
    path = root / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))

    code, report = run(check_consistency)

    assert (code, report["per_table"][table]["first_difference"]["field"]) == (1, field)
    assert [other for other, one in report["per_table"].items() if not one["ok"]] == [table]


def test_the_gate_wants_clean_checks_in_a_row(both, root):
    path = root / "trades/paper_trades.json"
    sound = path.read_text()
    assert run(check_consistency, "--require-clean", 2)[0] == 1
    assert run(check_consistency, "--require-clean", 2)[0] == 0
    path.write_text("[]")
    assert run(check_consistency)[0] == 1
    path.write_text(sound)

    code, report = run(check_consistency, "--require-clean", 2)

    assert (code, report["clean_in_a_row"]) == (1, 1)


def test_a_phase_is_not_called_done_before_it_is_proven(both, root, monkeypatch):
    monkeypatch.setenv("USE_DATABASE_WRITE", "true")
    monkeypatch.setenv("USE_DATABASE_READ", "true")

    unproven = run(migration_status)
    run(check_consistency)
    proven = run(migration_status)
    more = run(migration_status, "--require-clean", 2)
    (root / "trades/current_signals.json").write_text("[]")
    run(check_consistency)
    broken = run(migration_status)

    assert (unproven[0], unproven[1]["phase"]) == (1, 5)
    assert [one["state"] for one in unproven[1]["phases"]] == [
        "done", "unproven", "unproven", "unproven", "unproven", "current", "ahead", "ahead",
    ]  # fmt: skip
    assert "run check_consistency" in unproven[1]["phases"][1]["why"]
    assert (proven[0], {one["state"] for one in proven[1]["phases"][:5]}) == (0, {"done"})
    assert more[0] == 1
    assert [one["state"] for one in broken[1]["phases"][:5]] == ["done", "done", "done", "unproven", "unproven"]
    assert "signals" in broken[1]["phases"][3]["why"]
    assert any("3 days" in warning for warning in proven[1]["warnings"])


@pytest.mark.parametrize(
    ("flags", "stages", "phase"),
    [
        ({"USE_DATABASE_WRITE": "false"}, "", 0),
        ({"USE_DATABASE_WRITE": "true"}, "trades", 1),
        ({"USE_DATABASE_WRITE": "true"}, "trades,history", 2),
        ({"USE_DATABASE_WRITE": "true"}, "trades,history,signals", 3),
        ({"USE_DATABASE_WRITE": "true"}, "", 4),
        ({"USE_DATABASE_WRITE": "true", "USE_DATABASE_READ": "true"}, "", 5),
        ({"USE_DATABASE_WRITE": "true", "USE_DATABASE_READ": "true", "DUAL_WRITE": "false"}, "", 6),
        (
            {
                "USE_DATABASE_WRITE": "true",
                "USE_DATABASE_READ": "true",
                "DUAL_WRITE": "false",
                "DATABASE_FALLBACK_TO_JSON": "false",
            },
            "",
            7,
        ),
        ({}, "", 7),
    ],
)
def test_flags_name_their_phase(root, monkeypatch, flags, stages, phase):
    for name, value in {**flags, "FRIREN_STORAGE_STAGES": stages}.items():
        monkeypatch.setenv(name, value)

    code, report = run(migration_status)

    assert (code, report["phase"]) == (0, phase)  # there are no files: nothing has to be proven


def test_a_skipped_stage_is_warned_of(both, monkeypatch):
    monkeypatch.setenv("USE_DATABASE_WRITE", "true")
    monkeypatch.setenv("FRIREN_STORAGE_STAGES", "trades,signals")

    _code, report = run(migration_status)

    assert report["phase"] == 1
    assert "signals are written to both before history: a phase was skipped" in report["warnings"]


def test_reads_are_timed_on_both_sides(both):
    _code, report = run(benchmark_reads)

    assert [(one["read"], one["records"], one["same"]) for one in report["reads"]] == [
        ("latest trades", 6, True), ("portfolio", 1, True), ("current signals", 6, True),
    ]  # fmt: skip
    assert all(one["file_ms"] > 0 and one["database_ms"] > 0 for one in report["reads"])


def test_without_files_there_is_nothing_to_time(root):
    open_account("prescient", position_mode="HEDGING")

    assert run(benchmark_reads)[0] == 1


def test_files_that_nothing_reads_any_more_are_put_aside_with_their_sums(both, root, tmp_path, monkeypatch):
    files = {path.relative_to(root): path.read_bytes() for path in root.rglob("*.json")}
    monkeypatch.setenv("USE_POSTGRES", "true")
    in_use = run(archive_json, "--to", tmp_path / "aside")
    monkeypatch.setenv("DATABASE_FALLBACK_TO_JSON", "false")
    monkeypatch.setenv("DUAL_WRITE", "false")

    code, report = run(archive_json, "--to", tmp_path / "aside")
    again = run(archive_json, "--to", tmp_path / "aside")

    assert (in_use[0], code, report["moved"], again[1]["moved"]) == (1, 0, len(files), 0)
    assert list(root.rglob("*.json")) == []
    told = json.loads((tmp_path / "aside/MANIFEST.json").read_text())
    for path, content in files.items():
        assert (tmp_path / "aside" / path).read_bytes() == content
        assert {"path": path.as_posix(), "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} in told
