"""`manage.py import_data --source prescient`: a tree goes in once, moves on, and disagrees by name."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest
from django.db import connections

from friren.accounts import find_account
from friren.persistence.models import DeadLetter
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import AccountState, PortfolioSnapshot, Position
from tests.prescient_tree import Tree
from trading_engine.management.commands.import_data import Command
from trading_engine.models import PredictionEvent, PredictionMarket, Signal, SignalArchive, Trade

D = Decimal
COUNTS = ("imported", "updated", "duplicates", "conflicts", "rejected")


def run(*arguments):
    """Return (exit code, report, stderr) of the command as a terminal sees it."""
    command = Command(stdout=(stdout := io.StringIO()), stderr=(stderr := io.StringIO()), no_color=True)
    code = 0
    try:
        command.run_from_argv(["manage.py", "import_data", "--source", "prescient", *map(str, arguments), "--json"])
    except SystemExit as exit_:
        code = exit_.code
    finally:
        connections.close_all()
    return code, json.loads(stdout.getvalue() or "null"), stderr.getvalue()


def counts(report):
    return tuple(report[name] for name in COUNTS)


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "data")


def test_a_tree_goes_in_once(tree):
    root = tree.write()

    first, second = run(root), run(root.parent)

    # Six trades, the portfolio, a day, six signals and their archive, eight events, of which six are told twice, six
    # markets with a snapshot each; and which signals, events (two files) and markets are the current ones.
    assert (first[0], counts(first[1])) == (0, (39, 6, 0, 0, 0)), first
    assert (second[0], counts(second[1])) == (0, (0, 0, 45, 0, 0)), second
    assert PredictionEvent.objects.filter(is_filtered=True).count() == 6
    assert PredictionMarket.objects.get(market_id="634160").market_data["conditionId"] == "0x634160"
    trade = Trade.objects.get(external_id="trade_20251020_170245_634160")
    assert (trade.action, trade.price, trade.amount, trade.market_id) == ("buy_no", D("0.547"), 100, "634160")
    assert (trade.confidence_score, trade.event_id, trade.venue) == (D("0.047"), "23657", "prescient")
    assert trade.executed_at.isoformat() == "2025-10-20T17:02:45.884062+00:00"
    assert trade.quantity == D("182.815356489945155393")
    assert Signal.objects.values("batch_id").distinct().count() == 1
    assert SignalArchive.objects.get().signals_data[0]["market_id"] == "634159"


def test_its_books_are_those_of_a_paper_account(tree):
    run(tree.write())

    book = find_account("prescient")
    held = PortfolioTracker(book).get_current_positions()

    assert (book.environment, len(held)) == ("PAPER", 6)
    assert {row.opened_cost for row in held} == {D(100)}
    day = PortfolioSnapshot.objects.get(kind="DAILY")
    assert (day.balance, day.total_profit_loss, day.source) == (D(9400), D("12.34"), "prescient")
    assert AccountState.objects.get(account=book.id).balance == D(9400)


def test_a_later_snapshot_of_the_tree_moves_what_has_moved(tree):
    run(tree.write())
    tree.next_day()

    code, report, errors = run(tree.write())
    again = run(tree.root)

    # Two ends of positions, the new reading of the portfolio, a day, six snapshots of markets; a signal was executed,
    # and four files stand anew.
    assert (code, counts(report)) == (0, (10, 5, 34, 0, 0)), (report, errors)
    assert counts(again[1]) == (0, 0, 49, 0, 0)
    ended = Trade.objects.get(external_id="trade_20251020_170245_634159:exit")
    assert (ended.action, ended.price, ended.source_pnl) == ("sell_yes", 1, D(49))
    signal = Signal.objects.get(market_id="634159")
    assert (signal.executed, signal.trade.external_id) == (True, "trade_20251020_170245_634159")
    PortfolioTracker(find_account("prescient")).get_current_positions()
    assert Position.objects.filter(status="closed").count() == 2


def test_a_changed_fact_is_kept_as_a_conflict(tree):
    run(tree.write())
    tree.trades[2]["entry_price"] = 0.585
    tree.signals[3]["amount"] = 200

    code, report, _errors = run(tree.write())

    assert (code, counts(report)) == (0, (0, 0, 43, 2, 0))
    fields = {row["kind"]: row["fields"] for row in report["conflict_rows"]}
    assert fields["trade"]["price"] == {"stored": "0.584", "told": "0.585"}
    assert fields["signal"] == {"amount": {"stored": "100", "told": "200"}}
    assert DeadLetter.objects.count() == 2
    assert Trade.objects.get(external_id=tree.trades[2]["trade_id"]).price == D("0.584")


@pytest.mark.parametrize(
    ("break_it", "field", "path"),
    [
        (lambda tree: tree.trades[1].pop("entry_price"), "entry_price", "[1]"),
        (lambda tree: tree.trades[1].update(amount="a lot"), "amount", "[1]"),
        (lambda tree: tree.trades[1].update(entry_price=0), "entry_price", "[1]"),
        (lambda tree: tree.trades[1].update(action="hold"), "action", "[1]"),
        (lambda tree: tree.signals[1].update(confidence=1.2), "confidence", "[1]"),
        (lambda tree: tree.history[0].update(snapshot_date="yesterday"), "snapshot_date", "[0]"),
        (lambda tree: tree.positions[1].update(status="closed"), "exit_price", "positions[1]"),
    ],
)
def test_a_broken_record_is_named_and_the_rest_goes_in(tree, break_it, field, path):
    break_it(tree)

    code, report, _errors = run(tree.write())

    (row,) = report["rejected_rows"]
    assert (code, report["rejected"]) == (0, 1)
    assert (row["field"], row["path"]) == (field, path)
    assert row["line"] > 1
    assert report["imported"] >= 38


def test_a_file_that_breaks_off_is_named_and_what_stands_before_goes_in(tree):
    root = tree.write()
    path = root / "trades/paper_trades.json"
    path.write_text(path.read_text()[:-200])

    code, report, errors = run(root)

    assert (code, Trade.objects.count()) == (1, 5)
    assert "paper_trades.json" in report["unreadable"][0]["file"]
    assert "broken JSON" in errors


def test_a_dry_run_counts_and_stores_nothing(tree):
    root = tree.write()

    before = run(root, "--dry-run")
    run(root)
    tree.next_day()
    after = run(tree.write(), "--dry-run")

    assert counts(before[1]) == (45, 0, 0, 0, 0)
    assert counts(after[1]) == (10, 5, 34, 0, 0)
    assert Trade.objects.count() == 6


def test_files_of_another_name_are_refused(tree, tmp_path):
    (tmp_path / "other.json").write_text("[]")

    code, _report, errors = run(tmp_path / "other.json")

    assert code == 1
    assert "no file of Prescient's tree" in errors
