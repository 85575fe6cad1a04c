"""Bars that went to the journal: stored once, as the loader stores them, in months that are made for them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection

from friren.persistence.codec import decode, encode
from friren.persistence.engines import engine_for
from friren.persistence.models import DeadLetter
from trading_engine.data.bars import Bar
from trading_engine.models import Price, PriceRevision
from trading_engine.services import PriceRecorder
from trading_engine.services.price_loading import PriceLoader, price_fact
from trading_engine.services.price_records import record_of


def bar(day="2024-01-02", close="2", **changes):
    return Bar(
        **{
            "symbol": "SPY", "timestamp": dt.datetime.fromisoformat(f"{day}T00:00:00+00:00"), "timeframe": "1d",
            "open": Decimal(1), "high": Decimal(3), "low": Decimal("0.5"), "close": Decimal(close),
            "volume": Decimal(7), "source": "test",
        }
        | changes
    )  # fmt: skip


def days(count, first="2024-01-01", **changes):
    start = dt.date.fromisoformat(first)
    return [bar((start + dt.timedelta(days=n)).isoformat(), **changes) for n in range(count)]


@pytest.fixture
def journal():
    """A recorder whose bars all go by the journal."""
    with PriceRecorder(mode="journal") as recorder:
        yield recorder


@pytest.fixture
def direct():
    with PriceRecorder() as recorder:
        yield recorder


def drained() -> None:
    assert engine_for().flush(120)


def outcomes(receipt):
    return receipt.stored, receipt.duplicates, receipt.conflicts, receipt.revised, receipt.journaled


def test_a_bar_by_the_journal_is_the_row_that_the_loader_makes(journal, direct) -> None:
    given = [bar(), bar("1993-01-29", close="9"), bar(symbol="VIX", volume=Decimal(0), adjusted_close=Decimal("1.5"))]

    assert outcomes(journal.record_bars(given)) == (0, 0, 0, 0, 3)
    drained()

    assert outcomes(direct.record_bars(given)) == (0, 3, 0, 0, 0)
    assert [row.is_suspect for row in Price.objects.order_by("timestamp", "symbol__ticker")] == [True, False, False]
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM trading_engine_price ORDER BY 1")
        assert [name for (name,) in cursor.fetchall()] == [
            "trading_engine_price_y1993m01", "trading_engine_price_y2024m01",
        ]  # fmt: skip


def test_a_bar_told_again_is_a_duplicate_and_one_with_other_values_a_dead_letter(journal, direct) -> None:
    direct.record_bars([bar(close="1")])

    journal.record_bars([bar(close="1"), bar(close="2.5"), bar("2024-01-03")])
    drained()

    assert {row.close for row in Price.objects.all()} == {Decimal(1), Decimal(2)}
    (letter,) = DeadLetter.objects.all()
    assert (letter.kind, letter.error_class, letter.fact_id) == ("price", "KeyReusedError", price_fact(bar()).id)


def test_a_revision_by_the_journal_replaces_and_keeps_once(journal, direct) -> None:
    direct.record_bars([bar(close="1"), bar("2024-01-03", close="1")])
    new = [bar(close="2.5"), bar("2024-01-03", close="1"), bar("2024-01-04")]

    assert outcomes(journal.record_bars(new, revise=True, reason="wrong before")) == (0, 0, 0, 0, 3)
    drained()
    journal.record_bars(new, revise=True, reason="told again")
    drained()

    assert [row.close for row in Price.objects.order_by("timestamp")] == [Decimal("2.5"), Decimal(1), Decimal(2)]
    (kept,) = PriceRevision.objects.all()
    assert (kept.close, kept.reason) == (Decimal(1), "wrong before")
    assert not DeadLetter.objects.exists()


def test_a_revision_does_not_overtake_the_bar_that_it_revises(journal, direct) -> None:
    for turn in range(10):
        day = f"2024-02-{turn + 1:02}"
        journal.record_bars([bar(day, close="1")])
        direct.record_bars([bar(day, close="2")], revise=True)
    drained()

    assert {row.close for row in Price.objects.all()} == {Decimal(2)}
    assert PriceRevision.objects.count() == 10


def test_bars_of_more_months_than_a_batch_of_the_loader_has_are_drained(journal) -> None:
    given = [bar(f"{year}-{month:02}-01") for year in range(1950, 2020) for month in range(1, 13)]

    assert journal.record_bars(given).journaled == 840
    drained()

    assert Price.objects.count() == 840


@pytest.mark.parametrize("revising", [None, PriceLoader(revising=True, reason="why").revising], ids=["bar", "revision"])
@pytest.mark.parametrize("given", [bar(), bar(source="yahoo"), bar(close="9", adjusted_close=Decimal("-1"))], ids=str)
def test_a_record_says_all_of_a_bar(given, revising) -> None:
    fact = price_fact(given)
    record = decode(encode(record_of(fact, revising)))

    assert record.id == fact.id
    assert revising is not None or record.digest == fact.digest
    assert record.values["symbol"] == ["SPY", ""]
