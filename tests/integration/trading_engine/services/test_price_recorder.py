"""Bars are stored once, whoever brings them; what differs is counted, and revised only when asked."""

import datetime as dt
import threading
from decimal import Decimal

import pandas as pd
import pytest
from django.db import connection, connections, transaction

from friren.errors import RejectedRecordError
from friren.persistence.facts import make_fact
from trading_engine.data.bars import Bar
from trading_engine.data.importers.parsed import UnreadableFileError
from trading_engine.models import Price, PriceRevision, Symbol
from trading_engine.services import price_loading
from trading_engine.services.price_loading import PriceLoader, price_fact
from trading_engine.services.price_recorder import PriceReceipt, PriceRecorder

pytestmark = pytest.mark.usefixtures("database")


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def bar(day="2024-01-02", close="2", **changes):
    return Bar(
        **{
            "symbol": "SPY", "timestamp": at(day), "timeframe": "1d", "open": Decimal(1), "high": Decimal(3),
            "low": Decimal("0.5"), "close": Decimal(close), "volume": Decimal(7), "source": "test",
        } | changes
    )  # fmt: skip


def days(count, first="2024-01-01", **changes):
    start = at(first)
    return [bar(**changes | {"day": (start + dt.timedelta(days=n)).date().isoformat()}) for n in range(count)]


@pytest.fixture
def prices():
    with PriceRecorder() as recorder:
        yield recorder


def counts(receipt):
    return receipt.stored, receipt.duplicates, receipt.conflicts, receipt.revised, len(receipt.rejected)


class TestStoring:
    def test_a_bar_is_read_back_as_it_was_given(self, prices):
        given = bar(close="2.123456789012345678", adjusted_close=Decimal("1.9"), volume=Decimal("7.5"))

        receipt = prices.record_bars([given])

        assert receipt == PriceReceipt(stored=1)
        (row,) = prices.bars("SPY")
        assert (row.symbol, row.timestamp, row.timeframe, row.source) == ("SPY", given.timestamp, "1d", "test")
        assert (row.open, row.high, row.low, row.close) == (given.open, given.high, given.low, given.close)
        assert (row.volume, row.adjusted_close, row.is_suspect) == (given.volume, given.adjusted_close, False)

    def test_the_same_bar_again_is_a_duplicate_however_it_is_written(self, prices):
        prices.record_bars([bar(close="2")])

        receipt = prices.record_bars([bar(close="2.000")])

        assert counts(receipt) == (0, 1, 0, 0, 0)
        assert Price.objects.count() == 1

    def test_other_values_are_kept_out_and_counted(self, prices):
        prices.record_bars([bar(close="2")])

        receipt = prices.record_bars([bar("2024-01-03"), bar(close="2.5")])

        assert counts(receipt) == (1, 0, 1, 0, 0)
        assert receipt.conflicting == [1]
        assert Price.objects.get(timestamp=at("2024-01-02")).close == 2

    def test_a_bar_named_twice_in_one_call_is_stored_once_and_the_first_counts(self, prices):
        receipt = prices.record_bars([bar(close="2"), bar(close="2"), bar(close="2.5")])

        assert counts(receipt) == (1, 1, 1, 0, 0)
        assert receipt.conflicting == [2]
        assert Price.objects.get().close == 2

    @pytest.mark.parametrize(
        "changes", [{"symbol": "QQQ"}, {"source": "other"}, {"timeframe": "1wk"}, {"day": "2024-01-03"}]
    )
    def test_symbol_source_timeframe_and_moment_are_the_key(self, prices, changes):
        receipt = prices.record_bars([bar(), bar(**changes)])

        assert counts(receipt) == (2, 0, 0, 0, 0)

    def test_the_same_ticker_at_two_venues_is_two_symbols(self, prices):
        prices.record_bars([bar()], symbol=("SPY", "ARCA"))
        prices.record_bars([bar()], symbol=("SPY", ""))

        assert sorted(Symbol.objects.values_list("ticker", "venue")) == [("SPY", ""), ("SPY", "ARCA")]
        assert len(prices.bars(("SPY", "ARCA"))) == len(prices.bars("SPY")) == 1

    def test_a_suspect_bar_is_stored_and_marked(self, prices):
        receipt = prices.record_bars([bar(open=Decimal(9))])

        assert (receipt.stored, receipt.suspect) == (1, 1)
        assert Price.objects.get().is_suspect is True

    def test_identity_and_digest_are_those_of_any_other_fact(self):
        given = bar(adjusted_close=Decimal("1.90"), open=Decimal(9))
        fields = {
            name: getattr(given, name)
            for name in ("timestamp", "timeframe", "open", "high", "low", "close", "volume", "adjusted_close", "source")
        }

        made = make_fact(Price, symbol="SPY", is_suspect=True, **fields)

        assert price_fact(given).digest == made.digest

    def test_nothing_is_taken_inside_an_open_transaction(self, prices):
        with transaction.atomic(), pytest.raises(RuntimeError, match="open transaction"):
            prices.record_bars([bar()])

        assert Price.objects.count() == 0

    def test_nothing_is_taken_after_the_end(self, prices):
        prices.close()

        with pytest.raises(RuntimeError, match="closed"):
            prices.record_bars([bar()])


