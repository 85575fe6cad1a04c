"""A raw bar, checked once: what importers, the fetcher, the recorder and backtests hand to one another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final

from friren.core.numbers import DECIMAL_PLACES, LIMIT, ZERO, quantize
from friren.errors import RejectedRecordError

__all__ = [
    "DATED",
    "INTRADAY",
    "SOURCE_MAX",
    "TICKER_MAX",
    "TIMEFRAMES",
    "Bar",
    "canonical_timeframe",
    "check_name",
    "end_of_bar",
    "measured",
]

# Bars of a day or more are stamped 00:00 UTC of their first calendar date, wherever they were traded.
DATED: Final = ("1d", "5d", "1wk", "1mo", "3mo")
INTRADAY: Final[Mapping[str, dt.timedelta]] = MappingProxyType(
    {f"{n}s": dt.timedelta(seconds=n) for n in (1, 5, 10, 15, 30)}
    | {f"{n}m": dt.timedelta(minutes=n) for n in (1, 2, 3, 5, 10, 15, 20, 30, 45)}
    | {"1h": dt.timedelta(hours=1), "90m": dt.timedelta(minutes=90)}
    | {f"{n}h": dt.timedelta(hours=n) for n in (2, 3, 4, 6, 8, 12)}
)
TIMEFRAMES: Final = (*INTRADAY, *DATED)
_ALIASES: Final = {"60m": "1h", "1w": "1wk", "24h": "1d", "d": "1d", "daily": "1d", "hourly": "1h", "weekly": "1wk"}

TICKER_MAX: Final = 100
SOURCE_MAX: Final = 50

# A double carries 15 decimal digits; the 16th and 17th that repr() prints are noise of the binary form.
_MEASURED: Final = Context(prec=15)


def measured(value: float) -> Decimal:
    """
    Return a binary float as the decimal it was meant to be: 15 significant digits, at most 18 decimals.

    For adapters of sources that only know floats. NaN and infinity pass through and are refused by `Bar`.
    """
    number = _MEASURED.create_decimal(repr(float(value)))
    if not number.is_finite():
        return number
    exponent = number.as_tuple().exponent
    return quantize(number) if isinstance(exponent, int) and exponent < -DECIMAL_PLACES else number


def canonical_timeframe(text: str) -> str:
    """
    Return the one spelling of a timeframe: `60m` → `1h`, `1D` → `1d`.

    Raises:
        RejectedRecordError: it is none of `TIMEFRAMES`.
    """
    # "1M" means a month at some venues; folding its case would make it a minute.
    name = text.strip() if isinstance(text, str) else ""
    name = name if name.endswith("M") else name.casefold()
    name = _ALIASES.get(name, name)
    if name not in TIMEFRAMES:
        raise RejectedRecordError("timeframe", text, f"one of {', '.join(TIMEFRAMES)}")
    return name


def end_of_bar(begin: dt.datetime, timeframe: str, *, zone: dt.tzinfo = dt.UTC) -> dt.datetime:
    """
    Return when a bar that begins at `begin` is over, which is when the next one may begin.

    Args:
        zone: where it is traded: a day ends at midnight there.
    """
    if timeframe not in DATED:
        return begin + INTRADAY[timeframe]
    first = begin.astimezone(zone).date()
    if months := {"1mo": 1, "3mo": 3}.get(timeframe):
        years, month = divmod(first.month - 1 + months, 12)
        following = dt.date(first.year + years, month + 1, 1)
    else:
        following = first + dt.timedelta(days={"1d": 1, "5d": 5, "1wk": 7}[timeframe])
    return dt.datetime.combine(following, dt.time(), tzinfo=zone)


@dataclass(frozen=True, slots=True)
class Bar:
    """
    Open, high, low and close of one symbol over one timeframe, as traded (not adjusted).

    Attributes:
        symbol: ticker, as its source writes it.
        timestamp: aware, kept in UTC; when the bar begins. 00:00 of the calendar date for a day or more.
        timeframe: one of `TIMEFRAMES`.
        open, high, low, close: prices, any sign.
        volume: units traded, 0 where the source has none.
        adjusted_close: the source's close adjusted for dividends, stored and not used.
        source: who says so: "yahoo", "lean", "csv", …

    Raises:
        RejectedRecordError: a value that the price table would refuse.
    """

    symbol: str
    timestamp: dt.datetime
    timeframe: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    adjusted_close: Decimal | None = None
    source: str = "csv"

    def __post_init__(self) -> None:
        check_name("symbol", self.symbol, TICKER_MAX)
        check_name("source", self.source, SOURCE_MAX)
        self._check_time()
        _check_number("open", self.open)
        _check_number("high", self.high)
        _check_number("low", self.low)
        _check_number("close", self.close)
        _check_number("volume", self.volume)
        if self.adjusted_close is not None:
            _check_number("adjusted_close", self.adjusted_close)
        if self.volume < ZERO:
            raise RejectedRecordError("volume", self.volume, "0 or more")
        if self.high < self.low:
            raise RejectedRecordError("high", self.high, f"not below low, which is {self.low}")

    @property
    def is_suspect(self) -> bool:
        """Open or close lies outside low..high: kept all the same, because real VIX and SPY bars do."""
        return not (self.low <= self.open <= self.high and self.low <= self.close <= self.high)

    def _check_time(self) -> None:
        timestamp = self.timestamp
        if not isinstance(timestamp, dt.datetime) or timestamp.utcoffset() is None:
            raise RejectedRecordError("timestamp", timestamp, "an aware datetime")
        if timestamp.tzinfo is not dt.UTC:
            try:
                timestamp = timestamp.astimezone(dt.UTC)
            except OverflowError as exc:
                raise RejectedRecordError("timestamp", timestamp, "within the years 1 to 9999 in UTC") from exc
            object.__setattr__(self, "timestamp", timestamp)
        if self.timeframe in INTRADAY:
            return
        if self.timeframe not in DATED:
            raise RejectedRecordError("timeframe", self.timeframe, f"one of {', '.join(TIMEFRAMES)}")
        if timestamp.time() != dt.time():
            raise RejectedRecordError("timestamp", timestamp, f"00:00 UTC for a bar of {self.timeframe}")


def check_name(field: str, text: object, longest: int) -> None:
    """Refuse what cannot be a ticker or a source: empty, over-long, unprintable, or with space around it."""
    if not isinstance(text, str) or not 0 < len(text) <= longest or not text.isprintable() or text != text.strip():
        raise RejectedRecordError(field, text, f"1 to {longest} printable characters, no space at either end")


def _check_number(field: str, value: object) -> None:
    if not isinstance(value, Decimal):
        raise RejectedRecordError(field, value, "a Decimal")
    try:
        within = -LIMIT < value < LIMIT
    except InvalidOperation:  # NaN does not compare
        within = False
    if not within:
        raise RejectedRecordError(field, value, "a finite number with at most 20 integer digits")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -DECIMAL_PLACES and quantize(value) != value:
        raise RejectedRecordError(field, value, f"at most {DECIMAL_PLACES} decimals")
