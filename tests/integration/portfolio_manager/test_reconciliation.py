"""Statements made of real files, held against the book: each difference is named, and what can be is mended."""

from __future__ import annotations

import copy
import csv
import io
import json
from decimal import Decimal

import pytest
from django.db import connections

from friren.accounts import find_account, open_account
from friren.core.models import AuditLog, User
from friren.errors import InvalidTransitionError
from friren.operations.backup.contents import read_contents
from friren.operations.health import examine
from portfolio_manager.booking import catch_up
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.management.commands import reconcile as command
from portfolio_manager.models import ReconciliationBreak
from portfolio_manager.reconciliation.breaks import resolve
from tests.factories import MONDAY
from trading_engine.management.commands import import_data
from trading_engine.models import Trade
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal
BOOK_TABLES = {
    "public.trading_engine_trade", "public.portfolio_manager_position", "public.portfolio_manager_positionfill",
    "public.portfolio_manager_ledgerentry", "public.portfolio_manager_accountstate",
}  # fmt: skip
BREAK_TABLES = {"public.portfolio_manager_reconciliationbreak", "public.core_auditlog"}


def run(module, *arguments):
    """Return (exit code, report) of a command."""
    one = module.Command(stdout=(stdout := io.StringIO()), stderr=(stderr := io.StringIO()), no_color=True)
    code = 0
    try:
        one.run_from_argv(["manage.py", module.__name__.rpartition(".")[2], *map(str, arguments), "--json"])
    except SystemExit as exit_:
        code = int(exit_.code)
    finally:
        connections.close_all()
    assert stdout.getvalue(), stderr.getvalue()
    return code, json.loads(stdout.getvalue())


def digests():
    """Return the digest of every table."""
    connections["default"].ensure_connection()
    return read_contents(connections["default"].connection).tables


def changed(before):
    after = digests()
    return {name for name in after if after[name] != before.get(name)}


def named(report):
    """Return what a report names, as (kind, field, external id or symbol, ours, theirs)."""
    return {(one["kind"], one["field"], one["external_id"], one["ours"], one["theirs"]) for one in report["breaks"]}


@pytest.fixture
def nof1(shared_data, tmp_path):
    """The real answer of nof1, a book that lacks one of its exits, and a statement that doubles and changes others."""
    real = json.loads((shared_data / "nof1/2025-10-26/trades.json").read_text())
    trades = real["trades"][:40]
    missing, doubled, priced = trades[3], trades[10], trades[20]
    booked = copy.deepcopy(trades)
    for name in ("exit_time", "exit_price"):
        booked[3][name] = None
    statement = copy.deepcopy(trades)
    statement[20]["entry_price"] = priced["entry_price"] + 0.5
    statement.insert(11, copy.deepcopy(doubled))
    for name, some in (("book", booked), ("statement", statement), ("real", trades)):
        text = json.dumps({"trades": some})
        (tmp_path / f"{name}.json").write_text(text)
    run(import_data, "--source", "copy_ai", tmp_path / "book.json")
    catch_up(find_account("copy_ai").id)
    return tmp_path, missing["id"], doubled["id"], priced


def told_by(nof1, name="statement"):
    return ("--statement", nof1[0] / f"{name}.json", "--source", "copy_ai", "--account", "copy_ai")


def test_a_fill_removed_one_doubled_and_one_of_another_price_are_each_named(nof1):
    _folder, missing, doubled, priced = nof1
    before = digests()
    price = priced["entry_price"]

    code, report = run(command, *told_by(nof1))

    assert code == 1
    assert named(report) == {
        ("MISSING", "", f"{missing}:exit", "", ""),
        ("DIFFERING", "count", f"{doubled}:entry", "1", "2"),
        ("DIFFERING", "count", f"{doubled}:exit", "1", "2"),
        ("DIFFERING", "price", f"{priced['id']}:entry", f"{price:g}", f"{price + 0.5:.1f}"),
    }
    assert (report["missing"], report["extra"], report["differing"], report["adopted"]) == (1, 0, 3, 0)
    # Looking changes nothing but the list of what was found.
    assert changed(before) == {"public.portfolio_manager_reconciliationbreak"}
    # Found again it is the same.
    again = digests()
    assert run(command, *told_by(nof1))[1] == report
    assert changed(again) == set()


