"""`manage.py detect_regimes`: which market was on when, by a detector, recorded."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.base import CommandParser
from rich.markup import escape
from rich.table import Table

from friren.operations.command import BaseFrirenCommand, Report
from trading_engine.management.arguments import watched
from trading_engine.management.bar_arguments import add_bar_arguments, add_regime_arguments, load_bars, vix_closes
from trading_engine.regime import create_detector
from trading_engine.services.regime_detection import detect_regimes
from trading_engine.services.regime_logger import RegimeLogger

__all__ = ["Command"]

COUNTS = ("bars", "stored", "duplicates", "journaled")


class Command(BaseFrirenCommand):
    help = "Read bars with a regime detector and record the changes that it sees. A second run adds nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        add_bar_arguments(parser)
        add_regime_arguments(parser)
        parser.add_argument(
            "--account", metavar="NAME", help="Whose regimes these are; the whole market's unless given."
        )

    def run(self, *, detector: str, vix: Any, account: str | None, **options: Any) -> Report:
        closes = vix_closes(vix)
        create_detector(detector, vix=closes)
        series = load_bars(**options).series
        done = []
        with RegimeLogger(account) as logger, watched() as bar:
            for symbol, bars in sorted(series.items()):
                advance = partial(bar.advance, bar.add_task(symbol, total=len(bars)))
                fresh = create_detector(detector, vix=closes)
                done.append(detect_regimes(symbol, bars, detector=fresh, logger=logger, progress=advance))
        conflicts = [line for each in done for line in each.conflicts]
        self.failed = bool(conflicts)
        totals = {name: sum(getattr(each, name) for each in done) for name in COUNTS}
        return {"detector": detector, **totals, "conflicts": conflicts, "symbols": [each.as_json() for each in done]}

    def show(self, report: Report) -> None:
        table = Table("symbol", *COUNTS, "regime now", "bars by regime", box=None)
        for each in report["symbols"]:
            sessions = ", ".join(f"{name} {count}" for name, count in sorted(each["sessions"].items()))
            figures = (str(each[name]) for name in COUNTS)
            table.add_row(escape(each["symbol"]), *figures, each["regime"] or "–", sessions)
        self.console.print(table)
        for line in report["conflicts"]:
            self.console.print(escape(f"stored otherwise: {line}"), highlight=False, soft_wrap=True)
