"""From a signal to the cash and back: page leads to page, and an account's page says where it stands."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from friren.accounts import open_account
from friren.core.models import Account
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import (
    CashMovement,
    CorporateAction,
    LedgerEntry,
    MarketResolution,
    Position,
    PositionFill,
)
from tests.factories import MONDAY, AccountFactory, BacktestResultFactory, PriceFactory, UserFactory
from trading_engine.models import BacktestRun, Order, Signal, Symbol, Trade
from trading_engine.services import PriceRecorder, SignalLogger, TradeLogger


def minute(number: int) -> dt.datetime:
    return MONDAY + dt.timedelta(minutes=number)


@pytest.fixture
def client() -> Client:
    signed_in = Client()
    signed_in.force_login(UserFactory(is_staff=True, is_superuser=True))
    return signed_in


@pytest.fixture
def story():
    """A signal, the order it led to, its two fills, and a sale: 10 and 5 AAPL bought, 6 sold."""
    book = open_account("momentum", starting_cash=Decimal(100_000))
    trades, tracker, signals = TradeLogger(account=book), PortfolioTracker(account=book), SignalLogger(account=book)
    signal = signals.log_signal(symbol="AAPL", signal_type="BUY", timestamp=minute(0), strategy_name="sma_cross")
    order = trades.log_order(
        symbol="AAPL", action="buy", quantity=15, timestamp=minute(1), signal=signal.id, strategy_used="sma_cross"
    )
    trades.update_order_status(order.id, "submitted", timestamp=minute(2))
    fill = {"symbol": "AAPL", "strategy_used": "sma_cross", "commission": Decimal(1)}
    first = tracker.record_trade(
        action="buy", quantity=10, price=Decimal("187.32"), timestamp=minute(3), order=order.id, **fill
    )
    second = tracker.record_trade(
        action="buy", quantity=5, price=Decimal("187.50"), timestamp=minute(4), order=order.id, **fill
    )
    signals.mark_executed(signal.id, first.id, timestamp=minute(5))
    sale = tracker.record_trade(action="sell", quantity=6, price=Decimal("190.32"), timestamp=minute(6), **fill)
    tracker.mark_to_market({"AAPL": Decimal("191.32")}, minute(7))
    return SimpleNamespace(
        book=book, tracker=tracker, trades=trades,
        account=Account.objects.get(id=book.id), signal=Signal.objects.get(id=signal.id),
        order=Order.objects.get(id=order.id), first=Trade.objects.get(id=first.id),
        second=Trade.objects.get(id=second.id), sale=Trade.objects.get(id=sale.id), position=Position.objects.get(),
    )  # fmt: skip


def path_of(row) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def leads(client, start, *targets) -> None:
    """Assert that the page of one row links to the others."""
    links = set(re.findall(r'href="([^"]+)"', client.get(path_of(start)).content.decode()))
    for target in targets:
        assert path_of(target) in links, (start, target)


def table(client, row, title: str) -> list[list[str]]:
    """The cells of a panel as text."""
    (panel,) = [one for one in client.get(path_of(row)).context["panels"] if one.title == title]
    return [[re.sub(r"<[^>]+>", "", str(cell)) for cell in cells] for cells in panel.rows]


def test_every_step_leads_to_the_next_and_back(client, story) -> None:
    fills = list(PositionFill.objects.order_by("executed_at"))
    ledger = list(LedgerEntry.objects.filter(trade=story.first))

    leads(client, story.signal, story.order, story.first)
    leads(client, story.order, story.signal, story.first, story.second, *fills[:2], story.position)
    leads(client, story.first, story.order, story.signal, story.position, fills[0], *ledger, story.account)
    leads(client, story.position, *fills, story.first, story.second, story.sale, story.account)
    leads(client, fills[0], story.position, story.first)
    assert len(ledger) == 2
    for entry in ledger:
        leads(client, entry, story.first)
    leads(client, story.account, story.first, story.order, story.signal, story.position)
    leads(client, Symbol.objects.get(), story.first, story.order, story.signal, story.position)


def test_lists_link_to_what_a_row_refers_to(client, story) -> None:
    listed = client.get(reverse("admin:trading_engine_trade_changelist")).content.decode()
    for target in (story.first, story.account, story.order, Symbol.objects.get()):
        assert f'href="{path_of(target)}' in listed


def test_a_busted_trade_and_its_correction_lead_to_each_other(client, story) -> None:
    _bust, right = story.trades.correct_trade(
        story.second, reason="wrong price",
        corrected={"symbol": "AAPL", "action": "buy", "quantity": 5, "price": Decimal(187), "timestamp": minute(4)},
    )  # fmt: skip
    correction = Trade.objects.get(id=right.id)

    leads(client, story.second, correction)
    leads(client, correction, story.second)
    assert [cells[1:3] for cells in table(client, story.second, "Status")] == [["filled", "busted"]]


def test_a_run_leads_to_its_account_and_result_and_back(client) -> None:
    result = BacktestResultFactory()
    run = BacktestRun.objects.get()

    leads(client, run, result.account, result)
    leads(client, result, run, result.account)
    leads(client, result.account, run)


def test_both_sides_of_a_round_trip_lead_to_each_other(client) -> None:
    book = open_account("paper")
    entry, exit_ = TradeLogger(account=book).log_round_trip(
        action="buy", quantity=1, entry_price=10, entry_timestamp=minute(0), exit_price=11, exit_timestamp=minute(1),
        symbol="AAPL",
    )  # fmt: skip
    leads(client, Trade.objects.get(id=entry.id), Trade.objects.get(id=exit_.id))
    leads(client, Trade.objects.get(id=exit_.id), Trade.objects.get(id=entry.id))


def test_cash_splits_and_resolutions_lead_to_what_they_did(client, story) -> None:
    story.tracker.apply_corporate_action("AAPL", "SPLIT", minute(8), ratio=4)
    story.tracker.record_trade(
        market="election", action="buy_yes", quantity=100, price=Decimal("0.4"), timestamp=minute(9)
    )
    story.tracker.resolve_market("election", "YES", minute(10))
    (deposit,), (split,), (end,) = (m.objects.all() for m in (CashMovement, CorporateAction, MarketResolution))

    leads(client, deposit, LedgerEntry.objects.get(cash_movement=deposit))
    leads(client, split, PositionFill.objects.get(corporate_action=split), story.position)
    leads(client, end, PositionFill.objects.get(resolution=end), LedgerEntry.objects.get(resolution=end))


def test_a_bar_leads_to_what_it_was_before(client) -> None:
    bar = PriceFactory(close=Decimal("187.32"))
    values = {name: getattr(bar, name) for name in ("timestamp", "open", "high", "low", "volume")}
    PriceRecorder().record_bars([values | {"close": Decimal("187.40")}], symbol=bar.symbol, revise=True)

    assert table(client, bar, "Revisions")[0][4] == "187.32"


def test_an_account_shows_where_it_stands(client, story) -> None:
    shown = dict(table(client, story.account, "Overview"))
    # Bought for 1873.2 + 937.5 = 2810.7, so 187.38 each; sold 6 for 1141.92; three commissions of 1.
    assert shown["Balance"] == "98328.22 USD"
    assert shown["Positions"] == "1 open, 0 closed"
    assert shown["Realised profit"] == "17.64 USD"
    assert shown["Unrealised profit"] == "35.46 USD"
    assert shown["Value of open positions"] == "1721.88 USD"
    assert shown["Commission"] == "3 USD"
    assert shown["Trades"] == "3 booked"
    assert shown["Marked at"] == "2024-01-08 14:37 UTC"


def test_an_account_without_books_says_so(client) -> None:
    assert table(client, AccountFactory(), "Overview") == [["Books", "nothing is booked yet"]]


def test_positions_without_a_mark_are_told_apart(client, story) -> None:
    story.tracker.record_trade(symbol="MSFT", action="buy", quantity=1, price=400, timestamp=minute(8))

    assert table(client, story.account, "Overview")[-3] == ["Marked at", "2024-01-08 14:37 UTC, 1 open without a mark"]


def test_profits_in_two_currencies_are_never_added(client, story) -> None:
    Symbol.objects.create(ticker="SAP", currency="EUR")
    for action, price, number in (("buy", 100, 8), ("sell", 110, 9)):
        story.tracker.record_trade(symbol="SAP", action=action, quantity=1, price=price, timestamp=minute(number))

    lines = table(client, story.account, "Overview")
    assert [value for name, value in lines if name == "Realised profit"] == ["10 EUR", "17.64 USD"]


def test_an_account_asks_as_many_queries_however_much_it_traded(client, story) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path_of(story.account)).status_code == 200
        return len(captured)

    queries()
    few = queries()
    for number in range(10, 30):
        story.tracker.record_trade(
            symbol="AAPL", action="buy", quantity=1, price=190, timestamp=minute(number), strategy_used=f"s{number}"
        )
    assert queries() == few <= 20
    panels = {panel.title: panel for panel in client.get(path_of(story.account)).context["panels"]}
    assert len(panels["Open positions"].rows) == 10
    assert "status=open" in panels["Open positions"].more
    more = re.search(r'href="([^"]+)"', str(panels["Open positions"].more)).group(1).replace("&amp;", "&")
    assert client.get(more).context["cl"].counted.rows == 21


def test_every_panel_leads_to_all_of_its_rows(client, story, monkeypatch) -> None:
    monkeypatch.setattr("friren.operations.admin.panels.ROWS_SHOWN", 0)
    followed = 0
    for row in (story.signal, story.order, story.first, story.position, story.account, Symbol.objects.get()):
        for panel in client.get(path_of(row)).context["panels"]:
            if panel.title != "Overview":
                more = re.search(r'href="([^"]+)"', str(panel.more)).group(1).replace("&amp;", "&")
                assert client.get(more).context["cl"].counted.rows > 0, (row, panel.title)
                followed += 1
    assert followed > 15


def test_a_position_shows_what_a_unit_cost(client, story) -> None:
    listed = client.get(reverse("admin:portfolio_manager_position_changelist")).content.decode()

    assert '<td class="field-entry_price"><span class="friren-number">187.38</span></td>' in listed
