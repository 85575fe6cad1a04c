"""A bar takes what the price table can hold and refuses the rest by field, value and rule."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from friren.errors import RejectedRecordError
from trading_engine.data.bars import TIMEFRAMES, Bar, canonical_timeframe, measured

DAY = dt.datetime(2020, 1, 2, tzinfo=dt.UTC)
GOOD = {
    "symbol": "SPY",
    "timestamp": DAY,
    "timeframe": "1d",
    "open": Decimal("1.5"),
    "high": Decimal(3),
    "low": Decimal(1),
    "close": Decimal(2),
    "volume": Decimal("10.25"),
    "adjusted_close": Decimal("1.9"),
    "source": "test",
}


class TestWhatIsRefused:
    @pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume", "adjusted_close"])
    @pytest.mark.parametrize(
        ("value", "rule"),
        [
            (1.5, "a Decimal"),
            (2, "a Decimal"),
            ("2", "a Decimal"),
            (Decimal("NaN"), "finite"),
            (Decimal("sNaN"), "finite"),
            (Decimal("Infinity"), "finite"),
            (Decimal("-Infinity"), "finite"),
            (Decimal(10) ** 20, "20 integer digits"),
            (Decimal("1.0000000000000000001"), "18 decimals"),
            (Decimal("1E-400"), "18 decimals"),
        ],
    )
    def test_a_number_that_is_not_exact_finite_and_short_enough(self, field, value, rule):
        with pytest.raises(RejectedRecordError, match=rule) as caught:
            Bar(**GOOD | {field: value})

        assert caught.value.field == field

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("symbol", ""),
            ("symbol", " SPY"),
            ("symbol", "SP\x00Y"),
            ("symbol", "SP\ud800Y"),
            ("symbol", "X" * 101),
            ("symbol", 7),
            ("source", ""),
            ("source", "x" * 51),
            ("timeframe", "7d"),
            ("timestamp", dt.datetime(2020, 1, 2)),  # noqa: DTZ001 - naive on purpose
            ("timestamp", "2020-01-02"),
            ("timestamp", dt.datetime(2020, 1, 2, 16, tzinfo=dt.UTC)),
            ("timestamp", dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14)))),
            ("volume", Decimal(-1)),
        ],
    )
    def test_a_name_time_or_volume_that_breaks_a_rule(self, field, value):
        with pytest.raises(RejectedRecordError) as caught:
            Bar(**GOOD | {field: value})

        assert (caught.value.field, caught.value.value) == (field, value)
        assert caught.value.rule

    def test_a_high_below_the_low(self):
        with pytest.raises(RejectedRecordError, match="not below low, which is 1") as caught:
            Bar(**GOOD | {"high": Decimal("0.5")})

        assert caught.value.field == "high"


class TestWhatIsKept:
    def test_a_negative_price_because_oil_had_one(self):
        wti = {"open": Decimal("17.73"), "high": Decimal("17.85"), "low": Decimal("-40.32"), "close": Decimal("-37.63")}

        assert Bar(**GOOD | wti).is_suspect is False

    @pytest.mark.parametrize(("open_", "close"), [("0.5", "2"), ("3.5", "2"), ("2", "0.5"), ("2", "3.5")])
    def test_open_or_close_outside_the_range_is_kept_and_suspect(self, open_, close):
        assert Bar(**GOOD | {"open": Decimal(open_), "close": Decimal(close)}).is_suspect is True

    def test_the_bounds_themselves_are_not_suspect(self):
        assert Bar(**GOOD | {"open": Decimal(1), "close": Decimal(3)}).is_suspect is False

    def test_the_largest_and_the_smallest_number_of_the_column(self):
        largest, smallest = Decimal("99999999999999999999.999999999999999999"), Decimal("0.000000000000000001")

        bar = Bar(**GOOD | {"high": largest, "open": largest, "low": smallest, "close": smallest})

        assert (bar.high, bar.low) == (largest, smallest)

    def test_a_stamp_in_another_zone_becomes_utc(self):
        noon = dt.datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("America/New_York"))

        bar = Bar(**GOOD | {"timestamp": noon, "timeframe": "1m"})

        assert bar.timestamp.tzinfo is dt.UTC
        assert bar.timestamp == dt.datetime(2020, 7, 1, 16, tzinfo=dt.UTC)


class TestTimeframes:
    @pytest.mark.parametrize(
        ("given_", "canonical"), [("1D", "1d"), (" 60m ", "1h"), ("daily", "1d"), ("1w", "1wk"), ("15M".lower(), "15m")]
    )
    def test_other_spellings_become_the_one(self, given_, canonical):
        assert canonical_timeframe(given_) == canonical

    @pytest.mark.parametrize("given_", ["1M", "7m", "", "1 day", None, 1])
    def test_a_month_is_never_taken_for_a_minute_nor_an_unknown_one_guessed(self, given_):
        with pytest.raises(RejectedRecordError) as caught:
            canonical_timeframe(given_)

        assert caught.value.field == "timeframe"

    def test_each_fits_the_column(self):
        assert max(map(len, TIMEFRAMES)) <= 8
        assert all(canonical_timeframe(name) == name for name in TIMEFRAMES)


class TestMeasured:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (187.32, "187.32"),
            (0.1 + 0.2, "0.3"),
            (37.029998779296875, "37.0299987792969"),
            (9.999999747378752e-05, "0.000099999997473788"),
            (5e-324, "0"),
        ],
    )
    def test_fifteen_digits_and_eighteen_decimals_at_most(self, value, expected):
        assert measured(value) == Decimal(expected)

    @given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e19, max_value=1e19))
    def test_every_float_in_range_fits_the_column_and_stays_close(self, value):
        number = measured(value)

        Bar(**GOOD | {"adjusted_close": number})
        assert abs(number - Decimal(value)) <= abs(Decimal(value)) * Decimal("5e-15") + Decimal("1e-18")

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_what_is_not_finite_stays_so_and_is_refused_by_the_bar(self, value):
        with pytest.raises(RejectedRecordError):
            Bar(**GOOD | {"close": measured(value)})