class TestPartitions:
    def test_the_table_is_partitioned_and_each_month_has_its_own(self, prices):
        prices.record_bars([bar("1993-01-29"), bar("2024-02-29"), bar("2024-03-01")])

        with connection.cursor() as cursor:
            cursor.execute("SELECT relkind FROM pg_class WHERE oid = 'trading_engine_price'::regclass")
            assert cursor.fetchone() == ("p",)
            cursor.execute("SELECT tableoid::regclass::text FROM trading_engine_price ORDER BY timestamp")
            assert [name for (name,) in cursor.fetchall()] == [
                "trading_engine_price_y1993m01",
                "trading_engine_price_y2024m02",
                "trading_engine_price_y2024m03",
            ]

    def test_a_long_span_goes_in_batches_of_bounded_months(self):
        loader = PriceLoader()
        facts = [price_fact(bar(f"{year}-{month:02}-01")) for year in range(2000, 2020) for month in range(1, 13)]

        batches = list(loader.batches(facts))

        assert [len(batch) for batch in batches] == [60, 60, 60, 60]
        assert [fact for batch in batches for fact in batch] == facts

    def test_many_rows_go_in_batches_of_bounded_size(self, prices, monkeypatch):
        monkeypatch.setattr(price_loading, "BATCH_ROWS_MAX", 10)
        given = days(25)

        receipt = prices.record_bars([*given, *given])

        assert counts(receipt) == (25, 25, 0, 0, 0)


