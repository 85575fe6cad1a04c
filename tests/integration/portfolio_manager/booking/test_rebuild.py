"""`rebuild_positions` and the health check find every row that is not what the facts say, and the first mends it."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from friren.accounts import open_account
from friren.core.models import AuditLog
from friren.operations import health
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import AccountState, LedgerEntry, Position, PositionFill
from tests.books import at
from tests.stored_books import folded_books, stored_books
from trading_engine.models import Trade
from trading_engine.services import TradeLogger

pytestmark = pytest.mark.usefixtures("database")
D = Decimal


@pytest.fixture
def account():
    account = open_account("books", starting_cash=D(10_000), cost_basis="FIFO")
    tracker = PortfolioTracker(account)
    fill = {"symbol": "AAPL", "quantity": D(10), "commission": D(1)}
    tracker.record_trade(**fill, action="buy", price=D(10), timestamp=at(1))
    tracker.record_trade(**fill, action="buy", price=D(12), timestamp=at(2))
    tracker.record_trade(**(fill | {"quantity": D(15)}), action="sell", price=D(14), timestamp=at(3))
    tracker.record_trade(**fill, action="short", price=D(14), timestamp=at(3), leverage=D(3), strategy_used="b")
    tracker.apply_corporate_action("AAPL", "SPLIT", at(4), ratio=2)
    tracker.record_trade(market="m", action="buy_yes", quantity=D(10), price=D("0.5"), timestamp=at(1))
    tracker.resolve_market("m", "YES", at(5))
    return account


def run(*arguments: str) -> tuple[dict, int]:
    out, code = StringIO(), 0
    try:
        call_command("rebuild_positions", "--json", *arguments, stdout=out)
    except SystemExit as exit_:
        code = exit_.code
    return json.loads(out.getvalue()), code


def update(model, **values) -> None:
    row = model.objects.order_by("id").first()
    model.objects.filter(pk=row.pk).update(**values)


DAMAGES = {
    "a quantity": lambda: Position.objects.filter(status="open").update(quantity=D("29.5")),
    "a cost": lambda: update(Position, total_cost=D(1)),
    "a regime": lambda: update(Position, regime_at_entry="BULL"),
    "a leg": lambda: update(PositionFill, realized_pnl=D("0.000000000000000001")),
    "lots": lambda: PositionFill.objects.filter(role="INCREASE").update(lots_after=[["1", "1"]]),
    "a lost leg": lambda: PositionFill.objects.earliest("executed_at").delete(),
    "an amount": lambda: LedgerEntry.objects.filter(kind="FILL").update(amount=D(1)),
    "a deposit": lambda: LedgerEntry.objects.filter(kind="DEPOSIT").update(amount=D(9_999)),
    "a lost deposit": lambda: LedgerEntry.objects.filter(kind="DEPOSIT").delete(),
    "a lost commission": lambda: LedgerEntry.objects.filter(kind="COMMISSION").first().delete(),
    "a balance": lambda: AccountState.objects.update(balance=D(1)),
    "another currency": lambda: AccountState.objects.update(balances={"EUR": "1"}),
    "a count": lambda: AccountState.objects.update(trade_count=99),
    "everything": lambda: [model.objects.all().delete() for model in (LedgerEntry, PositionFill, Position)],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_planted_difference_is_found_and_mended(account, damage: str) -> None:
    whole = stored_books(account.id)
    assert run("--check") == ({"accounts": 1, "positions": 3, "differences": 0, "found": []}, 0)
    DAMAGES[damage]()
    damaged = stored_books(account.id)
    report, code = run("--check")
    assert code == 1
    assert report["differences"] >= 1
    assert stored_books(account.id) == damaged
    report, code = run()
    assert (code, report["differences"] >= 1) == (0, True)
    assert stored_books(account.id) == whole == folded_books(account)
    assert run("--check")[0]["differences"] == 0
    entry = AuditLog.objects.get(source="rebuild")
    assert (entry.account_id, entry.after["replaced"]) == (account.id, report["differences"])


def test_a_row_that_no_fact_asks_for_is_extra(account) -> None:
    whole = stored_books(account.id)
    opening = Trade.objects.get(executed_at=at(2))
    Position.objects.create(
        id=opening.id,
        account_id=account.id,
        symbol=opening.symbol,
        trade=opening,
        side="LONG",
        slot="x",
        quantity=1,
        total_cost=1,
        opened_quantity=1,
        opened_cost=1,
        opened_at=at(2),
    )
    report, _ = run("--check")
    assert [(one["table"], one["what"]) for one in report["found"]][:1] == [("position", "extra")]
    run()
    assert stored_books(account.id) == whole


def test_a_difference_says_what_is_and_what_should_be(account) -> None:
    Position.objects.filter(status="open", strategy_used="b").update(quantity=D("19.5"))
    (found,) = run("--check")[0]["found"]
    assert (found["account"], found["table"]) == ("books", "position")
    assert found["what"] == "quantity 19.5 should be 20"


def test_only_the_accounts_asked_for_are_folded(account) -> None:
    open_account("other", starting_cash=D(5))
    assert run("--check")[0]["accounts"] == 2
    assert run("--check", "--account", "other")[0] == {"accounts": 1, "positions": 0, "differences": 0, "found": []}


def test_what_is_not_booked_yet_is_booked_and_no_difference(account) -> None:
    TradeLogger(account).log_trade(symbol="AAPL", action="buy", quantity=D(1), price=D(9), timestamp=at(0))
    assert run("--check")[0]["differences"] == 0
    assert stored_books(account.id) == folded_books(account)


def books_finding() -> health.Finding:
    return health.examine(["books"]).checks["books"][0]


def test_health_is_well_when_the_books_agree(account) -> None:
    assert books_finding().ok, books_finding().message


@pytest.mark.parametrize(
    "damage", ["a quantity", "a cost", "a leg", "a lost leg", "a deposit", "a balance", "another currency"]
)
def test_health_sees_books_that_do_not_agree_with_themselves(account, damage: str) -> None:
    DAMAGES[damage]()
    finding = books_finding()
    assert not finding.ok
    assert "rebuild_positions" in finding.message


def test_health_sees_what_has_waited_to_be_booked_for_a_minute(account) -> None:
    receipt = TradeLogger(account).log_trade(symbol="AAPL", action="buy", quantity=D(1), price=D(9), timestamp=at(9))
    assert books_finding().ok
    with connection.cursor() as cursor:
        # Facts are frozen; only a clock could age one.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE trading_engine_trade SET created_at = now() - interval '2 minutes' WHERE id = %s", [receipt.id]
        )
        cursor.execute("SET session_replication_role = origin")
    assert books_finding().details["unbooked"] == ["books"]
    PortfolioTracker(account).get_current_positions()
    assert books_finding().ok
