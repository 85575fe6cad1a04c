"""`manage.py update_prices`: bars from Yahoo Finance, from the last stored one on."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from rich.markup import escape
from rich.table import Table

from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.data.stock_data_fetcher import INTERVALS, FetchError, StockDataFetcher
from trading_engine.management.arguments import day, ticker, timeframe, watched
from trading_engine.services.price_recorder import PriceRecorder
from trading_engine.services.price_updates import PriceUpdate, update_prices

__all__ = ["Command"]

COUNTS = ("inserted", "duplicates", "conflicts", "revised", "rejected", "suspect", "journaled", "unfinished")


class Command(BaseFrirenCommand):
    help = "Fetch the bars that came after the last stored one from Yahoo Finance; finished bars only."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("symbols", nargs="+", type=ticker, metavar="SYMBOL", help="As Yahoo writes it: AAPL, BTC-USD, ^GSPC.")
        add("--interval", type=timeframe, choices=INTERVALS, default="1d", help="Of one bar. Default: 1d.")
        add("--start", type=day, metavar="YYYY-MM-DD", help="Fetch from this day on, whatever is stored.")
        add("--revise", action="store_true", help="Replace stored bars that differ; the old values are kept.")

    def fetcher(self) -> StockDataFetcher:
        """Return what asks Yahoo."""
        return StockDataFetcher()

    def run(self, *, symbols: list[str], interval: str, start: dt.datetime | None, revise: bool, **_: Any) -> Report:
        done: list[PriceUpdate] = []
        failures: list[dict[str, str]] = []
        fetcher = self.fetcher()
        with PriceRecorder() as recorder, watched() as bar:
            task = bar.add_task("symbols", total=len(symbols))
            for symbol in symbols:
                bar.update(task, description=symbol)
                try:
                    done.append(
                        update_prices(
                            symbol,
                            interval=interval,
                            start=start,
                            revise=revise,
                            now=timezone.now(),
                            fetcher=fetcher,
                            recorder=recorder,
                        )
                    )
                except FetchError as exc:
                    failures.append({"symbol": symbol, "error": str(exc)})
                bar.advance(task)
        for failure in failures:
            self.stderr.write(f"error: {failure['error']}", self.style.ERROR)
        self.failed = bool(failures)
        return _report(done, failures)

    def show(self, report: Report) -> None:
        table = Table("symbol", "since", *COUNTS, box=None)
        for each in report["symbols"]:
            since = f"{each['since']:%Y-%m-%d %H:%M}" if each["since"] else "the beginning"
            table.add_row(escape(each["symbol"]), since, *(str(each[name]) for name in COUNTS))
        if report["symbols"]:
            self.console.print(table)


def _report(done: list[PriceUpdate], failures: list[dict[str, str]]) -> Report:
    symbols = [
        {name: getattr(each, name) for name in ("symbol", "timeframe", "since", *COUNTS)}
        | {"rejected": len(each.rejected)}
        for each in done
    ]
    return {
        **{name: sum(each[name] for each in symbols) for name in COUNTS},
        "symbols": symbols,
        "rejected_rows": [
            {
                "symbol": each.symbol,
                "position": position,
                "field": error.field,
                "value": str(error.value),
                "rule": error.rule,
            }
            for each in done
            for position, error in each.rejected
        ],
        "failed": failures,
    }