class TestRevising:
    def test_the_new_values_replace_the_old_ones_which_are_kept(self, prices):
        prices.record_bars([bar(close="2", adjusted_close=Decimal("1.9"))])

        receipt = prices.record_bars([bar(close="2.5", open=Decimal(9))], revise=True, reason="split restated")

        assert counts(receipt) == (0, 0, 1, 1, 0)
        row = Price.objects.get()
        assert (row.close, row.adjusted_close, row.open, row.is_suspect) == (Decimal("2.5"), None, 9, True)
        assert bytes(row.digest) == price_fact(bar(close="2.5", open=Decimal(9))).digest
        kept = PriceRevision.objects.get()
        assert (kept.price_id, kept.symbol_id, kept.timestamp) == (row.id, row.symbol_id, row.timestamp)
        assert (kept.close, kept.adjusted_close, kept.open) == (2, Decimal("1.9"), 1)
        assert (kept.timeframe, kept.source, kept.reason) == ("1d", "test", "split restated")

    def test_a_revised_bar_given_again_is_a_duplicate(self, prices):
        prices.record_bars([bar(close="2")])
        prices.record_bars([bar(close="2.5")], revise=True)

        receipt = prices.record_bars([bar(close="2.5")], revise=True)

        assert counts(receipt) == (0, 1, 0, 0, 0)
        assert PriceRevision.objects.count() == 1

    def test_each_revision_keeps_what_it_replaced(self, prices):
        for close in ("2", "2.5", "2.6", "2"):
            prices.record_bars([bar(close=close)], revise=True)

        assert Price.objects.get().close == 2
        kept = PriceRevision.objects.order_by("revised_at").values_list("close", flat=True)
        assert list(kept) == [2, Decimal("2.5"), Decimal("2.6")]

    def test_a_bar_named_twice_is_not_revised_back_and_forth(self, prices):
        twice = [bar(close="2"), bar(close="2.5")]

        first = prices.record_bars(twice, revise=True)
        second = prices.record_bars(twice, revise=True)

        assert counts(first) == (1, 0, 1, 0, 0)
        assert counts(second) == (0, 1, 1, 0, 0)
        assert Price.objects.get().close == 2
        assert PriceRevision.objects.count() == 0

    def test_nor_when_its_mentions_fall_into_two_batches(self, prices, monkeypatch):
        monkeypatch.setattr(price_loading, "BATCH_ROWS_MAX", 1)
        prices.record_bars([bar(close="1")])

        receipt = prices.record_bars([bar(close="2"), bar(close="2.5")], revise=True)

        assert counts(receipt) == (0, 0, 2, 1, 0)
        assert Price.objects.get().close == 2

    def test_a_revision_that_fails_leaves_the_bar_and_no_trace(self, prices, monkeypatch):
        prices.record_bars([bar(close="2")])
        broken = (
            "UPDATE trading_engine_price SET high = low - 1 "
            "WHERE %s IS NOT NULL AND timestamp BETWEEN %s AND %s AND symbol_id = ANY(%s)"
        )
        statements = price_loading._sql()._replace(replace=broken)
        monkeypatch.setattr(price_loading, "_sql", lambda: statements)

        with pytest.raises(RejectedRecordError, match="ck_price_range"):
            prices.record_bars([bar("2024-01-09"), bar(close="2.5")], revise=True)

        assert [row.close for row in prices.bars("SPY")] == [2]
        assert PriceRevision.objects.count() == 0

    def test_without_the_word_nothing_is_revised(self, prices):
        prices.record_bars([bar(close="2")])
        prices.record_bars([bar(close="2.5")])

        assert PriceRevision.objects.count() == 0


