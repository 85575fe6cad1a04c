"""The paper-trading cycle on a venue's real answers: one row set per stage, and no export is traded twice."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import Sum

import friren
from friren.core.models import SystemMetadata
from portfolio_manager.data_logger import PortfolioTracker
from portfolio_manager.models import PortfolioHistory, PortfolioSnapshot, PortfolioState, Position
from portfolio_manager.prediction_cycle import PredictionCycle
from trading_engine.data.market_exports import market_exports
from trading_engine.models import (
    PredictionEvent,
    PredictionMarketSnapshot,
    Signal,
    SignalArchive,
    Trade,
)
from trading_engine.services import SignalLogger
from trading_engine.strategies import Overround

D = Decimal
FEBRUARY = dt.datetime(2026, 2, 25, 15, tzinfo=dt.UTC)
# What the nine markets of February on how many are deported cost together.
SUM_OF_YES = D("1.0175")


def run(*paths, **options):
    out = StringIO()
    call_command("prediction_cycle", *map(str, paths), as_json=True, stdout=out, **options)
    return json.loads(out.getvalue())


@pytest.fixture
def folder(shared_data):
    return shared_data / "polymarket"


@pytest.fixture
def write(tmp_path):
    def write_file(name, *markets, at, event="e"):
        told = [
            {"id": key, "conditionId": f"0x{key}", "question": f"{key}?", "updatedAt": at, "negRisk": True,
             "outcomes": '["Yes", "No"]', "outcomePrices": json.dumps([yes, str(1 - D(yes))]), **more}
            for key, yes, more in markets
        ]  # fmt: skip
        path = tmp_path / name
        path.write_text(json.dumps({"id": event, "title": event, "ticker": event, "updatedAt": at, "markets": told}))
        return path

    return write_file


def test_each_stage_leaves_its_rows(folder) -> None:
    report = run(folder)

    assert (report["events"], report["markets"]) == (PredictionEvent.objects.count() + 1, 24 + 5)
    assert PredictionMarketSnapshot.objects.count() == 29
    assert report["signals"] == report["trades"] == Signal.objects.count() == Trade.objects.count() == 9
    # Signal → trade → position, each in one question.
    rows = Signal.objects.select_related("trade__position", "market", "event").filter(executed=True)
    assert {row.trade.position.side for row in rows} == {"NO"}
    assert {row.market.question == row.market_question for row in rows} == {True}
    assert {row.event.title for row in rows} == {"How many people will Trump deport in 2025?"}
    assert Position.objects.filter(marked_at__isnull=False).count() == 9
    # Four exports: three days, and four moments.
    assert PortfolioSnapshot.objects.filter(kind="INTRADAY").count() == 4
    assert PortfolioHistory.objects.count() == 3
    keys = ("last_event_export", "last_market_filter", "last_signal_generation", "last_trade_execution")
    assert {key: bool(SystemMetadata.objects.get(key=key).value) for key in keys} == dict.fromkeys(keys, True)


def test_the_bets_cost_the_stake_and_hold_as_many_of_each(folder) -> None:
    run(folder / "gamma_markets_20260225.json", stake=D(100))

    total = Trade.objects.aggregate(Sum("amount"))["amount__sum"]
    tokens = set(Trade.objects.values_list("quantity", flat=True))
    assert abs(total - 100) < D("1e-15")
    assert max(tokens) - min(tokens) < D("1e-12")
    assert abs(min(tokens) - 100 / (9 - SUM_OF_YES)) < D("1e-9")
    assert PortfolioState.objects.get(account__name="prediction").balance == 10000 - total


def test_an_export_is_not_traded_twice(folder) -> None:
    run(folder)
    before = list(PortfolioSnapshot.objects.order_by("id").values())

    again = run(folder)

    assert (again["done_before"], again["trades"], again["signals"]) == (4, 0, 0)
    assert list(PortfolioSnapshot.objects.order_by("id").values()) == before
    assert D(again["balance"]) == PortfolioState.objects.get(account__name="prediction").balance


def test_a_cycle_that_was_cut_off_is_run_to_its_end(folder) -> None:
    book = friren.open_account("cut", starting_cash=1000)
    (export,) = market_exports("polymarket", [folder / "gamma_markets_20260225.json"])

    class Cut(PredictionCycle):
        def _bet(self, bet, at):
            if Trade.objects.count() == 4:
                raise KeyboardInterrupt
            return super()._bet(bet, at)

    with pytest.raises(KeyboardInterrupt):
        Cut(account=book, strategy=Overround(), stake=D(100)).run(export)
    done = PredictionCycle(account=book, strategy=Overround(), stake=D(100)).run(export)

    assert (done.trades, done.signals, done.refused) == (5, 0, {})
    assert Signal.objects.filter(executed=True, trade__isnull=False).count() == Trade.objects.count() == 9
    assert SignalArchive.objects.count() == 0


def test_what_is_held_or_too_dear_is_not_bought_and_the_signal_stays(write) -> None:
    priced = [("a", "0.6", {}), ("b", "0.5", {})]
    first = write("1.json", *priced, at="2026-01-01T12:00:00Z")
    second = write("2.json", *priced, at="2026-01-02T12:00:00Z")
    other = write("3.json", ("c", "0.6", {}), ("d", "0.5", {}), at="2026-01-03T12:00:00Z", event="f")

    report = run(first, second, other, starting_cash=D(150), stake=D(100))

    assert [one["trades"] for one in report["exports"]] == [2, 0, 0]
    assert [one["refused"] for one in report["exports"]] == [{}, {"held": 2}, {"no_cash": 2}]
    assert Signal.objects.filter(executed=False, processed=True).count() == 4
    assert [row.market for row in SignalLogger("prediction").current_signals()] != []
    assert SignalArchive.objects.count() == 2
    assert set(SignalArchive.objects.values_list("archive_month", "signals_count")) == {("2026-01", 2)}


def test_whatever_happens_the_set_pays_its_overround(write) -> None:
    over = {"closed": True, "umaResolutionStatus": "resolved", "closedTime": "2026-02-01T00:00:00Z"}
    run(
        write("1.json", ("a", "0.6", {}), ("b", "0.3", {}), ("c", "0.2", {}), at="2026-01-01T12:00:00Z"),
        write("2.json", ("a", "0", over), ("b", "1", over), ("c", "0", over), at="2026-02-02T12:00:00Z"),
        stake=D(190),
    )

    # 100 tokens of each for 190; two of three pay 1.
    assert set(Position.objects.values_list("status", flat=True)) == {"closed"}
    assert abs(PortfolioState.objects.get(account__name="prediction").balance - 10010) < D("1e-12")
    prices = {row.market_id: row.exit_price for row in Position.objects.all()}
    assert {key: price.quantize(D(1)) for key, price in prices.items()} == {"a": 1, "b": 0, "c": 1}
    pnl = PortfolioTracker("prediction").calculate_pnl(by="strategy")["overround"]
    assert abs(pnl.realized - 10) < D("1e-12")


def test_real_markets_that_were_decided_pay_one_or_nothing(folder) -> None:
    """The Fed of June 2025: no change. A bet on each side of each market, placed before."""
    from portfolio_manager.data_logger import PredictionTracker

    bets = PredictionTracker(friren.open_account("prediction", starting_cash=10000))
    at = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
    for number in range(521834, 521838):
        bets.buy_yes(market=str(number), quantity=100, price=D("0.25"), timestamp=at)
        bets.buy_no(market=str(number), quantity=100, price=D("0.75"), timestamp=at)

    report = run(folder / "gamma_search_fed.json")

    assert report["resolved"] == 4
    closed = {(row.market_id, row.side): row.exit_price for row in Position.objects.filter(status="closed")}
    assert len(closed) == 8
    assert {key for key, price in closed.items() if price == 1} == {
        ("521836", "YES"), ("521834", "NO"), ("521835", "NO"), ("521837", "NO"),
    }  # fmt: skip
    assert set(closed.values()) == {0, 1}
    assert D(report["balance"]) == 10000
