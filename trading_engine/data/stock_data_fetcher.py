"""Bars from Yahoo Finance, through yfinance: raw, exact, finished bars only."""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import structlog

from friren.errors import FrirenError, RejectedRecordError
from trading_engine.data.bars import Bar, canonical_timeframe, end_of_bar
from trading_engine.data.frames import bars_of_frame

__all__ = [
    "INTERVALS",
    "SOURCE",
    "FetchError",
    "FetchedBars",
    "RefusedRequestError",
    "StockDataFetcher",
    "UnknownSymbolError",
]

log = structlog.get_logger(__name__)

SOURCE: Final = "yahoo"
# What Yahoo serves; "5d" is left out: it answers with periods that shift with the day one asks.
INTERVALS: Final = ("1m", "2m", "5m", "15m", "30m", "1h", "90m", "1d", "1wk", "1mo", "3mo")
# One request of yfinance may be three: cookie, crumb, data.
TIMEOUT_SECONDS: Final = 10.0
# A dropped connection is worth a second and a third try; a rate limit lasts longer than anyone waits.
ATTEMPTS_MAX: Final = 3
BACKOFF_SECONDS: Final = 1.0
# No further attempt begins after this long.
BUDGET_SECONDS: Final = 60.0

# yfinance hides errors unless a switch of the whole process says otherwise.
_switch = threading.Lock()


class FetchError(FrirenError):
    """Yahoo could not be reached or gave no usable answer. Nothing was stored; try again later."""


class RefusedRequestError(FetchError):
    """Yahoo refuses the request as it is, whenever it is made; the message has its reason."""


class UnknownSymbolError(RefusedRequestError):
    """Yahoo has no such symbol, or no longer. Look it up at finance.yahoo.com."""


@dataclass(frozen=True, slots=True)
class FetchedBars:
    """
    What Yahoo answered.

    Attributes:
        bars: finished bars, oldest first.
        rejected: (position in the answer, why it is no bar).
        unfinished: how many bars were left out because they are not over yet: they would be stored
            with a close that is none.
    """

    bars: list[Bar]
    rejected: list[tuple[int, RejectedRecordError]]
    unfinished: int


