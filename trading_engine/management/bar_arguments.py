"""Bars that a command works on: from files, which are stored too, or from the price table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandParser

from trading_engine.backtesting.close_tables import series_of_close_tables
from trading_engine.backtesting.series import BarSeries, series_of_files
from trading_engine.backtesting.stored_series import series_of_store
from trading_engine.data.importers.price_files import read_prices
from trading_engine.regime import DEFAULT_DETECTOR, DETECTORS, VixCloses
from trading_engine.services.price_recorder import PriceRecorder

__all__ = [
    "add_bar_arguments", "add_pair_argument", "add_regime_arguments", "detector", "load_bars", "pairs_of",
    "vix_closes",
]  # fmt: skip

ISSUES_SHOWN: Final = 5


def add_bar_arguments(parser: CommandParser) -> None:
    """Add what `load_bars` reads."""
    bars = parser.add_mutually_exclusive_group(required=True)
    bars.add_argument("--csv", nargs="+", type=Path, metavar="FILE", help="CSV files or Lean zips; also stored.")
    bars.add_argument(
        "--closes", nargs="+", type=Path, metavar="FILE", help="CSV of closes, a column each; also stored."
    )
    bars.add_argument("--symbols", nargs="+", metavar="SYMBOL", help="Symbols whose bars are stored.")
    parser.add_argument("--symbol", help="Symbol of the file, if its name does not begin with it.")
    parser.add_argument("--timezone", help="IANA time zone of the file's stamps; UTC unless given.")
    parser.add_argument("--date-format", help="DMY, MDY or a strptime pattern, where the file leaves it open.")
    parser.add_argument("--timeframe", default="1d", help="Of --symbols: 1d unless given.")
    parser.add_argument("--source", help="Of --symbols, where bars of several sources are stored.")


def add_regime_arguments(parser: CommandParser) -> None:
    """Add the choice of a regime detector, and the VIX that it may read."""
    names = ", ".join(DETECTORS)
    parser.add_argument("--detector", type=detector, default=DEFAULT_DETECTOR, metavar="NAME", help=f"One of {names}.")
    parser.add_argument(
        "--vix", type=Path, metavar="FILE", help="CSV file of VIX closes, for a detector that reads them."
    )


def detector(text: str) -> str:
    """Return the name of a regime detector; wrong usage if there is none of that name."""
    if (name := text.upper()) not in DETECTORS:
        raise argparse.ArgumentTypeError(f"{text!r}: one of {', '.join(DETECTORS)}")
    return name


def add_pair_argument(parser: CommandParser, *, help: str) -> None:  # noqa: A002 - as argparse has it
    """Add `--pair`, which may be given several times; `pairs_of` returns what was given."""
    parser.add_argument("--pair", nargs=2, action="append", default=[], metavar=("FIRST", "SECOND"), help=help)


def pairs_of(given: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Return the pairs that were given."""
    return [(first, second) for first, second in given]


def load_bars(
    *,
    csv: list[Path] | None,
    closes: list[Path] | None,
    symbols: list[str] | None,
    timeframe: str,
    source: str | None,
    only: Collection[str] = (),
    **options: Any,
) -> BarSeries:
    """
    Return the bars that were asked for; those of files are stored as `import_prices` stores them.

    Args:
        only: symbols that are wanted of tables of closes; all of them when empty.

    Raises:
        UnreadableFileError: a file is missing, empty, or holds no bar.
        RejectedRecordError: an option is wrong, or a symbol has no stored bars.
        FrirenError: the bars are in the database, and it does not answer.
    """
    if symbols is not None:
        return series_of_store(symbols, timeframe=timeframe, source=source)
    if closes is not None:
        loaded = series_of_close_tables(closes, symbols=sorted(only), date_format=options["date_format"])
    else:
        reading = {name: options[name] for name in ("symbol", "timezone", "date_format")}
        loaded = series_of_files(csv or [], **reading)
    for issue in loaded.issues[:ISSUES_SHOWN]:
        sys.stderr.write(f"{issue}\n")
    if len(loaded.issues) > ISSUES_SHOWN:
        sys.stderr.write(f"… and {len(loaded.issues) - ISSUES_SHOWN} more lines\n")
    with PriceRecorder() as prices:
        prices.record_bars(loaded.bars)
    return loaded


def vix_closes(path: Path | None) -> VixCloses | None:
    """
    Return the closes of a file of daily VIX bars; None without one. They are read, and not stored as bars.

    Raises:
        UnreadableFileError: the file is missing or holds no bar.
    """
    if path is None:
        return None
    return VixCloses({bar.timestamp.date(): float(bar.close) for bar in read_prices(path, symbol="VIX").bars()})