class TestInput:
    def test_mappings_take_what_is_missing_from_the_call(self, prices):
        row = {"timestamp": at("2024-01-02"), "open": 1, "high": Decimal(3), "low": 1, "close": 2}

        receipt = prices.record_bars([row], symbol="AAPL", source="mine")

        assert receipt.stored == 1
        (stored,) = prices.bars("AAPL")
        assert (stored.timeframe, stored.source, stored.volume) == ("1d", "mine", 0)

    def test_the_row_knows_better_than_the_call(self, prices):
        row = {
            "symbol": "MSFT", "timestamp": at("2024-01-02T10:00"), "timeframe": "60m", "source": "theirs",
            "open": 1, "high": 3, "low": 1, "close": 2, "volume": 5, "adjusted_close": 2,
        }  # fmt: skip

        prices.record_bars([row], symbol="AAPL", timeframe="1d", source="mine")

        (stored,) = prices.bars("MSFT", timeframe="1h")
        assert (stored.source, stored.volume, stored.adjusted_close) == ("theirs", 5, 2)

    def test_a_daily_moment_becomes_midnight_utc_of_the_date_it_shows(self, prices):
        tokyo = dt.timezone(dt.timedelta(hours=9))
        row = {"timestamp": dt.datetime(2024, 1, 2, tzinfo=tokyo), "open": 1, "high": 3, "low": 1, "close": 2}

        prices.record_bars([row], symbol="7203.T")

        assert prices.bars("7203.T")[0].timestamp == at("2024-01-02")

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"close": 2.5}, "close"),
            ({"close": "2.5"}, "close"),
            ({"close": True}, "close"),
            ({"close": Decimal("NaN")}, "close"),
            ({"close": Decimal("Infinity")}, "close"),
            ({"close": Decimal("1e20")}, "close"),
            ({"close": Decimal("1e-19")}, "close"),
            ({"close": None}, "close"),
            ({"volume": -1}, "volume"),
            ({"volume": 1.5}, "volume"),
            ({"high": Decimal("0.1")}, "high"),
            ({"adjusted_close": float("nan")}, "adjusted_close"),
            ({"timestamp": dt.datetime(2024, 1, 2)}, "timestamp"),  # noqa: DTZ001 - naive on purpose
            ({"timestamp": "2024-01-02"}, "timestamp"),
            ({"timestamp": pd.NaT}, "timestamp"),
            ({"timestamp": None}, "timestamp"),
            ({"timeframe": "1y"}, "timeframe"),
            ({"symbol": "S\x00Y"}, "symbol"),
            ({"symbol": "\ud800"}, "symbol"),
            ({"symbol": "X" * 101}, "symbol"),
            ({"source": "x" * 51}, "source"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_a_wrong_row_is_refused_by_index_field_value_and_rule_and_the_rest_is_stored(self, prices, changes, field):
        good = {"timestamp": at("2024-01-02"), "open": 1, "high": 3, "low": 1, "close": 2, "volume": 1}

        receipt = prices.record_bars([good, good | changes, good | {"timestamp": at("2024-01-03")}], symbol="SPY")

        assert counts(receipt) == (2, 0, 0, 0, 1)
        ((index, error),) = receipt.rejected
        assert (index, error.field) == (1, field)
        assert error.rule

    @pytest.mark.parametrize("row", [None, 5, "bar", [1, 2]])
    def test_what_is_no_row_at_all_is_refused_by_index(self, prices, row):
        receipt = prices.record_bars([bar(), row])

        assert counts(receipt) == (1, 0, 0, 0, 1)
        assert receipt.rejected[0][0] == 1

    @pytest.mark.parametrize(
        ("options", "field"),
        [
            ({"symbol": ""}, "symbol"),
            ({"symbol": 5}, "symbol"),
            ({"timeframe": "1y"}, "timeframe"),
            ({"source": ""}, "source"),
            ({"source": "x" * 51}, "source"),
            ({"revise": "yes"}, "revise"),
            ({"reason": 5}, "reason"),
        ],
    )
    def test_a_wrong_argument_is_refused_before_anything_is_stored(self, prices, options, field):
        with pytest.raises(RejectedRecordError) as caught:
            prices.record_bars([bar()], **options)

        assert caught.value.field.startswith(field)
        assert Price.objects.count() == 0

    def test_a_data_frame(self, prices):
        index = pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-04"])
        frame = pd.DataFrame(
            {"Open": [1, 1, 1.0], "High": 3.0, "Low": 0.5, "Close": [2, float("nan"), 2.5]}, index=index
        )

        receipt = prices.record_bars(frame, symbol="SPY", source="frame")

        assert counts(receipt) == (2, 0, 0, 0, 1)
        assert receipt.rejected[0][0] == 1
        assert [row.close for row in prices.bars("SPY", source="frame")] == [Decimal("2.5"), 2]

    def test_a_data_frame_needs_a_symbol_and_columns_of_bars(self, prices):
        with pytest.raises(RejectedRecordError, match="required with a DataFrame"):
            prices.record_bars(pd.DataFrame())
        with pytest.raises(UnreadableFileError, match="no OHLC columns"):
            prices.record_bars(pd.DataFrame({"a": [1]}), symbol="SPY")

    def test_a_generator_is_taken_as_it_comes(self, prices):
        assert prices.record_bars(each for each in days(3)).stored == 3


class TestReading:
    def test_bars_are_newest_first_and_paged_by_key(self, prices):
        prices.record_bars(days(5))

        page = prices.bars("SPY", limit=2)
        following = prices.bars("SPY", limit=2, after=page.next)
        last = prices.bars("SPY", limit=2, after=following.next)

        assert [row.timestamp.day for row in (*page, *following, *last)] == [5, 4, 3, 2, 1]
        assert last.next is None
        assert page.as_of is not None

    def test_bounds_timeframe_and_source_choose(self, prices):
        prices.record_bars([*days(5), *days(5, source="other"), *days(2, timeframe="1h")])

        rows = prices.bars("SPY", start=at("2024-01-02"), end=at("2024-01-04"), source="test")

        assert [row.timestamp.day for row in rows] == [3, 2]
        assert len(prices.bars("SPY", timeframe="60m")) == 2
        assert len(prices.bars("SPY")) == 10

    def test_the_latest_bar_of_old_and_of_recent_times(self, prices):
        prices.record_bars(days(3))
        assert [row.timestamp for row in prices.latest("SPY")] == [at("2024-01-03")]

        today = dt.datetime.now(dt.UTC).date().isoformat()
        prices.record_bars([bar(today), bar("2024-01-09")])

        assert [row.timestamp for row in prices.latest("SPY")] == [at(today)]
        assert list(prices.latest("SPY", source="none")) == list(prices.latest("QQQ")) == []

    @pytest.mark.parametrize(
        ("options", "field"),
        [
            ({"limit": 0}, "limit"),
            ({"timeframe": "1y"}, "timeframe"),
            ({"start": "now"}, "start"),
            ({"source": 5}, "source"),
        ],
    )
    def test_a_wrong_argument_is_named(self, prices, options, field):
        with pytest.raises(RejectedRecordError) as caught:
            prices.bars("SPY", **options)

        assert caught.value.field == field

    def test_a_range_of_one_symbol_is_found_by_the_index(self, prices):
        start = at("2024-01-02")
        for symbol in ("SPY", "QQQ", "IWM", "DIA"):
            moments = (start + dt.timedelta(minutes=n) for n in range(2000))
            prices.record_bars(
                Bar(symbol, moment, "1m", Decimal(1), Decimal(3), Decimal(1), Decimal(2), source="test")
                for moment in moments
            )
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE trading_engine_price")

        rows = Price.objects.filter(
            symbol__ticker="SPY", timestamp__gte=start, timestamp__lt=start + dt.timedelta(minutes=5)
        )

        plan = rows.explain()
        assert "symbol_id_timestamp" in plan or "unique_price_point" in plan, plan
        assert "Seq Scan on trading_engine_price" not in plan

    def test_numbers_in_scientific_notation_are_stored_as_they_are(self, prices):
        prices.record_bars([bar(volume=Decimal("1E+5"), low=Decimal("1E-18"))])

        (row,) = prices.bars("SPY")
        assert (row.volume, row.low) == (100_000, Decimal("0.000000000000000001"))


class TestConcurrency:
    def run_at_once(self, *jobs):
        barrier, failures, results = threading.Barrier(len(jobs)), [], []

        def run(job):
            try:
                barrier.wait()
                results.append(job())
            except Exception as exc:  # noqa: BLE001 - handed to the test
                failures.append(exc)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failures == []
        return results

    def test_the_same_bars_at_once_in_any_order_are_stored_once(self, prices):
        given = days(400, first="2020-01-01")

        receipts = self.run_at_once(
            *(lambda rows=rows: PriceRecorder().record_bars(rows) for rows in (given, given[::-1], given, given[::-1]))
        )

        assert sum(receipt.stored for receipt in receipts) == 400
        assert sum(receipt.duplicates for receipt in receipts) == 1200
        assert Price.objects.count() == 400

    def test_of_two_that_differ_one_is_stored_and_the_other_a_conflict(self, prices):
        receipts = self.run_at_once(
            lambda: PriceRecorder().record_bars(days(100, close="2")),
            lambda: PriceRecorder().record_bars(days(100, close="2.5")),
        )

        assert sum(receipt.stored for receipt in receipts) == 100
        assert sum(receipt.conflicts for receipt in receipts) == 100

    def test_two_revisions_at_once_keep_every_value_they_replace(self, prices):
        prices.record_bars(days(100, close="1"))

        receipts = self.run_at_once(
            lambda: PriceRecorder().record_bars(days(100, close="2"), revise=True),
            lambda: PriceRecorder().record_bars(days(100, close="2.5"), revise=True),
        )

        assert [receipt.revised for receipt in receipts] == [100, 100]
        assert PriceRevision.objects.count() == 200
        closes = {row.close for row in Price.objects.all()} | set(PriceRevision.objects.values_list("close", flat=True))
        assert closes == {Decimal(1), Decimal(2), Decimal("2.5")}