def test_adopting_records_what_the_book_lacks_and_changes_nothing_else(nof1):
    run(command, *told_by(nof1))
    before, others = digests(), set(Trade.objects.values_list("id", "digest", "recorded_seq"))

    code, report = run(command, *told_by(nof1), "--adopt")

    assert (code, report["adopted"], report["open"]) == (1, 1, 3)
    assert changed(before) == BOOK_TABLES | BREAK_TABLES
    (adopted,) = Trade.objects.exclude(id__in=[key for key, _digest, _seq in others])
    assert adopted.external_id == f"{nof1[1]}:exit"
    assert others < set(Trade.objects.values_list("id", "digest", "recorded_seq"))
    row = ReconciliationBreak.objects.get(kind="MISSING")
    assert (row.resolution, row.trade_id) == ("ADOPTED", adopted.id)
    entry = AuditLog.objects.get(object_pk=str(row.pk))
    assert (entry.action, entry.before["resolution"], entry.after["resolution"]) == ("STATUS_CHANGE", "", "ADOPTED")
    # It is the fill that the whole file would have told of.
    assert run(import_data, "--source", "copy_ai", nof1[0] / "real.json")[1]["imported"] == 0
    # A statement that tells the rest as the book does ends their breaks.
    code, report = run(command, *told_by(nof1, "real"))
    assert (code, report["missing"], report["differing"], report["corrected"]) == (0, 0, 0, 3)
    assert not ReconciliationBreak.objects.open().exists()


def test_fills_without_ids_are_known_by_their_figures_in_any_order(shared_data, tmp_path):
    lines = (shared_data / "trades/pyfolio_2004/txn.csv").read_text().splitlines()
    header, rows = lines[0], lines[1:61]
    book, statement = tmp_path / "txn.csv", tmp_path / "statement.csv"
    # The book has one fill twice, and lacks another.
    book.write_text("\n".join([header, *rows[:30], rows[7], *rows[31:]]) + "\n")
    changed_row = next(csv.reader([rows[45]]))
    price = lines[0].split(",").index("price")
    changed_row[price] = str(D(changed_row[price]) + 1)
    statement.write_text("\n".join([header, *reversed(rows[:45]), ",".join(changed_row), *rows[46:]]) + "\n")
    open_account("book", environment="PAPER", starting_cash=D(0))
    run(import_data, "--source", "pyfolio", book, "--account", "book")
    assert Trade.objects.count() == 60

    code, report = run(command, "--statement", statement, "--source", "pyfolio", "--account", "book", "--adopt")

    assert (code, report["matched"], report["missing"], report["extra"], report["differing"]) == (1, 59, 1, 1, 1)
    assert report["adopted"] == 1
    assert {one["field"] for one in report["breaks"]} == {"", "price"}
    code, report = run(command, "--statement", statement, "--source", "pyfolio", "--account", "book")
    assert (code, report["matched"], report["missing"], report["extra"], report["differing"]) == (1, 60, 0, 1, 1)


def write_statement(tmp_path, **told):
    path = tmp_path / "statement.json"
    path.write_text(json.dumps(told))
    return "--statement", path, "--account", "book"


@pytest.fixture
def book():
    """Books with ten shares bought at a venue and three of them sold, logged by a bot without the venue's ids."""
    account = open_account("book", environment="PAPER", starting_cash=D(1000))
    with TradeLogger(account=account) as trades:
        trades.log_trade(symbol="AAPL", action="buy", quantity=10, price=D("18.5"), timestamp=MONDAY)
        later = MONDAY.replace(microsecond=400_000)
        trades.log_trade(symbol="AAPL", action="sell", quantity=3, price=D("19"), timestamp=later, commission=1)
    return account


def fill(number, **more):
    told = {"timestamp": MONDAY.isoformat(), "symbol": "AAPL", "action": "buy", "quantity": "10", "price": "18.5"}
    return {**told, "external_id": str(number), **more}


SOLD = {"action": "sell", "quantity": "3", "price": "19", "commission": "1"}


def test_a_whole_statement_agrees_with_positions_and_cash(tmp_path, book):
    told = {"venue": "IBKR", "fills": [fill(2, **SOLD), fill(1)], "positions": [{"symbol": "AAPL", "quantity": 7}],
            "cash": {"USD": "871.0"}}  # fmt: skip

    code, report = run(command, *write_statement(tmp_path, **told))

    assert (code, report["matched"], report["breaks"]) == (0, 2, [])
    assert (report["fills"], report["positions"], report["currencies"]) == (2, 1, 1)


