"""Events, markets and snapshots of prediction venues: of two tellings the later holds, and what a market is stays."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import connection

from friren.core.models import SystemMetadata
from friren.errors import KeyReusedError, RejectedRecordError
from friren.persistence.receipts import WriteOutcome
from trading_engine.models import PredictionEvent, PredictionMarket, PredictionMarketSnapshot
from trading_engine.services import MarketRecorder

NOON = dt.datetime(2026, 5, 17, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(minutes=11)
TOKEN = "65193234666628291664907888364936366210889305490897648116746073820519263548476"


@pytest.fixture
def recorder():
    with MarketRecorder() as one:
        yield one


def market(**told):
    return {"market_id": "906973", "question": "Will the Fed cut?", "told_at": NOON, **told}


class TestEvents:
    def test_are_told_once_and_once_more(self, recorder) -> None:
        told = {
            "event_id": "101772", "title": "Fed Decision in June?", "slug": "fed-june", "told_at": NOON,
            "volume": Decimal("31056779.914250713"), "ends_at": LATER, "event_data": {"tags": ["fed"]},
            "is_filtered": False,
        }  # fmt: skip

        assert [recorder.record_event(**told).outcome for _ in range(2)] == ["STORED", "DUPLICATE"]

        stored = PredictionEvent.objects.get()
        assert {name: getattr(stored, name) for name in told} == told

    def test_move_on_with_the_later_telling_whatever_the_order(self, recorder) -> None:
        recorder.record_event(event_id="1", title="later", volume=2, told_at=LATER, event_data={"a": 2})
        older = recorder.record_event(event_id="1", title="older", volume=1, liquidity=7, told_at=NOON,
                                      event_data={"a": 1, "b": 1})  # fmt: skip

        assert older.outcome is WriteOutcome.STORED
        stored = PredictionEvent.objects.get()
        assert (stored.title, stored.volume, stored.told_at) == ("later", 2, LATER)
        # Nobody had told these yet.
        assert (stored.liquidity, stored.event_data) == (7, {"a": 2, "b": 1})

    def test_a_filter_that_is_lifted_is_set_again(self, recorder) -> None:
        recorder.record_event(event_id="1", title="x", is_filtered=False, told_at=NOON)
        recorder.record_event(event_id="1", is_filtered=True, told_at=LATER)

        assert PredictionEvent.objects.get().is_filtered

    def test_a_new_one_needs_a_title(self, recorder) -> None:
        with pytest.raises(RejectedRecordError, match="title"):
            recorder.record_event(event_id="1", volume=3)

        assert not PredictionEvent.objects.exists()


class TestMarkets:
    def test_keep_every_digit_of_their_tokens(self, recorder) -> None:
        recorder.record_market(**market(yes_token_id=TOKEN))

        assert PredictionMarket.objects.get().yes_token_id == TOKEN
        assert len(TOKEN) == 77

    def test_are_decided_once_and_for_all(self, recorder) -> None:
        recorder.record_market(**market(yes_price=Decimal("0.4")))
        recorder.record_market(**market(resolved_outcome="no", yes_price=0, no_price=1, told_at=LATER))

        with pytest.raises(KeyReusedError, match="resolved_outcome"):
            recorder.record_market(**market(resolved_outcome="YES", yes_price=1, told_at=LATER + (LATER - NOON)))

        stored = PredictionMarket.objects.get()
        assert (stored.resolved_outcome, stored.yes_price) == ("NO", 0)
        assert not PredictionMarket.objects.tradable().exists()
        assert PredictionMarket.objects.resolved().get() == stored

    @pytest.mark.parametrize("price", [Decimal("1.01"), Decimal("-0.01")])
    def test_prices_lie_between_nothing_and_one(self, recorder, price) -> None:
        with pytest.raises(RejectedRecordError, match="no_price"):
            recorder.record_market(**market(no_price=price))

    def test_an_export_leaves_a_snapshot_of_each_and_a_note(self, recorder) -> None:
        told = [market(market_id=str(n), yes_price=Decimal("0.4"), volume=n) for n in range(3)]
        bad = market(market_id="bad", yes_price=2)

        first = recorder.record_markets([*told, bad], LATER)
        again = recorder.record_markets(told, LATER)

        assert (first.stored, first.duplicates, [index for index, _ in first.rejected]) == (3, 0, [3])
        assert (again.stored, again.duplicates, again.rejected) == (0, 3, [])
        assert PredictionMarketSnapshot.objects.filter(timestamp=NOON).count() == 3
        assert SystemMetadata.objects.get(key="last_market_filter").value == "2026-05-17T12:11:00.000000+00:00"

    def test_a_note_is_never_put_back(self, recorder) -> None:
        recorder.record_events([], LATER)
        recorder.record_events([], NOON)

        assert SystemMetadata.objects.get(key="last_event_export").value.startswith("2026-05-17T12:11")


class TestSnapshots:
    def test_are_facts(self, recorder) -> None:
        told = {"market": "906973", "timestamp": NOON, "yes_price": Decimal("0.0055"), "no_price": Decimal("0.9945")}

        assert [recorder.log_market_snapshot(**told).outcome for _ in range(2)] == ["STORED", "DUPLICATE"]
        with pytest.raises(KeyReusedError):
            recorder.log_market_snapshot(**{**told, "yes_price": Decimal("0.006")})

        (row,) = recorder.get_snapshot_history("906973")
        assert (row.yes_price, row.no_price) == (Decimal("0.0055"), Decimal("0.9945"))

    def test_lie_in_the_partition_of_their_month(self, recorder) -> None:
        recorder.bulk_log_snapshots(
            {"market": "1", "timestamp": NOON.replace(month=month), "volume": month} for month in (3, 4)
        )

        with connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM trading_engine_predictionmarketsnapshot")
            tables = {name for (name,) in cursor.fetchall()}
        assert len(tables) == 2
        assert not any(name.endswith("default") for name in tables)

    def test_are_told_by_journal_as_directly(self) -> None:
        with MarketRecorder(mode="journal") as journal:
            journal.record_market(**market())
            journal.record_markets([market(yes_price=Decimal("0.3"), told_at=LATER)], LATER)
            assert journal.flush(10)

        assert PredictionMarket.objects.get().yes_price == Decimal("0.3")
        assert PredictionMarketSnapshot.objects.get().timestamp == LATER

    def test_a_market_and_its_event_are_read_with_its_trades_in_one_question(self, recorder) -> None:
        recorder.record_event(event_id="101772", title="Fed")
        recorder.record_market(**market(event="101772"))

        row = PredictionMarket.objects.select_related("event").get()

        assert row.event.title == "Fed"
