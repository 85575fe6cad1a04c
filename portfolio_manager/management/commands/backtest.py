"""`manage.py backtest`: a strategy over one's own bars, stored like live trading."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from friren.operations.command import BaseFrirenCommand, Report
from portfolio_manager.backtests import BacktestPlan, run_backtest
from portfolio_manager.progress import progress_bar
from portfolio_manager.run_report import RunReport, print_report
from trading_engine.backtesting.series import BarSeries, series_of_files
from trading_engine.backtesting.stored_series import series_of_store
from trading_engine.services.price_recorder import PriceRecorder
from trading_engine.strategies import STRATEGIES, create_strategy

__all__ = ["Command"]

ISSUES_SHOWN = 5


class Command(BaseFrirenCommand):
    help = "Run a strategy over bars from files or from the price table, in a book of its own."

    def add_arguments(self, parser: CommandParser) -> None:
        bars = parser.add_mutually_exclusive_group(required=True)
        bars.add_argument("--csv", nargs="+", type=Path, metavar="FILE", help="CSV files or Lean zips; also stored.")
        bars.add_argument("--symbols", nargs="+", metavar="SYMBOL", help="Symbols whose bars are stored.")
        parser.add_argument("--strategy", required=True, metavar="NAME", help=f"One of {', '.join(STRATEGIES)}.")
        parser.add_argument("--engine", default="reference", help="Only `reference`, the event loop of Friren.")
        parser.add_argument("--account", default="", metavar="NAME", help="Name of the new book; made up if not given.")
        parser.add_argument("--symbol", help="Symbol of the file, if its name does not begin with it.")
        parser.add_argument("--timezone", help="IANA time zone of the file's stamps; UTC unless given.")
        parser.add_argument("--date-format", help="DMY, MDY or a strptime pattern, where the file leaves it open.")
        parser.add_argument("--timeframe", default="1d", help="Of --symbols: 1d unless given.")
        parser.add_argument("--source", help="Of --symbols, where bars of several sources are stored.")

    def run(self, *, strategy: str, engine: str, account: str, **options: Any) -> Report:
        if engine != "reference":
            raise CommandError(f"there is no engine {engine}: the one there is is called reference", returncode=2)
        create_strategy(strategy)
        loaded = self._load(**options)
        plan = BacktestPlan(series=loaded.series, strategies=[strategy], account=account)
        with progress_bar(strategy, total=len(loaded.bars)) as advance:
            self.report = run_backtest(plan, progress=advance)
        return {**self.report.as_json(), "rejected_lines": loaded.rejected, "repeated_bars": loaded.repeated}

    report: RunReport

    def show(self, report: Report) -> None:
        print_report(self.console, self.report)
        if report["rejected_lines"] or report["repeated_bars"]:
            self.console.print(
                f"Left out: {report['rejected_lines']} lines that are no bar, {report['repeated_bars']} repeated bars."
            )

    def _load(self, *, csv: list[Path] | None, symbols: list[str] | None, timeframe: str, **options: Any) -> BarSeries:
        if csv is None:
            return series_of_store(symbols or [], timeframe=timeframe, source=options["source"])
        reading = {name: options[name] for name in ("symbol", "timezone", "date_format")}
        loaded = series_of_files(csv, **reading)
        for issue in loaded.issues[:ISSUES_SHOWN]:
            sys.stderr.write(f"{issue}\n")
        if len(loaded.issues) > ISSUES_SHOWN:
            sys.stderr.write(f"… and {len(loaded.issues) - ISSUES_SHOWN} more lines\n")
        with PriceRecorder() as prices:
            prices.record_bars(loaded.bars)
        return loaded