class StockDataFetcher:
    """
    Fetches bars from Yahoo Finance.

    Args:
        timeout: seconds that one request may take.
        attempts: how often a request is made at most.
        session: an HTTP session of curl_cffi; yfinance's own if None.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        *,
        timeout: float = TIMEOUT_SECONDS,
        attempts: int = ATTEMPTS_MAX,
        session: Any = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeout = timeout
        self._attempts = attempts
        self._session = session
        self._sleep = sleep

    def fetch(
        self,
        symbol: str,
        *,
        interval: str = "1d",
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        now: dt.datetime,
    ) -> FetchedBars:
        """
        Return the finished bars of a symbol from `start` until before `end`.

        Prices are as traded but for splits, which Yahoo applies to the past; dividends are in `adjusted_close` only.

        Args:
            interval: one of `INTERVALS`.
            start: aware; as far back as Yahoo goes for this interval if None.
            end: aware; until now if None.
            now: aware; what ends after it is left out as unfinished.

        Raises:
            RejectedRecordError: an argument is wrong.
            UnknownSymbolError: Yahoo does not know the symbol.
            RefusedRequestError: Yahoo does not serve this interval that far back, or the like.
            FetchError: Yahoo could not be reached, or its answer could not be read.
        """
        timeframe = canonical_timeframe(interval)
        if timeframe not in INTERVALS:
            raise RejectedRecordError("interval", interval, f"one of {', '.join(INTERVALS)}")
        for name, moment in (("start", start), ("end", end), ("now", now)):
            if moment is not None and moment.utcoffset() is None:
                raise RejectedRecordError(name, moment, "an aware datetime")
        if start is not None and start >= min(end or now, now):
            return FetchedBars([], [], 0)
        frame = self._ask(symbol, timeframe, start, end)
        if frame is None or frame.empty:
            return FetchedBars([], [], 0)
        return _sorted_out(frame, symbol, timeframe, now)

    def _ask(self, symbol: str, timeframe: str, start: dt.datetime | None, end: dt.datetime | None) -> Any:
        began = time.monotonic()
        for attempt in range(1, self._attempts + 1):
            try:
                return self._ask_once(symbol, timeframe, start, end)
            except RefusedRequestError:
                raise
            except FetchError as exc:
                if attempt == self._attempts or time.monotonic() - began > BUDGET_SECONDS:
                    raise
                log.warning("yahoo did not answer", symbol=symbol, attempt=attempt, error=str(exc))
                # Full jitter: many fetchers that failed together do not come back together.
                self._sleep(random.uniform(0, BACKOFF_SECONDS * 2**attempt))  # noqa: S311 - no secret
        raise FetchError

    def _ask_once(self, symbol: str, timeframe: str, start: dt.datetime | None, end: dt.datetime | None) -> Any:
        import yfinance
        from yfinance.data import YfData
        from yfinance.exceptions import YFPricesMissingError, YFRateLimitError, YFTzMissingError

        # yfinance keeps answers about the past, bad ones too; a second attempt must ask again.
        YfData.cache_get.cache_clear()
        options = {"start": start, "end": end} if start or end else {"period": "max"}
        try:
            with _errors_raised(yfinance):
                ticker = yfinance.Ticker(symbol, session=self._session)
                try:
                    return ticker.history(
                        interval=timeframe, auto_adjust=False, actions=False, timeout=self._timeout, **options
                    )
                except YFPricesMissingError as exc:
                    if exc.yahoo_reason is not None:
                        raise RefusedRequestError(f"Yahoo refuses bars of {symbol}: {exc.yahoo_reason}") from exc
                    if "exchangeTimezoneName" in ticker.get_history_metadata():
                        return None  # a whole answer, and no bar in it
                    raise
        except FetchError:
            raise
        except YFTzMissingError as exc:
            raise UnknownSymbolError(f"Yahoo knows no symbol {symbol!r}") from exc
        except YFRateLimitError as exc:
            raise FetchError(f"Yahoo limits the rate of requests; {symbol} was not fetched, try again later") from exc
        except OSError as exc:
            if getattr(getattr(exc, "response", None), "status_code", None) == HTTPStatus.NOT_FOUND:
                raise UnknownSymbolError(f"Yahoo knows no symbol {symbol!r}") from exc
            raise FetchError(
                f"Yahoo could not be reached for {symbol} ({type(exc).__name__}: {exc}); "
                "is this machine online? Bars in files are taken in with import_prices"
            ) from exc
        except Exception as exc:  # on an answer it did not expect yfinance raises whatever comes up
            raise FetchError(f"Yahoo's answer for {symbol} cannot be read ({type(exc).__name__}: {exc})") from exc


@contextmanager
def _errors_raised(yfinance: Any) -> Iterator[None]:
    with _switch, warnings.catch_warnings():
        # That yfinance lags behind pandas is between the two; where warnings are errors it would cost the answer.
        warnings.simplefilter("ignore", DeprecationWarning)
        before = yfinance.config.debug.hide_exceptions
        yfinance.config.debug.hide_exceptions = False
        try:
            yield
        finally:
            yfinance.config.debug.hide_exceptions = before


def _sorted_out(frame: Any, symbol: str, timeframe: str, now: dt.datetime) -> FetchedBars:
    zone = frame.index.tz or dt.UTC
    bars: list[Bar] = []
    rejected: list[tuple[int, RejectedRecordError]] = []
    unfinished = 0
    for position, row in bars_of_frame(frame, symbol=symbol, timeframe=timeframe, source=SOURCE):
        if end_of_bar(frame.index[position].to_pydatetime(), timeframe, zone=zone) > now:
            unfinished += 1
        elif isinstance(row, Bar):
            bars.append(row)
        else:
            rejected.append((position, row))
    return FetchedBars(bars, rejected, unfinished)
