"""What the commands of market data share: arguments checked before anything is done, and a progress bar."""

from __future__ import annotations

import argparse
import datetime as dt
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from friren.errors import RejectedRecordError
from trading_engine.data.bars import SOURCE_MAX, TICKER_MAX, canonical_timeframe, check_name
from trading_engine.data.importers.cells import decimal_cell
from trading_engine.data.importers.stamps import DateFormat, date_format_of, read_wall, zone_of

__all__ = [
    "balance", "cash", "date_format", "day", "moment", "parameter", "positive", "price_source", "ticker", "timeframe",
    "timezone", "watched",
]  # fmt: skip

# Far more rounds or checks than anybody waits for.
COUNT_MAX: Final = 10_000


def _usage(error: RejectedRecordError) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{error.value!r}: {error.rule}")


def timezone(text: str) -> str:
    """Return the name of a time zone; wrong usage if there is none of that name."""
    try:
        zone_of(text)
    except RejectedRecordError as exc:
        raise _usage(exc) from exc
    return text


def positive(text: str) -> int:
    """Return a whole number from 1; wrong usage if it is none."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= COUNT_MAX):
        raise argparse.ArgumentTypeError(f"{text!r}: write a whole number from 1 to {COUNT_MAX}")
    return int(text)


def date_format(text: str) -> str:
    """Return a date format; wrong usage if it is none."""
    try:
        date_format_of(text)
    except RejectedRecordError as exc:
        raise _usage(exc) from exc
    return text


def timeframe(text: str) -> str:
    """Return the one spelling of a timeframe; wrong usage if it is none."""
    try:
        return canonical_timeframe(text)
    except RejectedRecordError as exc:
        raise _usage(exc) from exc


def parameter(text: str) -> tuple[str, int | float]:
    """Return (name, number) of a parameter told as NAME=VALUE; wrong usage if it is none."""
    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not equals or not name.isidentifier() or not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r}: NAME=VALUE with a number is wanted")
    return name, int(value) if value.lstrip("+-").isdigit() else number


def ticker(text: str) -> str:
    """Return a ticker; wrong usage if it cannot be one."""
    try:
        check_name("symbol", text, TICKER_MAX)
    except RejectedRecordError as exc:
        raise _usage(exc) from exc
    return text


def price_source(text: str) -> str:
    """Return the name of a source of prices; wrong usage if it cannot be one."""
    try:
        check_name("source", text, SOURCE_MAX)
    except RejectedRecordError as exc:
        raise _usage(exc) from exc
    return text


def day(text: str) -> dt.datetime:
    """Return midnight UTC of a day written year first; wrong usage if it is none."""
    try:
        return read_wall(text, DateFormat("YMD")).naive.replace(tzinfo=dt.UTC)
    except RejectedRecordError as exc:
        raise _usage(exc) from exc


def cash(text: str) -> Decimal:
    """Return an exact sum of money; wrong usage if it is none."""
    try:
        return decimal_cell("cash", text)[0]
    except RejectedRecordError as exc:
        raise _usage(exc) from exc


def balance(text: str) -> tuple[str, Decimal]:
    """Return (currency, exact sum) of `USD=1250.50`; wrong usage if it is none."""
    currency, _, amount = text.partition("=")
    if not currency:
        raise argparse.ArgumentTypeError(f"{text!r}: a currency and a sum such as USD=1250.50")
    return currency, cash(amount)


def moment(text: str) -> dt.datetime:
    """Return a moment in ISO 8601, UTC unless it has an offset; wrong usage if it is none."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{text!r}: a time such as 2026-01-05T14:30:00Z") from exc
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


@contextmanager
def watched() -> Iterator[Progress]:
    """Show a progress bar on stderr while the work lasts, where somebody can see it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        yield bar