def test_positions_and_cash_that_differ_are_breaks_until_a_statement_agrees(tmp_path, book):
    told = {"positions": [{"symbol": "AAPL", "quantity": "8"}, {"symbol": "MSFT", "quantity": 1}],
            "cash": {"USD": "871", "EUR": "5"}}  # fmt: skip
    code, report = run(command, *write_statement(tmp_path, **told))
    assert code == 1
    assert named(report) == {
        ("DIFFERING", "quantity", "", "7", "8"),
        ("MISSING", "", "", "", "1"),
        ("DIFFERING", "amount", "", "", "5"),
    }
    finding, _seconds = examine(["reconciliation"]).checks["reconciliation"]
    assert (finding.ok, finding.details["open"]) == (False, {"book": 3})

    # Another figure takes the place of the first; what the statement says no more of agrees.
    told = {"positions": [{"symbol": "AAPL", "quantity": "9"}], "cash": {"USD": "871"}}
    code, report = run(command, *write_statement(tmp_path, **told))

    assert (code, report["differing"], report["open"], report["corrected"]) == (1, 1, 1, 2)
    assert ReconciliationBreak.objects.open().get().theirs == "9"


def test_the_book_is_compared_as_it_stood_at_the_moment_of_the_statement(tmp_path, book):
    told = {"positions": [{"symbol": "AAPL", "quantity": "10"}], "cash": {"USD": "815"}, "as_of": MONDAY.isoformat()}
    with PortfolioTracker(book) as tracker:
        tracker.get_current_positions()

    assert run(command, *write_statement(tmp_path, **told))[0] == 0

    del told["as_of"]
    assert named(run(command, *write_statement(tmp_path, **told))[1]) == {
        ("DIFFERING", "quantity", "", "7", "10"),
        ("DIFFERING", "amount", "", "871", "815"),
    }


def test_a_fill_booked_twice_is_extra_until_it_is_busted(tmp_path, book):
    with TradeLogger(account=book) as trades:
        again = trades.log_trade(symbol="AAPL", action="buy", quantity=10, price=D("18.5"), timestamp=MONDAY)
    statement = write_statement(tmp_path, venue="IBKR", fills=[fill(1), fill(2, **SOLD)])
    code, report = run(command, *statement)
    assert (code, report["extra"], report["matched"]) == (1, 1, 2)
    (found,) = report["breaks"]
    with TradeLogger(account=book) as trades:
        trades.bust_trade(found["trade"], reason="doubled")

    code, report = run(command, *statement)

    assert (code, report["extra"], report["corrected"]) == (0, 0, 1)
    assert again.id is not None


def test_a_broken_record_is_named_and_the_rest_compared(tmp_path, book):
    told = write_statement(tmp_path, venue="IBKR", fills=[fill(1), {**fill(2), "quantity": "x"}, fill(3, **SOLD)])

    code, report = run(command, *told)

    assert (code, report["matched"], len(report["breaks"])) == (1, 2, 0)
    assert [row["field"] for row in report["unreadable"]] == ["quantity"]


def test_a_person_resolves_a_break_once(tmp_path, book):
    run(command, *write_statement(tmp_path, cash={"USD": "870"}))
    row = ReconciliationBreak.objects.get()
    user = User.objects.create_user("ada")
    resolve([row], "IGNORED", by=user.pk, note="interest of a day")
    row.refresh_from_db()
    assert (row.resolution, row.resolved_by, row.note) == ("IGNORED", user, "interest of a day")

    with pytest.raises(InvalidTransitionError, match="resolved as IGNORED"):
        resolve([row], "CORRECTED")

    # What may stay is no failure when it is found again.
    code, report = run(command, *write_statement(tmp_path, cash={"USD": "870"}))
    assert (code, report["differing"], report["open"]) == (0, 1, 0)
    assert ReconciliationBreak.objects.count() == 1


def test_a_break_that_comes_back_is_a_new_one(tmp_path, book):
    run(command, *write_statement(tmp_path, cash={"USD": "870"}))
    run(command, *write_statement(tmp_path, cash={"USD": "871"}))
    run(command, *write_statement(tmp_path, cash={"USD": "870"}))

    assert list(ReconciliationBreak.objects.order_by("found_at").values_list("resolution", flat=True)) == [
        "CORRECTED",
        "",
    ]
