"""Transactions of zipline and pyfolio: recorded output of the real engines, in the shape in which they hand it out."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from types import SimpleNamespace

import pandas as pd
import pytest

from friren.errors import RejectedRecordError
from portfolio_manager.engine_runs import record_run
from portfolio_manager.models import CorporateAction, Position
from tests import engines
from trading_engine.backtesting.adapters import from_transactions, from_zipline

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def perf(shared_data):
    """The table that `run_algorithm()` returned: the recorded rows, put back into the cells that they came from."""
    told = json.loads((shared_data / "trades" / "zipline" / "dual_ema_talib.json").read_text())
    lists: dict[str, dict[str, list[dict]]] = {
        name: defaultdict(list) for name in ("transactions", "orders", "positions")
    }
    for name, by_session in lists.items():
        for row in told[name]:
            session = row.pop("session")
            row["sid"] = SimpleNamespace(sid=row["sid"], symbol=row.pop("symbol"))
            for stamp in {"dt", "created"} & row.keys():
                row[stamp] = pd.Timestamp(row[stamp])
            by_session[session].append(row)
    days = told["daily_performance"]
    index = pd.DatetimeIndex([pd.Timestamp(day["session"]) for day in days])
    table = pd.DataFrame(days, index=index)
    for name, by_session in lists.items():
        table[name] = [by_session[day["session"]] for day in days]
    for stamp in ("period_open", "period_close"):
        table[stamp] = [pd.Timestamp(day[stamp]) for day in days]
    return table


def test_a_run_of_zipline_matches_to_the_cent_over_a_split(perf) -> None:
    report = record_run(from_zipline(perf, strategy="dual_ema"))

    assert engines.differences(report.account, perf["portfolio_value"]) == []
    assert engines.same(engines.cash(report.account), perf["ending_cash"].iloc[-1])
    told = [row for cell in perf["transactions"] for row in cell]
    ours = [(float(engines.signed(fill)), float(fill.price)) for fill in engines.fills(report.account)]
    assert ours == [(row["amount"], pytest.approx(row["price"], rel=1e-14)) for row in told]
    assert sum(fill.commission for fill in engines.fills(report.account)) == 7
    assert {fill.action for fill in engines.fills(report.account)} == {"buy", "sell"}
    (split,) = CorporateAction.objects.filter(account__name=report.account)
    assert (split.ratio, split.effective_at.date().isoformat()) == (7, "2014-06-09")
    assert Position.objects.get(account__name=report.account, status="open").quantity == 700


def test_a_dividend_that_shows_in_the_cash_alone_is_kept_as_such(perf) -> None:
    moved = perf.columns.get_indexer(["ending_cash", "portfolio_value"])
    perf.iloc[100:, moved] += 47.0
    perf.iloc[101:, perf.columns.get_loc("starting_cash")] += 47.0

    run = from_zipline(perf, strategy="dual_ema")

    assert [(each.kind, each.amount) for each in run.movements] == [("ADJUSTMENT", Decimal(47))]
    assert engines.same(record_run(run).final_equity, perf["portfolio_value"].iloc[-1])


def test_the_example_of_the_page_matches(perf, shared_data, tmp_path, monkeypatch) -> None:
    folder = shared_data / "trades" / "pyfolio_2004"
    for name, source in (("transactions.csv", "txn.csv"), ("positions.csv", "pos.csv")):
        (tmp_path / name).write_bytes((folder / source).read_bytes())
    perf.to_pickle(tmp_path / "perf.pickle")
    monkeypatch.chdir(tmp_path)

    found = engines.example("record-zipline.md")

    assert engines.same(found["report"].final_equity, 10_016_798.2)
    # The reference figures of 2004.
    account, positions = found["again"].account, found["positions"]
    assert engines.differences(account, positions.sum(axis=1)) == []
    assert engines.cash(account) == pytest.approx(Decimal("24022.2049136"), abs=Decimal("1e-6"))
    held = Position.objects.filter(account__name=account, status="open").values_list(
        "symbol__ticker", "side", "quantity"
    )
    assert {ticker: int(q) if side == "LONG" else -int(q) for ticker, side, q in held} == {
        "AMD": 2139, "CERN": 2092, "COST": -170, "DELL": 424, "GPS": -6, "INTC": 2514, "MMM": 25,
    }  # fmt: skip
    assert engines.hooks_up_in_ten_lines("record-zipline.md", block=1)


def test_rows_without_positions_are_valued_at_the_last_price_traded() -> None:
    rows = [
        {"dt": "2024-01-02T15:00:00Z", "symbol": "AAA", "amount": 10, "price": 5.1, "commission": 1.0},
        {"dt": "2024-01-03T15:00:00Z", "sid": "Equity(24 [AAA])", "amount": -4, "price": 6.0},
    ]
    with pytest.raises(RejectedRecordError, match="starting_cash"):
        from_transactions(rows, strategy="few")

    report = record_run(from_transactions(rows, strategy="few", starting_cash=100))

    assert report.final_equity == Decimal("100") - Decimal("51") - 1 + 24 + 36
