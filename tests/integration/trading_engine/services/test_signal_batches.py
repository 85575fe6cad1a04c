"""Signals given together: the current ones are the newest batch, and a batch is kept by its month."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

import friren
from friren.core.models import SystemMetadata
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import SignalArchive
from trading_engine.services import SignalLogger

NOON = dt.datetime(2026, 5, 31, 23, 30, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(hours=1)


@pytest.fixture
def signals():
    with SignalLogger(friren.open_account("book")) as logger:
        yield logger


def advice(market: str) -> dict:
    return {
        "signal_type": "BUY_NO", "market": market, "target_price": Decimal("0.9"), "amount": Decimal("12.50"),
        "yes_price": Decimal("0.1"), "no_price": Decimal("0.9"), "confidence_score": 0.5, "strategy_name": "overround",
    }  # fmt: skip


def test_the_newest_batch_is_current(signals) -> None:
    signals.log_batch([advice("1"), advice("2")], NOON)
    signals.log_batch([advice("3")], LATER)
    signals.log_signal(**advice("4"), timestamp=LATER + (LATER - NOON))

    assert [row.market for row in signals.current_signals()] == ["3"]
    assert SystemMetadata.objects.get(key="last_signal_generation").value.startswith("2026-06-01T00:30")


def test_a_batch_is_kept_once_as_it_stands(signals) -> None:
    assert signals.archive_current_signals(NOON) is None
    signals.log_batch([advice("1"), advice("2")], NOON)

    outcomes = [signals.archive_current_signals(at).outcome for at in (NOON, LATER)]
    signals.mark_processed(signals.current_signals()[0], timestamp=LATER)
    outcomes.append(signals.archive_current_signals(LATER).outcome)

    assert outcomes == [WriteOutcome.STORED, WriteOutcome.DUPLICATE, WriteOutcome.STORED]
    first = SignalArchive.objects.earliest("recorded_seq")
    assert (first.archive_month, first.signals_count, first.archived_at) == ("2026-05", 2, NOON)
    assert {one["market"] for one in first.signals_data} == {"1", "2"}
    assert {one["amount"] for one in first.signals_data} == {"12.5"}


def test_another_book_has_signals_of_its_own(signals) -> None:
    signals.log_batch([advice("1")], NOON)

    assert SignalLogger(friren.open_account("other")).current_signals() == []


def test_a_wrong_signal_is_named_and_the_others_stored(signals) -> None:
    receipt = signals.log_batch([advice("1"), {**advice("2"), "amount": None}, "no signal"], NOON)

    assert (receipt.stored, [index for index, _ in receipt.rejected]) == (1, [1, 2])
